"""One sentence for a fact, a step or a wait: what `why`, `status` and the demo say. Never a promise about what comes next."""

from collections.abc import Callable, Mapping
from typing import Any

from downwind.reconcile import steps
from downwind.reconcile.facts import Fact
from downwind.reconcile.steps import Step, Wait

_SHORT = 7
_LISTED = 5
"""Images named in one sentence; more are counted."""

Body = Mapping[str, Any]


def of_fact(fact: Fact) -> str:
    """What happened. A kind that this revision does not know is named, not guessed at."""
    return of_body(fact.body)


def of_body(body: "Body") -> str:
    """`of_fact` for one that is not written yet."""
    say = _FACTS.get(str(body.get("kind")))
    try:
        return say(body) if say else f"a fact of kind {body.get('kind')}, which this version does not know"
    except (KeyError, TypeError):
        return f"a fact of kind {body.get('kind')}, in a form that this version does not know"


def of_step(step: Step) -> str:
    """What is due and not yet done."""
    return _STEPS[type(step)](step)


def of_wait(wait: Wait) -> str:
    """Who waits, and for what."""
    number = f"{wait.environment} {wait.n}" if wait.environment and wait.n is not None else wait.environment
    about = number or (f"release {short(wait.commit)}" if wait.commit else "")
    return f"{about} waits for {wait.what}".lstrip()


def short(identifier: str | None) -> str:
    """A commit as people write it, a digest with its algorithm; "nothing" for None."""
    if identifier is None:
        return "nothing"
    algorithm, colon, rest = identifier.rpartition(":")
    return f"{algorithm}{colon}{rest[:12]}" if colon else identifier[:_SHORT]


def images(found: Mapping[str, str]) -> str:
    """`shop@sha256:0123456789ab`; the last segment of the name is what people call an image."""
    named = [f"{name.rpartition('/')[2]}@{short(digest)}" for name, digest in sorted(found.items())]
    more = [f"and {len(named) - _LISTED} more"] if len(named) > _LISTED else []
    return ", ".join(named[:_LISTED] + more)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rollout(body: Body) -> str:
    attempt = f" (attempt {body['attempt']})" if body.get("attempt") else ""
    place = f"{body['environment']} {body['n']}" if body.get("environment") else f"entry {body.get('n')}"
    return place + attempt


def _push(body: Body) -> str:
    ref, before, after = body["ref"], body["before"], body["after"]
    if after is None:
        return f"{ref} of {body['repository']} was deleted at {short(before)}"
    if before is None:
        return f"{ref} of {body['repository']} was created at {short(after)}"
    return f"{ref} of {body['repository']} was pushed from {short(before)} to {short(after)}"


def _build_event(body: Body) -> str:
    listed = [image for image in body.get("images") or () if image.get("digest")]
    more = f", {count(len(listed), 'image')}" if listed else ""
    return f"build {body['build']} of {short(body['commit'])} is {body['status']}{more}"


def _winner(body: Body) -> str:
    listed = images({image["name"]: image["digest"] for image in body.get("images") or ()})
    return f"build {body['build']} is the first success of {short(body['commit'])}: " + (
        f"its images count ({listed})" if listed else "it lists no images"
    )


def _image(body: Body) -> str:
    named = images({body["name"]: body["digest"]})
    return f"image {named} belongs to {short(body['commit'])} by its {body['by']}"


def _completed(body: Body) -> str:
    return f"release {short(body['commit'])} is complete: {images(body['images'])}"


def _bundle(body: Body) -> str:
    parts = f", parts {', '.join(body['parts'])}" if len(body["parts"]) > 1 else ""
    return f"manifests of {short(body['commit'])} for {body['environment']} rendered: bundle {short(body['bundle'])}{parts}"


