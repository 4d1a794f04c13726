"""Clouddriver's tasks as Orca keeps them in a stage (`kato.*`), and Orca's monitor of one (deploy-manifest.md 2)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from downwind.local.gate.changes import DeployError
from downwind.local.gate.work import StageFailedError, Work

_POSTED = "Initializing Orchestration Task"
NOTHING: dict[str, Any] = {
    "boundArtifacts": [],
    "createdArtifacts": [],
    "manifestNamesByNamespace": {},
    "manifests": [],
}

KatoTask = dict[str, Any]


def posted(operation: Callable[[], dict[str, Any]], name: str = "DeployKubernetesManifest") -> KatoTask:
    """Clouddriver's task, ended; an operation is posted once, whatever comes of it."""
    try:
        result = operation()
    except DeployError as error:
        exception = {"cause": "KubectlException", "operation": name, "message": str(error), "type": "EXCEPTION"}
        ending = f"Orchestration failed: {name} | JobExecutionException: [{error}]"
        return _task([_POSTED, ending], [exception], exception=exception)
    return _task([_POSTED, "Orchestration completed."], [result])


def monitor(work: Work, task: Mapping[str, Any]) -> None:
    """Takes the operation's outcome into the stage; there is no `exception` in the context for it (recorded)."""
    failed = task["status"]["failed"]
    context = {
        "deploy.server.groups": {},
        "kato.last.task.id": {"id": task["id"]},
        "kato.result.expected": False,
        "kato.task.firstNotFoundRetry": -1,
        "kato.task.lastStatus": "TERMINAL" if failed else "SUCCEEDED",
        "kato.task.notFoundRetryCount": 0,
        "kato.task.terminalRetryCount": 0,
        "kato.tasks": [*work.context.get("kato.tasks", []), dict(task)],
    }
    work.put(**context)
    if failed:
        raise StageFailedError(str(task["exception"]["message"]))


def promote(work: Work, task: Mapping[str, Any]) -> None:
    result = {**NOTHING, **task["resultObjects"][-1]}
    promoted = {f"outputs.{key}": result[key] for key in NOTHING}
    work.put(**promoted, artifacts=result["createdArtifacts"])
    work.put_outputs(**promoted, artifacts=result["createdArtifacts"])


def _task(history: Sequence[str], results: list[dict[str, Any]], **more: Any) -> KatoTask:
    failed = "exception" in more
    return {
        "history": [{"phase": "ORCHESTRATION", "status": status} for status in history],
        "id": str(uuid.uuid4()),
        "outputs": [],
        "resultObjects": results,
        "status": {"completed": True, "failed": failed, "retryable": False},
        **more,
    }
