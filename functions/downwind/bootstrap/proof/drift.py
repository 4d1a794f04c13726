"""Is the cloud what infra/ says? One line for each thing that is not, none of them changed."""

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.plan import UNREAD, Plan, Step
from downwind.bootstrap.proof.result import Result
from downwind.errors import DownwindError

GROUP = "drift"
_SOURCE = "labels.downwind-source"


def check(plan: Plan, cloud: Cloud, *, packaged: bool) -> list[Result]:
    """`packaged`: the plan knows the package that ought to run; else only that it is one for all."""
    try:
        steps = steps_now(plan, cloud)
    except DownwindError as error:
        return [Result(group=GROUP, what="the cloud is as infra/ says", state="unreachable", why=str(error))]
    found = [each for each in steps if (each.due or each.action == "foreign") and not (not packaged and _source(each))]
    unread = [each for each in steps if each.action == UNREAD]
    drifted = [each for each in found if each.due or each.differs]
    results = [
        Result(
            group=GROUP,
            what=each.resource.key,
            state="failed",
            why=f"to {each.action}: {each.why}" if each.due else each.why,
            fix="downwind bootstrap plan, then apply",
        )
        for each in drifted
    ]
    results += [Result(group=GROUP, what=each.resource.key, state="unreachable", why=each.why) for each in unread]
    if not drifted and not unread:
        why = f"{len(steps)} resources and rights, nothing to do"
        results.append(Result(group=GROUP, what="the cloud is as infra/ says", state="ok", why=why))
    return [*results, *([] if packaged else [_one_source(plan, cloud)])]


def _source(step: Step) -> bool:
    """A step that is due for the package alone, of which nothing is known here."""
    return step.resource.kind == "package" or (step.resource.kind == "function" and set(step.differs) == {_SOURCE})


def _one_source(plan: Plan, cloud: Cloud) -> Result:
    what = "all functions run one source"
    functions = [each for each in plan.resources if each.kind == "function"]
    try:
        answers = cloud.read_all([plan.kinds["function"].where(each) for each in functions])
    except DownwindError as error:
        return Result(group=GROUP, what=what, state="unreachable", why=str(error))
    labels = sorted({str((each or {}).get("labels", {}).get("downwind-source")) for each in answers})
    if len(labels) == 1 and labels[0] != "None":
        return Result(group=GROUP, what=what, state="ok", why=f"{labels[0]} in {len(functions)} functions")
    return Result(group=GROUP, what=what, state="failed", why=f"they run {', '.join(labels)}", fix="scripts/deploy")
