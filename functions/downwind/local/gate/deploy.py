"""The deployManifest stage: Orca's nine tasks around two operations of Clouddriver (deploy-manifest.md 2 and 3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure
from downwind.local.gate.changes import full_name
from downwind.local.gate.clouddriver import Clouddriver
from downwind.local.gate.executions import new_stage
from downwind.local.gate.kato import NOTHING, monitor, posted, promote
from downwind.local.gate.manifests import required_artifacts, resolve_manifests, trigger_artifacts
from downwind.local.gate.run import StageHandler
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
_STRATEGIES = {"bluegreen": "BLUE_GREEN", "redblack": "RED_BLACK", "highlander": "HIGHLANDER"}


class DeployManifest:
    """A stage handler. `storage_url`: where gcs/object artifacts are fetched."""

    def __init__(
        self, cluster: Cluster, clouddriver: Clouddriver, storage_url: str, others: Mapping[str, StageHandler]
    ) -> None:
        self._cluster = cluster
        self._clouddriver = clouddriver
        self._storage_url = storage_url
        self._others = others

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
            work.put(**{"deploy.account.name": work.context.get("account")})
            asked = {**work.context, **_traffic(work.context)}
            self._clouddriver.take("deployManifest", asked)
            application = work.run.document["application"]
            task = posted(lambda: self._clouddriver.deploy(application, asked))
        with work.task():
            monitor(work, task)
        result = task["resultObjects"][-1]
        with work.task():
            promote(work, task)
        with work.task():
            self._stabilize(work, result["manifests"])
        with work.task():
            body = {"account": work.context["account"], "manifests": result["manifests"]}
            self._clouddriver.take("cleanupArtifacts", body)
            cleanup = posted(lambda: dict(NOTHING))
        with work.task():
            monitor(work, cleanup)
        with work.task():
            pass  # promoteOutputs of an operation that cleaned nothing up
        with work.task():
            pass  # bindProducedArtifacts: none is expected
        self._retire(work, result["manifests"])

    def _retire(self, work: Work, manifests: Sequence[Mapping[str, Any]]) -> None:
        """The strategy's own stages behind this one: what was in the cluster of a deployed ReplicaSet is disabled, or deleted
        where it never became ready; highlander deletes it too."""
        strategy = str((_options(work.context) or {}).get("strategy", "none")).lower()
        if strategy not in _STRATEGIES:
            return
        number = 0
        for manifest in manifests:
            if manifest.get("kind") != "ReplicaSet":
                continue
            namespace = str(manifest["metadata"].get("namespace") or "default")
            for old in self._clouddriver.others_in_cluster(namespace, manifest):
                broken = failure(old) is not None
                for kind in ["deleteManifest"] if broken else ["disableManifest"]:
                    number += 1
                    self._after(work, number, kind, namespace, full_name(old))
                if strategy == "highlander" and not broken:
                    number += 1
                    self._after(work, number, "deleteManifest", namespace, full_name(old))

    def _after(self, work: Work, number: int, kind: str, namespace: str, name: str) -> None:
        given = {
            "account": work.context["account"],
            "app": work.run.document["application"],
            "cloudProvider": "kubernetes",
            "location": namespace,
            "manifestName": name,
            "refId": f"{work.stage['refId']}>{number}",
            "requisiteStageRefIds": [f"{work.stage['refId']}>{number - 1}"] if number > 1 else [],
            "type": kind,
        }
        owner = {"parentStageId": work.stage["id"], "syntheticStageOwner": "STAGE_AFTER"}
        child = work.add_stage(new_stage(given, number, **owner))
        child.play(self._others[kind])
        if child.stage["status"] != "SUCCEEDED":
            raise StageFailedError(f"{kind} {name} failed", status=child.stage["status"])

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


def _options(context: Mapping[str, Any]) -> Mapping[str, Any] | None:
    management = context.get("trafficManagement") or {}
    return (management.get("options") or {}) if management.get("enabled") else None


def _traffic(context: Mapping[str, Any]) -> dict[str, Any]:
    """What Orca adds to the operation for a stage that manages traffic."""
    options = _options(context)
    if options is None:
        return {"enableTraffic": True}
    found = {"services": options.get("services") or [], "enableTraffic": bool(options.get("enableTraffic"))}
    strategy = _STRATEGIES.get(str(options.get("strategy")).lower())
    return {**found, **({"strategy": strategy} if strategy else {})}
