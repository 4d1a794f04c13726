"""The runJobManifest stage: Orca's four tasks around Clouddriver's runJob, which deploys one Job anew (deploy-manifest.md 7)."""

from collections.abc import Mapping
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure
from downwind.local.gate.clouddriver import Clouddriver, DeployError, full_name
from downwind.local.gate.deploy import kato_task, monitor, refused_task
from downwind.local.gate.executions import now
from downwind.local.gate.manifests import required_artifacts, resolve_manifests, trigger_artifacts
from downwind.local.gate.work import Work, failed_task

_TASKS = (
    ("runJob", "clouddriver.tasks.job.RunJobTask"),
    ("monitorDeploy", "clouddriver.tasks.job.MonitorJobTask"),
    ("promoteOutputs", "clouddriver.tasks.manifest.PromoteManifestKatoOutputsTask"),
    ("waitOnJobCompletion", "clouddriver.tasks.job.WaitOnJobCompletion"),
)


class RunJob:
    """A stage handler, for runJobManifest (which says `alias: runJob`) and runJob. A Job of that name that is there is
    deleted first: Clouddriver gives every Job of this stage the strategy recreate."""

    def __init__(self, cluster: Cluster, account: str, storage_url: str) -> None:
        self._cluster = cluster
        self._clouddriver = Clouddriver(cluster, account)
        self._storage_url = storage_url

    def __call__(self, work: Work) -> None:
        work.plan(_TASKS)
        with work.task():
            task = self._post(work)
        with work.task():
            monitor(work, task)
        result = task["resultObjects"][-1]
        promoted = {f"outputs.{key}": value for key, value in result.items()}
        with work.task():
            work.put(**promoted, artifacts=result["createdArtifacts"])
            work.put_outputs(**promoted, artifacts=result["createdArtifacts"])
        (job,) = result["manifests"]
        namespace = str(job["metadata"].get("namespace") or "default")
        work.put(**{"deploy.jobs": {namespace: [full_name(job)]}})
        with work.task():
            self._wait(work, namespace, job)

    def _post(self, work: Work) -> dict[str, Any]:
        context = work.context
        inline = context.get("manifest")
        manifests = resolve_manifests(work, self._storage_url) if context.get("source") == "artifact" else [inline]
        if len(manifests) != 1 or not isinstance(manifests[0], dict):
            text = "Run Job only supports manifests with a single Job."
            raise failed_task(text, "IllegalArgumentException", "runJob")
        if manifests[0].get("kind") != "Job":
            text = "Only kind of Job is accepted for the Run Job operation."
            raise failed_task(text, "IllegalArgumentException", "runJob")
        work.put(**{"deploy.account.name": context.get("account"), "kato.result.expected": False})
        operation = {
            **context,
            "manifests": manifests,
            "requiredArtifacts": required_artifacts(work),
            "optionalArtifacts": trigger_artifacts(work),
        }
        try:
            return kato_task([self._clouddriver.deploy(work.run.document["application"], operation, recreate=True)])
        except DeployError as error:
            return refused_task(error)

    def _wait(self, work: Work, namespace: str, job: Mapping[str, Any]) -> None:
        """A job of the local cluster is over at once."""
        live = self._cluster.get(namespace, "Job", job["metadata"]["name"])
        broken = failure(live) if live else "it is not there any more"
        details = {"exitCode": "1" if broken else "0", "message": broken or "", "signal": ""}
        details["reason"] = "Error" if broken else "Completed"
        status: dict[str, Any] = {
            "account": work.context.get("account"),
            "completionDetails": details,
            "createdTime": now(),
            "jobState": "Failed" if broken else "Succeeded",
            "location": namespace,
            "name": full_name(job),
            "pods": [],
            "provider": "kubernetes",
        }
        work.put(jobStatus=status, completionDetails=details)
        if broken:
            raise failed_task(f"Job: '{full_name(job)}' failed.", "JobFailedException", "waitOnJobCompletion")
        work.put_outputs(jobStatus=status, completionDetails=details)
