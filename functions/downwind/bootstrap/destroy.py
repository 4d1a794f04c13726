"""The way back: what is ours is taken away, in the other order. What holds data stays unless it is told to go, and so does what
that stands on; what is not ours stays."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from downwind.bootstrap.cloud import Cloud, Held
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.kinds.policies import Policies
from downwind.bootstrap.plan import UNREAD, Plan, Step
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import TransientError

STANDS_ON: Mapping[str, Collection[str]] = {
    "cluster": ("account", "network", "subnet", "nat"),
    "subnet": ("network",),
    "nat": ("router",),
    "router": ("network",),
}
"""By kind: what has to stay with it, of what it waits for. All else is an order alone."""


def steps_back(plan: Plan, cloud: Cloud, *, with_data: bool = False) -> list[Step]:
    """A `delete` for each thing of ours, `keep` with why for what stays. Reads only."""
    resources = list(reversed(plan.resources))
    unread: dict[str, Step] = {}

    def live(resource: Resource) -> Body | None:
        kind = plan.kinds[resource.kind]
        answer = kind.look(cloud, resource)
        if isinstance(answer, TransientError):
            unread[resource.key] = Step(
                resource=resource, action=UNREAD, why=f"it stays, for it was not read: {answer}"
            )
            return None
        return None if answer is None else kind.found(resource, answer)

    lives = dict(zip([each.key for each in resources], cloud.side_by_side(live, resources), strict=True))
    gone, needed = _going(plan, resources, lives, with_data=with_data)
    staying = {
        plan.values.member(each.id) for each in resources if each.kind == "account" and each.key in needed - gone
    }
    found = []
    for resource in resources:
        standing = lives[resource.key]
        if standing is not None:
            found += _back(plan, resource, standing, gone, staying)
    return [*unread.values(), *found]


def take_back(
    plan: Plan,
    writer: Writer,
    steps: Sequence[Step],
    tell: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Mapping[str, str]:
    """Does the steps of `steps_back` that are due, and waits until each thing is gone: what it stands on goes next, and volumes
    would outlive their cluster. What Google still holds is left, and named in the result with what was said: the addresses of
    functions are given back an hour or two after them. What is gone already is gone."""
    left: dict[str, str] = {}
    for step in (each for each in steps if each.due):
        resource = step.resource
        try:
            for write in step.writes:
                writer.take_away(write)
        except Held as error:
            left[resource.key] = str(error)
            tell(f"STAYS   {resource.key}: {error}")
            continue
        if resource.kind != "policy":
            _until_gone(plan, writer.cloud, resource, tell, sleep, clock)
        tell(f"gone    {resource.key}")
    return left


def _until_gone(
    plan: Plan,
    cloud: Cloud,
    resource: Resource,
    tell: Callable[[str], None],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    kind = plan.kinds[resource.kind]
    begun, pause = clock(), 0.2
    while (answer := kind.read(cloud, resource)) is not None and kind.found(resource, answer) is not None:
        if pause == 0.2:
            tell(f"waiting {resource.key}: until it is gone")
        if clock() - begun > kind.patience:
            text = f"{resource.key} is still being deleted after {kind.patience:.0f} s"
            raise TransientError(f"{text}: look at what holds it, and run destroy again")
        sleep(pause)
        pause = min(pause * 1.6, 5)


def _going(
    plan: Plan, resources: Sequence[Resource], lives: Mapping[str, Body | None], *, with_data: bool
) -> tuple[set[str], set[str]]:
    """Keys of what goes; keys of what something stands on that is ours and stays."""
    gone: set[str] = set()
    needed: set[str] = set()
    for resource in resources:  # what stands on others comes first
        live = lives[resource.key]
        if live is None or not plan.kinds[resource.kind].ours(resource, live):
            continue
        if resource.shared or resource.key in needed or (resource.data and not with_data):
            needed |= {each for each in resource.after if each.partition("/")[0] in STANDS_ON.get(resource.kind, ())}
        else:
            gone.add(resource.key)
    return gone, needed


def _back(plan: Plan, resource: Resource, live: Body, gone: set[str], staying: Collection[str]) -> list[Step]:
    kind = plan.kinds[resource.kind]
    if isinstance(kind, Policies):
        write = None if resource.id in gone else kind.without(resource, live, staying)
        return (
            [Step(resource=resource, action="delete", why="our rights only; others' stay", writes=(write,))]
            if write
            else []
        )
    write = kind.delete(resource)
    if write is None:
        return []
    if resource.key in gone:
        before = _unlocked(resource, live) if resource.kind == "bucket" else ()
        return [Step(resource=resource, action="delete", why=resource.why, writes=(*before, write))]
    if not kind.ours(resource, live):
        return [Step(resource=resource, action="foreign", why="not of this installation: it stays")]
    why = "it holds data: it stays, unless --with-data"
    if not resource.data:
        why = "others may use it: it stays" if resource.shared else "what stays stands on it: it stays too"
    return [Step(resource=resource, action="keep", why=why)]


def _unlocked(resource: Resource, live: Body) -> Sequence[Write]:
    """Objects under a retention can't be deleted; an unlocked one may be taken away."""
    if not live.get("retentionPolicy"):
        return ()
    return (
        Write(
            request=Request(
                api="storage", method="PATCH", path=f"storage/v1/b/{resource.name}", body={"retentionPolicy": None}
            ),
            command=("gcloud", "storage", "buckets", "update", f"gs://{resource.name}", "--clear-retention-period"),
        ),
    )
