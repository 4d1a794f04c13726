"""A new execution's JSON, from a saved pipeline and the body of a trigger (shape recorded from real Orca). Pure but for ids.

Times are milliseconds since 1970, as everywhere in Orca.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.gate.artifacts import read_artifact, resolve
from downwind.local.gate.ulid import new_ulid

_STAGE_KEYS = frozenset({"id", "refId", "requisiteStageRefIds", "type", "name", "parentStageId", "syntheticStageOwner"})
_KEPT_AT_TOP = ("spelEvaluator",)

Execution = dict[str, Any]


def now() -> int:
    return time.time_ns() // 1_000_000


def new_execution(
    config: Mapping[str, Any],
    trigger: Mapping[str, Any],
    user: str,
    accounts: Sequence[str],
    execution_id: str | None = None,
) -> Execution:
    """NOT_STARTED. The trigger is taken as sent, beside Orca's own keys; artifacts are not resolved yet."""
    execution_id = execution_id or new_ulid()
    body = {
        "additionalHeaders": {},
        "application": config["application"],
        "authentication": {"allowedAccounts": list(accounts), "user": user},
        "buildTime": now(),
        "canceled": False,
        "id": execution_id,
        "initialConfig": {},
        "keepWaitingPipelines": bool(config.get("keepWaitingPipelines", False)),
        "limitConcurrent": bool(config.get("limitConcurrent", False)),
        "maxConcurrentExecutions": int(config.get("maxConcurrentExecutions") or 0),
        "name": config["name"],
        "notifications": [*(config.get("notifications") or []), *(trigger.get("notifications") or [])],
        "origin": "api",
        "pipelineConfigId": config["id"],
        "rootId": execution_id,
        "stages": [new_stage(stage, number) for number, stage in enumerate(config.get("stages") or [], 1)],
        "status": "NOT_STARTED",
        "systemNotifications": [],
        "templateVariables": {},
        "trigger": _trigger(config, trigger, user),
        "type": "PIPELINE",
    }
    return body | {key: config[key] for key in _KEPT_AT_TOP if key in config}


def new_stage(given: Mapping[str, Any], number: int, **more: Any) -> dict[str, Any]:
    """All that is not a stage's own key is its context. `more`: the keys of a synthetic stage."""
    return {
        "context": {key: copy.deepcopy(value) for key, value in given.items() if key not in _STAGE_KEYS},
        "id": new_ulid(),
        "name": given.get("name") or given.get("type", ""),
        "outputs": {},
        "refId": str(given.get("refId", number)),
        "requisiteStageRefIds": list(given.get("requisiteStageRefIds") or []),
        "status": "NOT_STARTED",
        "tasks": [],
        "type": given.get("type", ""),
        **more,
    }


def bind_artifacts(execution: Execution, config: Mapping[str, Any]) -> None:
    """Takes the received artifacts into Orca's form and resolves the expected ones. ArtifactError: the trigger stays as
    it was sent, which is how Orca then stores it."""
    trigger = execution["trigger"]
    received = [read_artifact(item) for item in trigger["artifacts"]]
    resolved = resolve(config.get("expectedArtifacts") or [], trigger.get("expectedArtifactIds") or [], received)
    trigger["artifacts"] = received
    trigger["expectedArtifacts"] = resolved
    trigger["resolvedExpectedArtifacts"] = copy.deepcopy(resolved)


def fail_on_startup(execution: Execution, reason: str) -> None:
    """What Orca stores for a run that it would not start; such a run sends no event at all."""
    execution |= {
        "status": "TERMINAL",
        "canceled": True,
        "canceledBy": "system",
        "cancellationReason": f"Failed on startup: {reason}",
    }


def without_details(execution: Mapping[str, Any]) -> Execution:
    """`expand=false`: stages without context, outputs and tasks."""
    stages = [{**stage, "context": {}, "outputs": {}, "tasks": []} for stage in execution["stages"]]
    return {**execution, "stages": stages}


def _trigger(config: Mapping[str, Any], given: Mapping[str, Any], user: str) -> dict[str, Any]:
    defaults = {
        item["name"]: item["default"] for item in config.get("parameterConfig") or [] if item.get("default") is not None
    }
    return {
        "type": "manual",
        "user": user,
        "dryRun": False,
        "rebake": False,
        "strategy": False,
        **copy.deepcopy(dict(given)),
        "parameters": {**defaults, **(given.get("parameters") or {})},
        "notifications": given.get("notifications") or [],
        "artifacts": given.get("artifacts") or [],
        "resolvedExpectedArtifacts": [],
    }