def _entry(body: Body) -> str:
    place, by, verb = f"{body['environment']} {body['n']}", body["by"], body.get("verb") or "release"
    if verb == "rebase":
        who = f", ordered by {body['who']}" if body.get("who") else ""
        return f"{place} begins the log anew above what was found{who}{_why(body)}"
    what = _BROUGHT[verb](body) if verb in _BROUGHT else f"is {short(body['commit'])}"
    upstream = f"{body['upstream']} {body['upstream_sequence']}" if body.get("upstream") else ""
    if by == "push":
        return f"{place} {what}: the tip of {body['ref']}"
    if by == "promotion":
        return f"{place} {what}: {upstream} succeeded and was promoted"
    if by == "on_failure":
        return f"{place} {what} by on_failure{_why(body)}"
    ordered = f"request {body.get('request')}{_who(body)}" if by == "request" else f"{body['who']}"
    return f"{place} {what}: ordered by {ordered}{_why(body)}" + (f", promoting {upstream}" if upstream else "")


_BROUGHT: dict[str, Callable[[Body], str]] = {
    "rollback": lambda body: f"is {short(body['commit'])} again, as entry {body['target']} brought it, and holds",
    "hold": lambda _: "holds",
    "resume": lambda _: "resumes",
    "cancel": lambda body: f"cancels {body['target']}",
    "retry": lambda body: f"retries {body['target']}",
}


def _who(body: Body) -> str:
    return f" of {body['who']} (as claimed)" if body.get("who") else ""


def _why(body: Body) -> str:
    return f", because: {body['why']}" if body.get("why") else ""


def _ref(body: Body) -> str:
    if not body["n"]:
        return f"{body['ref']} stood at {short(body['commit'])} when the catalog was applied: the baseline"
    return f"{body['ref']} is at {body['environment']} {body['n']}"


def _ended(body: Body) -> str:
    fence = {"passed": ", its fence passed", "refused": ", its fence was refused"}.get(str(body.get("fence")), "")
    by = f" by {body['canceled_by']}" if body.get("canceled_by") else ""
    reason = body.get("message") or body.get("reason")
    return f"execution {body['execution']} ended {body['status']}{by}{fence}" + (f": {reason}" if reason else "")


def _order(body: Body) -> str:
    commit = f" {short(body['commit'])}" if body.get("commit") else ""
    place = f"{body['application']}/{body['environment']}"
    if body.get("by") == "operator":
        target = f" {body['target']}" if body.get("target") else ""
        return f"{body['who']} orders: {body['verb']}{commit}{target} in {place}{_why(body)}"
    return f"request {body['id']}{_who(body)} asks to {body['verb']}{commit} into {place}{_why(body)}"


def _all_hold(body: Body) -> str:
    return f"{body['who']} {'holds everything' if body['verb'] == 'hold' else 'resumes everything'}{_why(body)}"


def _raw(body: Body) -> str:
    attempt = f", delivery attempt {body['attempt']}" if (body.get("attempt") or 1) > 1 else ""
    published = f", published {body['published']}" if body.get("published") else ""
    if body["topic"] == "operate":
        return f"order {body['id']} came to operate{published}"
    return f"message {body['id']} came on topic {body['topic']}{published}{attempt}"


def _recorded(body: Body) -> str:
    reasons = f" ({'; '.join(body['reasons'])})" if body.get("reasons") else ""
    return f"recorded for {', '.join(body['applications'])}: {count(len(body['facts']), 'fact')}{reasons}"


def _replayed(body: Body) -> str:
    who = f" by order of {body['who']}" if body.get("who") else ""
    place = f" as event {short(body['event'])}" if body.get("event") else ""
    came_to = {
        "recorded": f"recorded{place} for {', '.join(body['applications'])}: {count(len(body['facts']), 'fact')}",
        "duplicate": f"it had been recorded before{place}",
    }.get(body["became"], str(body["became"]) + place)
    reasons = f" ({'; '.join(body['reasons'])})" if body.get("reasons") else ""
    return f"replayed{who}: {came_to}{reasons}"


