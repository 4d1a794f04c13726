"""Secrets by version. `${version.NAME}` in infra/wanted stands for a secret and its newest version: a plan reads which one that
is (numbers and states, never a text), and whatever uses the secret is given that version and no other."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import NEWEST, Body, Request

if TYPE_CHECKING:
    from downwind.bootstrap.cloud import Cloud

_PIN = re.compile(rf"(?:projects/[^/]+/secrets/)?([A-Za-z0-9_-]+)(?:/versions/({re.escape(NEWEST)}|latest|[0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Of one secret. `newest`: the highest number of those that are enabled, None where none is; `coming`: what the next one
    will be."""

    newest: int | None = None
    coming: int = 1


def read_versions(cloud: "Cloud", secret: str) -> Versions:
    """`secret`: by its path in Secret Manager. `latest` there means the one that was made last, even one that is disabled."""
    found = (cloud.read(Request(api="secretmanager", path=f"v1/{secret}/versions")) or {}).get("versions", ())
    numbers = {int(each["name"].rpartition("/")[2]): each["state"] for each in found}
    enabled = [number for number, state in numbers.items() if state == "ENABLED"]
    return Versions(newest=max(enabled, default=None), coming=max(numbers, default=0) + 1)


class Pinned(Kind):
    """`read` gives `there`, what the service says, and `versions` by the name of each secret that is used."""

    def read(self, cloud: "Cloud", resource: Resource) -> Any:
        names = sorted(set(_names(resource.body)))
        versions = {each: read_versions(cloud, f"{self.project}/secrets/{each}") for each in names}
        return {"there": cloud.read(self.where(resource)), "versions": versions}

    def found(self, resource: Resource, answer: Body) -> Body | None:
        return None if answer["there"] is None else self.spelled(resource, answer["there"])

    def spelled(self, resource: Resource, live: Body) -> Body:
        """What is there, as `wanted` spells it."""
        return live

    def settled(self, resource: Resource, answer: Body | None) -> Resource:
        """Where a secret holds nothing, the version that it will have: whoever applies waits for it."""
        known: Mapping[str, Versions] = (answer or {}).get("versions", {})

        def filled(text: str, _path: str) -> str:
            about = known.get(_parts(text)[0]) or Versions()
            return text.replace(NEWEST, str(about.newest or about.coming))

        return replace(resource, body=_mapped(resource.body, filled))

    def kept(self, resource: Resource, live: Body) -> Resource:
        """With the versions that it has already, for who brings another source. Where it does not use the secret
        yet, the place stays open (NEWEST)."""

        def standing(text: str, path: str) -> str:
            found = _at(live, path)
            return found if isinstance(found, str) and _parts(found)[0] == _parts(text)[0] else text

        return replace(resource, body=_mapped(resource.body, standing))

    def told(self, resource: Resource, live: Body, fields: Sequence[str]) -> list[str]:
        return [_told(_at(resource.body, each), _at(live, each)) or each for each in fields]


def _told(ours: Any, theirs: Any) -> str | None:
    """None: they differ in more than the version of one secret."""
    name, wanted = _parts(ours)
    if wanted is None or _parts(theirs)[0] != name:
        return None
    has = _parts(theirs)[1]
    if has is None or not has.isdigit():
        return f"secret {name} is used without a version, and {wanted} is its newest"
    if int(has) > int(wanted):
        return f"version {has} of secret {name} is not enabled any more, and {wanted} is its newest"
    return f"secret {name} has a new version {wanted}, and {has} is used"


def lacking(answer: Body | None, secret: str) -> int | None:
    """The version that the secret will have, if it holds nothing yet. An answer without the secret did not ask for it: the
    resource has its number already."""
    about = Versions() if answer is None else (answer.get("versions") or {}).get(secret)
    return None if about is None or about.newest is not None else about.coming


def line_to_add(secret: str, project: str) -> str:
    """What whoever has the text types; it is read from stdin, so that no shell keeps it."""
    return f"gcloud secrets versions add {secret} --data-file=- --project={project}"


def _parts(text: Any) -> tuple[str, str | None]:
    """The secret's name, and the version if one is said."""
    match = _PIN.fullmatch(text) if isinstance(text, str) else None
    return (match[1], match[2]) if match else ("", None)


def _names(value: Any) -> Iterator[str]:
    """Of the secrets whose newest version goes into it."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, str) and NEWEST in value:
        yield _parts(value)[0]


def _mapped(value: Any, filled: Callable[[str, str], str], path: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _mapped(each, filled, f"{path}.{key}" if path else key) for key, each in value.items()}
    return filled(value, path) if isinstance(value, str) and NEWEST in value else value


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        body = body.get(key) if isinstance(body, Mapping) else None
    return body
