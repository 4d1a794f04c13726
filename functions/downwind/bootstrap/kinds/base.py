"""What every kind of resource can do: say where it is read, and how it is made, changed and taken away."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from downwind.bootstrap.values import Values
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write, differences
from downwind.errors import TransientError

if TYPE_CHECKING:
    from downwind.bootstrap.cloud import Cloud


class Kind:
    """`labels` is the field that says whose a resource is; None: its `description` begins with our mark. `fixed`: fields that
    can't be changed. `exact`: fields in which nothing else may stand. `ignored`: not compared. `marks`: how paths begin that only
    say whose it is. `waits`: it is waited for even where nothing is to be written. `overwrites`: what the configuration names by
    file is changed whoever wrote it, once it was shown."""

    labels: str | None = "labels"
    fixed: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    marks: tuple[str, ...] = ("labels", "annotations", "resourceLabels", "description")
    waits = False
    overwrites = False
    elsewhere = False
    """It is kept by a system that may be silent while the rest of the plan is sound: then its step says so, and stops nothing."""
    shows = True
    """Can be read back after it was made."""
    patience = 120.0
    """Seconds within which a write has to show."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.project = f"projects/{values.project}"
        self.place = f"{self.project}/locations/{values.region}"

    @property
    def mark(self) -> str:
        return f"Downwind installation {self.values.name}"

    @property
    def flags(self) -> tuple[str, ...]:
        return (f"--project={self.values.project}",)

    def where(self, resource: Resource) -> Request:
        raise NotImplementedError

    def read(self, cloud: "Cloud", resource: Resource) -> Any:
        """What `found` takes."""
        return cloud.read(self.where(resource))

    def look(self, cloud: "Cloud", resource: Resource) -> Any:
        """As `read`; where it is kept elsewhere, the error of who was silent is an answer too."""
        try:
            return self.read(cloud, resource)
        except TransientError as error:
            if not self.elsewhere:
                raise
            return error

    def found(self, resource: Resource, answer: Body) -> Body | None:
        """What is there, as `wanted` spells it; None: not there, whatever was answered."""
        return answer

    def settled(self, resource: Resource, answer: Body | None) -> Resource:
        """What is wanted, once it is known what was read: `answer` as of `read`, None where nothing is known."""
        return resource

    def told(self, resource: Resource, live: Body, fields: Sequence[str]) -> list[str]:
        """What differs, for people: `fields` in words."""
        return list(fields)

    def wanted(self, resource: Resource) -> Body:
        """The body with the mark of whose it is."""
        if self.labels is None:
            return {"description": f"{self.mark}: {resource.id}", **resource.body}
        return {**resource.body, self.labels: {"downwind": self.values.name, **resource.body.get(self.labels, {})}}

    def ours(self, resource: Resource, live: Body) -> bool:
        if self.labels is None:
            return str(live.get("description", "")).startswith(f"{self.mark}:")
        return bool((live.get(self.labels) or {}).get("downwind") == self.values.name)

    def differs(self, resource: Resource, live: Body) -> list[str]:
        paths = differences(self.wanted(resource), live, self.exact)
        return [each for each in paths if not any(each == name or each.startswith(f"{name}.") for name in self.ignored)]

    def ready(self, live: Body) -> bool:
        """Made whole; raises Refused when it never will be."""
        return True

    def lacking(self, live: Body) -> str:
        """Why it is not ready, for people who wait."""
        return "until it can be read as wanted"

    def create(self, resource: Resource, live: Body | None) -> Write:
        raise NotImplementedError

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        raise NotImplementedError

    def before_change(self, resource: Resource, live: Body) -> tuple[Write, ...]:
        """What has to be out of the way first."""
        return ()

    def delete(self, resource: Resource) -> Write | None:
        """None: nothing to take away."""
        raise NotImplementedError


def pairs(mapping: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in mapping.items())


def tops(fields: Sequence[str]) -> list[str]:
    """The top-level fields of paths, each once."""
    return list(dict.fromkeys(each.split(".")[0] for each in fields))
