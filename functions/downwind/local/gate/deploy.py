"""The deployManifest stage: Orca's nine tasks around two operations of Clouddriver (deploy-manifest.md 2 and 3)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure
from downwind.local.gate.clouddriver import Clouddriver, DeployError, full_name
from downwind.local.gate.manifests import required_artifacts, resolve_manifests, trigger_artifacts
from downwind.local.gate.work import StageFailedError, Work

_MANIFEST = "clouddriver.tasks.manifest"
_TASKS = (
    ("resolveDeploySourceManifest", f"{_MANIFEST}.ResolveDeploySourceManifestTask"),
    ("deployManifest", f"{_MANIFEST}.DeployManifestTask"),
    ("monitorDeploy", f"{_MANIFEST}.MonitorDeployManifestTask"),
    ("promoteOutputs", f"{_MANIFEST}.PromoteManifestKatoOutputsTask"),
    ("waitForManifestToStabilize", f"{_MANIFEST}.WaitForManifestStableTask"),
    ("cleanupArtifacts", "clouddriver.tasks.artifacts.CleanupArtifactsTask"),
    ("monitorCleanup", "clouddriver.tasks.MonitorKatoTask"),
    ("promoteOutputs", f"{_MANIFEST}.PromoteManifestKatoOutputsTask"),
    ("bindProducedArtifacts", "pipeline.tasks.artifacts.BindProducedArtifactsTask"),
)
_POSTED = "Initializing Orchestration Task"
_NOTHING: dict[str, Any] = {
    "boundArtifacts": [],
    "createdArtifacts": [],
    "manifestNamesByNamespace": {},
    "manifests": [],
}


class DeployManifest:
    """A stage handler. `storage_url`: where gcs/object artifacts are fetched."""

    def __init__(self, cluster: Cluster, account: str, storage_url: str) -> None:
        self._cluster = cluster
        self._clouddriver = Clouddriver(cluster, account)
        self._storage_url = storage_url

    def __call__(self, work: Work) -> None:
        work.plan(_TASKS)
        with work.task():
            resolved = {
                "manifests": resolve_manifests(work, self._storage_url),
                "requiredArtifacts": required_artifacts(work),
                "optionalArtifacts": trigger_artifacts(work),
            }
            work.put(**resolved)
            work.put_outputs(**resolved)
        with work.task():
            task = self._post(work)
        with work.task():
            _monitor(work, task)
        result = task["resultObjects"][-1]
        promoted = {f"outputs.{key}": value for key, value in result.items()}
        with work.task():
            work.put(**promoted, artifacts=result["createdArtifacts"])
            work.put_outputs(**promoted, artifacts=result["createdArtifacts"])
        with work.task():
            self._stabilize(work, result["manifests"])
        with work.task():
            cleanup = _kato_task([_POSTED, "Orchestration completed."], [dict(_NOTHING)])
        with work.task():
            _monitor(work, cleanup)
        with work.task():
            pass  # promoteOutputs of an operation that cleaned nothing up
        with work.task():
            pass  # bindProducedArtifacts: none is expected

    def _post(self, work: Work) -> dict[str, Any]:
        """Clouddriver's task, ended; an operation is posted once, whatever comes of it."""
        context = work.context
        work.put(**{"deploy.account.name": context.get("account"), "kato.result.expected": True})
        try:
            result = self._clouddriver.deploy(work.run.document["application"], context)
        except DeployError as error:
            exception = {"cause": "KubectlException", "operation": "DeployKubernetesManifest"}
            exception |= {"message": str(error), "type": "EXCEPTION"}
            ending = f"Orchestration failed: DeployKubernetesManifest | JobExecutionException: [{error}]"
            return _kato_task([_POSTED, ending], [exception], exception=exception)
        return _kato_task([_POSTED, "Orchestration completed."], [result])

    def _stabilize(self, work: Work, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Everything is stable at once, or failed for good: the local cluster knows nothing between."""
        stable: list[dict[str, str]] = []
        failed: list[dict[str, str]] = []
        messages: list[str] = []
        for manifest in manifests:
            namespace = str(manifest["metadata"].get("namespace") or "default")
            where = {"location": namespace, "manifestName": full_name(manifest)}
            live = self._cluster.get(namespace, manifest["kind"], manifest["metadata"]["name"])
            reason = failure(live) if live else "it is not there any more"
            (failed if reason else stable).append(where)
            if reason:
                account = work.context["account"]
                messages.append(f"'{where['manifestName']}' in '{namespace}' for account {account}: {reason}")
        work.put(stableManifests=stable, failedManifests=failed, messages=messages)
        if failed:
            raise StageFailedError(messages[0], {"exception": {"details": {"errors": messages}}})


def _kato_task(history: Sequence[str], results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    failed = "exception" in more
    return {
        "history": [{"phase": "ORCHESTRATION", "status": status} for status in history],
        "id": str(uuid.uuid4()),
        "outputs": [],
        "resultObjects": results,
        "status": {"completed": True, "failed": failed, "retryable": False},
        **more,
    }


def _monitor(work: Work, task: Mapping[str, Any]) -> None:
    """Takes the operation's outcome into the stage; there is no `exception` in the context for it (recorded)."""
    failed = task["status"]["failed"]
    context = {
        "kato.last.task.id": {"id": task["id"]},
        "kato.task.lastStatus": "TERMINAL" if failed else "SUCCEEDED",
        "kato.task.notFoundRetryCount": 0,
        "kato.task.terminalRetryCount": 0,
        "kato.tasks": [*work.context.get("kato.tasks", []), dict(task)],
    }
    work.put(**context)
    if failed:
        raise StageFailedError(str(task["exception"]["message"]))
