"""What an application's manifests may hold, as its catalog says it. docs/reference/catalog.md explains each field."""

import fnmatch
from dataclasses import asdict, dataclass, field
from typing import Any

DENIABLE = (
    "capabilities",
    "clusterWide",
    "hostIPC",
    "hostNetwork",
    "hostPath",
    "hostPID",
    "hostPort",
    "privileged",
    "privilegeEscalation",
    "root",
)
REQUIRABLE = (
    "digest",
    "limits.cpu",
    "limits.memory",
    "livenessProbe",
    "readinessProbe",
    "readOnlyRootFilesystem",
    "requests.cpu",
    "requests.memory",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Empty: everything is allowed. `kinds`: `Kind` of the core group or `group/Kind`, with `*`. `deny` and `require` are of
    DENIABLE and REQUIRABLE; `labels`: names that every object must bear."""

    kinds: tuple[str, ...] = ()
    deny_kinds: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def about_pods(self) -> bool:
        """Does any rule look into pods? Most look at objects only, which costs less."""
        return bool(self.registries or self.require or set(self.deny) - {"clusterWide"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePath:
    """Where a custom resource names an image besides lists of containers. `path`: keys with dots, `[*]` for every item."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key. `id`: the name under which it signs, such as a key version of Cloud KMS; `pem`: the key itself."""

    id: str
    pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What is asked about the images of a release before they are used: always whether their registries have them.
    `provenance`: who has to vouch for them; `builders`: service accounts of the build, or builder ids of attestations; empty:
    any. `keys`: one of them has to have signed an attestation; empty: signatures are not looked at."""

    provenance: str | None = None
    builders: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    keys: tuple[SigningKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that the catalog says of an environment's manifests besides where they are."""

    policy: Policy = field(default_factory=Policy)
    image_paths: tuple[ImagePath, ...] = ()
    verify: Verification | None = None

    def document(self) -> dict[str, Any]:
        """As JSON: a part of a bundle's inputs."""
        return asdict(self)


def matches(patterns: tuple[str, ...], text: str) -> bool:
    """`*` matches anything, a slash too."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
