"""What `downwind verify` asks of the clusters and of Spinnaker, a line for each part; and the lower sequence by itself."""

from collections.abc import Callable, Sequence

from downwind.bootstrap.proof.doors import GROUP
from downwind.bootstrap.proof.result import Result
from downwind.errors import DownwindError
from downwind.model.catalog import Registered
from downwind.perform.verify import Verdict, probe
from downwind.ports import Cluster

_FIX = "run it where clusters and Gate answer; kubectl port-forward, and DOWNWIND_GATE_URL=http://localhost:8084, bring Gate here"
_WHAT = "a lower sequence applied in the cluster"


def lower_sequence(
    clusters: Callable[[], Sequence[Cluster]], registered: Registered | None, environment: str | None
) -> Result:
    """A server-side dry run of the canary's fence, which the admission policy judges as it judges a write."""
    found = registered.application.environment(environment) if registered and environment else None
    if registered is None or found is None:
        return Result(
            group=GROUP,
            what=_WHAT,
            state="not applicable",
            why="it is tried in the canary's namespace, and there is no canary",
        )
    owner = f"{registered.application.name}/{found.name}"
    try:
        asked = [each for each in clusters() if each.namespace(found.namespace) is not None]
        findings = [finding for cluster in asked for finding in probe(cluster, owner, found)]
    except DownwindError as error:
        return Result(group=GROUP, what=_WHAT, state="unreachable", why=str(error), fix="name the cluster: --context")
    if not asked:
        why = f"namespace {found.namespace} is in none of the clusters that were asked"
        return Result(group=GROUP, what=_WHAT, state="unreachable", why=why, fix="name its cluster: --context")
    if findings:
        return Result(
            group=GROUP, what=_WHAT, state="failed", why=f"{findings[0].where}: {findings[0].what}", fix=findings[0].fix
        )
    named = ", ".join(each.name for each in asked)
    return Result(group=GROUP, what=_WHAT, state="ok", why=f"the policy in {named} refused it (server-side dry run)")


def told(group: str, what: str, ask: Callable[[], Verdict]) -> list[Result]:
    """Each finding is a line; none is one line that says how much was looked at."""
    try:
        verdict = ask()
    except DownwindError as error:
        return [Result(group=group, what=what, state="unreachable", why=str(error), fix=_FIX)]
    if not verdict.findings:
        count = len(verdict.checked)
        return [
            Result(group=group, what=what, state="ok", why=f"{count} {'check' if count == 1 else 'checks'}, no finding")
        ]
    return [
        Result(group=group, what=what, state="failed", why=f"{each.where}: {each.what}", fix=each.fix)
        for each in verdict.findings
    ]
