"""One execution of Spinnaker, as far as we judge it. Read from Gate's JSON by `read_execution`; shapes recorded in
tests/contract/gate (real Gate 2026.2.3)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused

FENCE_LABEL = "downwind.dev/fence"
_FENCE_NAME = re.compile(r"downwind\.[^.]+\.[^.]+")

# Stages that post a Kubernetes operation to Clouddriver, by Orca's names. A stage type that is not here (a plugin's)
# is known by the trace that every operation leaves in a stage: `kato.last.task.id`.
DEPLOYING_STAGES = frozenset(
    {
        "deployManifest",
        "runJob",
        "runJobManifest",
        "patchManifest",
        "scaleManifest",
        "deleteManifest",
        "undoRolloutManifest",
        "enableManifest",
        "disableManifest",
        "rollingRestartManifest",
        "pauseRolloutManifest",
        "resumeRolloutManifest",
        "destroyJob",
    }
)
_NOT_REACHED = frozenset({"NOT_STARTED", "SKIPPED"})
_FAILED = frozenset({"TERMINAL", "STOPPED", "FAILED_CONTINUE"})
_MESSAGE_LIMIT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """`id`, `status` as Orca says them; the rest is derived from trigger and stages.

    `fence`: passed (the fence stage SUCCEEDED), refused (it ended otherwise), or open (not reached or running).
    `deploying`: a deploying stage (one that posts a Kubernetes operation, but the fence) has started.
    `deployed`: status SUCCEEDED and every deploying stage SUCCEEDED.
    `judgment`: id of the manualJudgment stage that waits now, else None.
    `judged`: a manual judgment was answered; `stopped`: with stop. `canceled_by` and `reason` as Orca gives them;
    `message` is the first failed stage's own word, cut to 2,000 characters. `started`, `ended`: milliseconds since 1970.
    """

    id: str
    application: str
    status: str
    name: str = ""
    config_id: str = ""
    correlation_id: str | None = None
    downwind_application: str | None = None
    downwind_environment: str | None = None
    sequence: int | None = None
    attempt: int | None = None
    fence: str = "open"
    fence_message: str | None = None
    precondition_failed: bool = False
    deploying: bool = False
    deployed: bool = False
    judgment: str | None = None
    judged: bool = False
    stopped: bool = False
    canceled_by: str | None = None
    reason: str | None = None
    message: str | None = None
    started: int | None = None
    ended: int | None = None

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


FINISHED = frozenset({"SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE"})


def read_execution(document: Mapping[str, Any]) -> Execution:
    """Gate's JSON of one execution, as our words. Missing keys and unknown statuses are no error, since Orca's shape
    grows; Refused: `document` is no object."""
    if not isinstance(document, Mapping):
        raise Refused("an execution must be a JSON object", fix="ask Gate again: GET /pipelines/<execution id>")
    stages = [stage for stage in _items(document.get("stages")) if isinstance(stage, Mapping)]
    fences = [stage for stage in stages if is_fence(stage)]
    deploying = [stage for stage in stages if _is_deploying(stage)]
    judgments = [stage for stage in stages if stage.get("type") == "manualJudgment"]
    status = _text(document.get("status"))
    trigger = _object(document.get("trigger"))
    ours = _object(trigger.get("downwind"))
    fence = _fence(fences)
    return Execution(
        id=_text(document.get("id")),
        application=_text(document.get("application")),
        status=status,
        name=_text(document.get("name")),
        config_id=_text(document.get("pipelineConfigId")),
        correlation_id=_word(trigger.get("correlationId")),
        downwind_application=_word(ours.get("application")),
        downwind_environment=_word(ours.get("environment")),
        sequence=_number(ours.get("sequence")),
        attempt=_number(ours.get("attempt")),
        fence=fence,
        fence_message=_first_message(fences) if fence == "refused" else None,
        precondition_failed=any(
            stage.get("type") == "checkPreconditions" and stage.get("status") in _FAILED for stage in stages
        ),
        deploying=any(_status(stage) not in _NOT_REACHED for stage in deploying),
        deployed=status == "SUCCEEDED" and bool(deploying) and all(_status(s) == "SUCCEEDED" for s in deploying),
        judgment=_waiting(judgments) if status in {"RUNNING", "PAUSED"} else None,
        judged=any(_answer(stage) is not None or _status(stage) == "SUCCEEDED" for stage in judgments),
        stopped=any(_answer(stage) == "stop" for stage in judgments),
        canceled_by=_word(document.get("canceledBy")),
        reason=_word(document.get("cancellationReason")),
        message=_first_message(stages),
        started=_number(document.get("startTime")),
        ended=_number(document.get("endTime")),
    )


def is_fence(stage: Mapping[str, Any]) -> bool:
    """A deployManifest of nothing but one environment's fence. With anything beside it, the stage deploys."""
    manifests = _items(_object(stage.get("context")).get("manifests", stage.get("manifests")))
    return stage.get("type") == "deployManifest" and bool(manifests) and all(_is_fence_object(m) for m in manifests)


def _is_fence_object(manifest: Any) -> bool:
    metadata = _object(_object(manifest).get("metadata"))
    return (
        _object(manifest).get("kind") == "ConfigMap"
        and _object(metadata.get("labels")).get(FENCE_LABEL) == "true"
        and _FENCE_NAME.fullmatch(_text(metadata.get("name"))) is not None
    )


def _is_deploying(stage: Mapping[str, Any]) -> bool:
    posted = "kato.last.task.id" in _object(stage.get("context"))
    return (stage.get("type") in DEPLOYING_STAGES or posted) and not is_fence(stage)


def _fence(fences: list[Mapping[str, Any]]) -> str:
    """A second fence (before a job) that refuses takes nothing back: the first one held the sequence."""
    states = {_status(stage) for stage in fences}
    if "SUCCEEDED" in states:
        return "passed"
    return "refused" if states & FINISHED else "open"


def _waiting(judgments: list[Mapping[str, Any]]) -> str | None:
    """Orca leaves a judgment waiting for any answer but `continue` and `stop`."""
    for stage in judgments:
        if _status(stage) in {"RUNNING", "PAUSED"} and _answer(stage) is None:
            return _word(stage.get("id"))
    return None


def _answer(stage: Mapping[str, Any]) -> str | None:
    answer = _text(_object(stage.get("context")).get("judgmentStatus")).lower()
    return answer if answer in {"continue", "stop"} else None


def _first_message(stages: list[Mapping[str, Any]]) -> str | None:
    for stage in stages:
        if stage.get("status") in _FAILED:
            for message in _messages(_object(stage.get("context"))):
                if isinstance(message, str) and message:
                    return message[:_MESSAGE_LIMIT]
    return None


def _messages(context: Mapping[str, Any]) -> Iterator[Any]:
    """Where Orca keeps a stage's own word: Clouddriver's task, the stage's exception, a precondition's text."""
    for task in reversed(_items(context.get("kato.tasks"))):
        yield _object(_object(task).get("exception")).get("message")
    yield from _items(_object(_object(context.get("exception")).get("details")).get("errors"))
    yield _object(context.get("context")).get("failureMessage")
    yield context.get("failureMessage")


def _status(stage: Mapping[str, Any]) -> str:
    return _text(stage.get("status")) or "NOT_STARTED"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    """Sequence and attempt are sent as strings (design.md 5.2); Orca's times are JSON numbers."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
