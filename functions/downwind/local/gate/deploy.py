"""The deployManifest stage: Orca's nine tasks around two operations of Clouddriver (deploy-manifest.md 2 and 3), and, with a
traffic strategy, the stages after it that take the traffic from what was there before (7)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure
from downwind.local.gate.clouddriver import CLUSTER, Clouddriver, DeployError, full_name
from downwind.local.gate.executions import new_stage
from downwind.local.gate.manifests import required_artifacts, resolve_manifests, trigger_artifacts
from downwind.local.gate.traffic import detach
from downwind.local.gate.work import StageFailedError, Work, failed_task

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
_DISABLE = (
    ("resolveTargetManifest", f"{_MANIFEST}.ResolveTargetManifestTask"),
    ("disableManifest", f"{_MANIFEST}.DisableManifestTask"),
    ("monitorDisable", "clouddriver.tasks.MonitorKatoTask"),
    ("waitForManifestToStabilize", f"{_MANIFEST}.WaitForManifestStableTask"),
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
            monitor(work, task)
        result = task["resultObjects"][-1]
        promoted = {f"outputs.{key}": value for key, value in result.items()}
        with work.task():
            work.put(**promoted, artifacts=result["createdArtifacts"])
            work.put_outputs(**promoted, artifacts=result["createdArtifacts"])
        with work.task():
            self._stabilize(work, result["manifests"])
        with work.task():
            cleanup = kato_task([dict(_NOTHING)])
        with work.task():
            monitor(work, cleanup)
        with work.task():
            pass  # promoteOutputs of an operation that cleaned nothing up
        with work.task():
            pass  # bindProducedArtifacts: none is expected
        self._take_traffic(work, result["manifests"])

    def _take_traffic(self, work: Work, manifests: Sequence[Mapping[str, Any]]) -> None:
        """One synthetic stage for each older ReplicaSet of the cluster, `<refId>>1` and so on, one after another."""
        strategy = strategy_of(work.context)
        if strategy is None:
            return
        if strategy not in {"bluegreen", "redblack"}:
            text = f"the local world knows the traffic strategies bluegreen and redblack only, not {strategy}"
            raise failed_task(text, "UnsupportedOperationException", "deployManifest")
        number = 0
        for new in manifests:
            if new.get("kind") != "ReplicaSet":
                continue
            for old in self._cluster.list(new["metadata"].get("namespace"), "ReplicaSet"):
                if _cluster_of(old) == _cluster_of(new) and old["metadata"]["name"] != new["metadata"]["name"]:
                    number += 1
                    child = work.add_stage(_disable_stage(work, number, old))
                    child.play(self.disable)
                    if child.stage["status"] != "SUCCEEDED":
                        raise StageFailedError("the old one keeps its traffic", status=child.stage["status"])

    def disable(self, work: Work) -> None:
        """The handler of disableManifest."""
        work.plan(_DISABLE)
        kind, _, name = str(work.context.get("manifestName", "")).partition(" ")
        namespace = str(work.context.get("location", ""))
        with work.task():
            live = self._cluster.get(namespace, kind[:1].upper() + kind[1:], name)
            if live is None:
                raise failed_task(
                    f"no {kind} {name} in {namespace}", "IllegalArgumentException", "resolveTargetManifest"
                )
            work.put(**{"manifest.name": f"{kind} {name}", "manifest.location": namespace})
            work.put(**{"manifest.account.name": work.context.get("account")})
        with work.task():
            detach(live, self._cluster)
            named = {"manifestNamesByNamespace": {namespace: [f"{kind} {name}"]}}
            task = kato_task([{**_NOTHING, **named}])
        with work.task():
            monitor(work, task)
            work.put(**{"outputs.manifestNamesByNamespace": named["manifestNamesByNamespace"]})
        with work.task():
            stable = [{"location": namespace, "manifestName": f"{kind} {name}"}]
            work.put(stableManifests=stable, failedManifests=[], messages=[])

    def _post(self, work: Work) -> dict[str, Any]:
        """Clouddriver's task, ended; an operation is posted once, whatever comes of it."""
        context = work.context
        work.put(**{"deploy.account.name": context.get("account"), "kato.result.expected": True})
        try:
            result = self._clouddriver.deploy(work.run.document["application"], context)
        except DeployError as error:
            return refused_task(error)
        return kato_task([result])

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


def strategy_of(context: Mapping[str, Any]) -> str | None:
    """The traffic strategy that the stage asks for, but `none`."""
    management = context.get("trafficManagement") or {}
    strategy = (management.get("options") or {}).get("strategy", "none") if management.get("enabled") else "none"
    return None if strategy == "none" else str(strategy)


def _cluster_of(manifest: Mapping[str, Any]) -> Any:
    return (manifest["metadata"].get("annotations") or {}).get(CLUSTER)


def _disable_stage(work: Work, number: int, old: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        "refId": f"{work.stage['refId']}>{number}",
        "type": "disableManifest",
        "name": "disableManifest",
        "account": work.context.get("account"),
        "app": work.run.document["application"],
        "cloudProvider": "kubernetes",
        "location": old["metadata"].get("namespace"),
        "manifestName": full_name(old),
    }
    return new_stage(given, number, parentStageId=work.stage["id"], syntheticStageOwner="STAGE_AFTER")


def refused_task(error: DeployError) -> dict[str, Any]:
    """Clouddriver's task that ended with this."""
    exception = {"cause": "KubectlException", "operation": "DeployKubernetesManifest"}
    exception |= {"message": str(error), "type": "EXCEPTION"}
    ending = f"Orchestration failed: DeployKubernetesManifest | JobExecutionException: [{error}]"
    return kato_task([exception], ending, exception=exception)


def kato_task(results: list[dict[str, Any]], ending: str = "Orchestration completed.", **more: Any) -> dict[str, Any]:
    """Clouddriver's task, ended; `exception` among `more`: as a failure."""
    failed = "exception" in more
    return {
        "history": [{"phase": "ORCHESTRATION", "status": status} for status in (_POSTED, ending)],
        "id": str(uuid.uuid4()),
        "outputs": [],
        "resultObjects": results,
        "status": {"completed": True, "failed": failed, "retryable": False},
        **more,
    }


def monitor(work: Work, task: Mapping[str, Any]) -> None:
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
