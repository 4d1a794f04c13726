"""The way back: what is ours is taken away, in the other order. What holds data stays unless it is told to go;
what is not ours stays."""

import time
from collections.abc import Callable, Sequence

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.kinds.objects import Namespaces
from downwind.bootstrap.kinds.policies import Policies
from downwind.bootstrap.plan import Plan, Step
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import TransientError


def steps_back(plan: Plan, cloud: Cloud, *, with_data: bool = False) -> list[Step]:
    """A `delete` for each thing of ours, `keep` with why for what stays. Reads only."""
    resources = list(reversed(plan.resources))
    answers = cloud.side_by_side(lambda each: plan.kinds[each.kind].read(cloud, each), resources)
    lives = {
        each.key: None if answer is None else plan.kinds[each.kind].found(each, answer)
        for each, answer in zip(resources, answers, strict=True)
    }
    gone = {each.key for each in resources if _goes(plan, each, lives[each.key], with_data=with_data)}
    found = []
    for resource in resources:
        live = lives[resource.key]
        if live is not None:
            found += _back(plan, resource, live, gone)
    return found


def _goes(plan: Plan, resource: Resource, live: Body | None, *, with_data: bool) -> bool:
    if live is None or resource.shared or (resource.data and not with_data):
        return False
    return plan.kinds[resource.kind].ours(resource, live)


def _back(plan: Plan, resource: Resource, live: Body, gone: set[str]) -> list[Step]:
    kind = plan.kinds[resource.kind]
    if isinstance(kind, Policies):
        write = None if resource.id in gone else kind.without(resource, live)
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
    why = "others may use it: it stays" if resource.shared else "it holds data: it stays, unless --with-data"
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


def take_back(
    plan: Plan,
    writer: Writer,
    steps: Sequence[Step],
    tell: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Does the steps of `steps_back` that are due, and says so. A namespace is waited for: its volumes go with it, and would
    outlive their cluster. What is gone already is gone."""
    for step in steps:
        for write in step.writes:
            writer.take_away(write)
        kind, begun, pause = plan.kinds[step.resource.kind], clock(), 0.2
        if isinstance(kind, Namespaces):
            tell(f"waiting {step.resource.key}: {kind.lacking({})}")
            while kind.read(writer.cloud, step.resource) is not None:
                if clock() - begun > kind.patience:
                    text = f"{step.resource.key} is still being deleted after {kind.patience:.0f} s"
                    raise TransientError(f"{text}: look at what holds it, and run destroy again")
                sleep(pause)
                pause = min(pause * 1.6, 5)
        tell(f"gone    {step.resource.key}")
