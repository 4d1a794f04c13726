"""The `policy` and the `image_paths` of a catalog document to values."""

import re

from downwind.model.fields import Fields
from downwind.model.policy import DENIABLE, REQUIRABLE, ImagePath, Policy, SigningKey, Verification

_KIND = re.compile(r"[A-Za-z0-9.*-]+(/[A-Za-z0-9*]+)?")
_NAMESPACE = re.compile(r"[a-z0-9*-]+")
_REGISTRY = re.compile(r"[a-z0-9.:*-]+(/[a-z0-9._*-]+)*")
_LABEL = re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9._-]+")
_STEPS = re.compile(r"([A-Za-z0-9_-]+(\[\*\])?\.)*[A-Za-z0-9_-]+")
_PROVENANCE = re.compile(r"build|attestation")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?")
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END PUBLIC KEY-----\n?")
_KIND_FORM = "Kind of the core group, or group/Kind, such as ConfigMap, apps/Deployment or rbac.authorization.k8s.io/*"


def read_policy(fields: Fields | None) -> Policy | None:
    if fields is None:
        return None
    kinds = fields.child("kinds")
    allowed, denied = (kinds.texts(name, pattern=_KIND, form=_KIND_FORM) if kinds else () for name in ("allow", "deny"))
    if kinds:
        kinds.done()
    found = Policy(
        kinds=allowed,
        deny_kinds=denied,
        namespaces=fields.texts("namespaces", pattern=_NAMESPACE, form="a namespace, or a pattern with *"),
        registries=fields.texts(
            "registries", pattern=_REGISTRY, form="an image's name, or a pattern such as us-docker.pkg.dev/acme/*"
        ),
        deny=_options(fields, "deny", DENIABLE),
        require=_options(fields, "require", REQUIRABLE),
        labels=fields.texts("labels", pattern=_LABEL, form="the name of a label"),
    )
    fields.done()
    return found


def read_verification(fields: Fields | None) -> Verification | None:
    if fields is None:
        return None
    provenance = fields.optional("provenance", pattern=_PROVENANCE, form="build or attestation")
    found = Verification(
        provenance=provenance,
        builders=fields.texts("builders", form="a service account's e-mail address, or the id of a builder"),
        platforms=fields.texts("platforms", pattern=_PLATFORM, form="a platform such as linux/amd64"),
        keys=tuple(map(_key, fields.children("keys"))),
    )
    if found.keys and provenance != "attestation":
        fields.problem("keys", "stands without provenance: attestation", "add that: nothing else is signed")
    if found.builders and provenance is None:
        fields.problem("builders", "stands without provenance", "add provenance: build, or attestation")
    fields.done()
    return found


def read_image_path(fields: Fields) -> ImagePath:
    found = ImagePath(
        kind=fields.text("kind", pattern=_KIND, form=_KIND_FORM),
        path=fields.text("path", pattern=_STEPS, form="keys with dots, such as spec.steps[*].image"),
    )
    fields.done()
    return found


def _key(fields: Fields) -> SigningKey:
    found = SigningKey(
        id=fields.text("id", form="the name of the key's version, as the signature has it"),
        pem=fields.text("pem", pattern=_PEM, form="the public key as PEM, from -----BEGIN PUBLIC KEY----- on"),
    )
    fields.done()
    return found


def _options(fields: Fields, name: str, options: tuple[str, ...]) -> tuple[str, ...]:
    form = re.compile("|".join(map(re.escape, options)))
    return tuple(sorted(fields.texts(name, pattern=form, form=f"one of: {', '.join(options)}")))
