"""One execution of Spinnaker, as far as we judge it. Read from Gate's JSON by `read_execution`; shapes recorded in
tests/contract/gate (real Gate 2026.2.3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """`id`, `status` as Orca says them; the rest is derived from trigger and stages.

    `fence`: passed (the fence stage SUCCEEDED), refused (it ended otherwise), or open (not reached or running).
    `deploying`: a deploying stage (one that posts a Kubernetes operation, but the fence) has started.
    `deployed`: status SUCCEEDED and every deploying stage SUCCEEDED.
    `judgment`: id of the manualJudgment stage that waits now, else None.
    `judged`: a manual judgment was answered. `canceled_by` and `reason` as Orca gives them; `message` is the first failed
    stage's own word, cut to 2,000 characters.
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
    canceled_by: str | None = None
    reason: str | None = None
    message: str | None = None
    started: int | None = None
    ended: int | None = None

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


FINISHED = frozenset({"SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE"})