_FACTS: dict[str, Callable[[Body], str]] = {
    "push": _push,
    "build-event": _build_event,
    "winner": _winner,
    "build-claim": lambda body: (
        f"the start of a build of {short(body['commit'])} was claimed, so that nobody else starts it"
    ),
    "build-started": lambda body: f"build {body['build']} of {short(body['commit'])} was started",
    "seen": lambda body: f"image {body['name']}@{short(body['digest'])} is in its registry",
    "image": _image,
    "completed": _completed,
    "blocked": lambda body: f"release {short(body['commit'])} is blocked: {body['reason']}",
    "bundle": _bundle,
    "entry": _entry,
    "ref": _ref,
    "tip": lambda body: f"the repository answered {body['ref']} = {short(body['object'])} on tick {body['tick']}",
    "claim": lambda body: (
        f"{_rollout(body)} claimed for trigger, so that nobody else starts it (epoch {body['epoch']})"
    ),
    "started": lambda body: f"{_rollout(body)} triggered: execution {body['execution']}",
    "cancel": lambda body: f"execution {body['execution']} was cancelled: {body['reason']}",
    "ended": _ended,
    "outcome": lambda body: f"{_rollout(body)} {body['status']}: {body['reason']}",
    "order": _order,
    "cancel-order": lambda body: f"{_rollout(body)} is to end: {body['reason']}",
    "retry-order": lambda body: f"{body['environment']} {body['n']} is to be tried again: {body['reason']}",
    "judgment": lambda body: (
        f"{body['who']} answered the judgment of {body['environment']} {body['n']}: {body['decision']}{_why(body)}"
    ),
    "all-hold": _all_hold,
    "ordered": lambda body: f"the order was carried out: {body['environment']} {body['n']}",
    "refused": lambda body: f"the request was refused: {body['reason']}",
    "raw": _raw,
    "recorded": _recorded,
    "ignored": lambda body: f"ignored: {'; '.join(body['reasons'])}",
    "parked": lambda body: f"parked: {body['reason']}",
    "replayed": _replayed,
    "announced": lambda body: f"announced on deliveries{': ' + body['type'] if body.get('type') else ''}",
    "notice-claim": lambda body: (
        f"word of {_rollout(body)} ({body['state']}) to {body['channel']} claimed, so that nobody else sends it"
        f" (epoch {body['epoch']})"
    ),
    "notice-sent": lambda body: f"{body['channel']} was told of {_rollout(body)}: {body['state']}",
    "notice-failed": lambda body: (
        f"{body['channel']} did not take word of {_rollout(body)} ({body['state']}): {body['reason']}"
    ),
    "notice-dropped": lambda body: (
        f"{body['channel']} is not told of {_rollout(body)} ({body['state']}): {body['reason']}"
    ),
    "pointer": lambda _: "a pointer from one name to another",
}
KINDS = tuple(_FACTS)
_STEPS: dict[type, Callable[[Any], str]] = {
    steps.Record: lambda step: f"to be written down: {of_body(step.fact.body)}",
    steps.Append: lambda step: f"to be appended: {_entry(step.entry.body)}",
    steps.Compare: lambda step: (
        f"did a path of the application change from {short(step.before)} to {short(step.after)}?"
    ),
    steps.Verify: lambda step: f"the registry is to be asked for the images of bundle {short(step.bundle)}",
    steps.Judge: lambda step: f"the judgment of {step.environment} {step.n} is to be answered: {step.decision}",
    steps.StartBuild: lambda step: f"a build of {short(step.commit)} is to be started",
    steps.FindBuilds: lambda step: f"Cloud Build is to be asked for builds of {short(step.commit)}",
    steps.ResolveImage: lambda step: f"the registry is to be asked for {step.image}:{step.tag}",
    steps.RenderBundle: lambda step: f"manifests of {short(step.commit)} for {step.environment} are to be rendered",
    steps.TriggerRollout: lambda step: f"{step.environment} {step.n} is to be triggered",
    steps.SearchRollout: lambda step: f"Gate is to be asked whether {step.environment} {step.n} was ever started",
    steps.CancelRollout: lambda step: f"{step.environment} {step.n} is to be cancelled: {step.reason}",
    steps.Observe: lambda step: f"Spinnaker is to be asked for execution {step.execution}",
    steps.Announce: lambda step: f"{step.type} is to be announced",
    steps.Notify: lambda step: f"{step.channel.name} is to be told of {step.environment} {step.n}: {step.state}",
}
