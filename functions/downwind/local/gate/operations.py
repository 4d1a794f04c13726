"""The stages that post one operation for one object: scale, enable, disable, delete, patch, restart, undo, find artifacts, jobs.

Tasks, contexts and operations as recorded (deploy-manifest.md 7); what Clouddriver then does to the object is read from its
source. `undoRolloutManifest` fails here: the local cluster keeps no revisions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure, images
from downwind.local.gate import changes
from downwind.local.gate.changes import DeployError, full_name
from downwind.local.gate.clouddriver import Clouddriver
from downwind.local.gate.executions import now
from downwind.local.gate.kato import NOTHING, KatoTask, monitor, posted, promote
from downwind.local.gate.manifests import required_artifacts, resolve_manifests, trigger_artifacts
from downwind.local.gate.run import StageHandler
from downwind.local.gate.traffic import disable, enable
from downwind.local.gate.work import StageFailedError, Work, failed_task

_MANIFEST = "clouddriver.tasks.manifest"
_MONITOR = "clouddriver.tasks.MonitorKatoTask"
_RESOLVE = ("resolveTargetManifest", f"{_MANIFEST}.ResolveTargetManifestTask")
_STABLE = ("waitForManifestToStabilize", f"{_MANIFEST}.WaitForManifestStableTask")
_PROMOTE = ("promoteOutputs", f"{_MANIFEST}.PromoteManifestKatoOutputsTask")
_BIND = ("bindProducedArtifacts", "pipeline.tasks.artifacts.BindProducedArtifactsTask")
_DONE = {"exitCode": "0", "message": "", "reason": "Completed", "signal": ""}

Change = Callable[[dict[str, Any]], None]


class Operations:
    def __init__(self, cluster: Cluster, clouddriver: Clouddriver, storage_url: str) -> None:
        self._cluster = cluster
        self._clouddriver = clouddriver
        self._storage_url = storage_url

    def handlers(self) -> Mapping[str, StageHandler]:
        return {
            "scaleManifest": self._changing("scale", changes.scale),
            "enableManifest": self._changing("enable", lambda item, _: enable(item, self._cluster)),
            "disableManifest": self._changing("disable", lambda item, _: disable(item, self._cluster)),
            "rollingRestartManifest": self._changing("rollingRestart", changes.restart, resolve=False, stable=False),
            "undoRolloutManifest": self._changing("undoRollout", changes.undo, resolve=False),
            "deleteManifest": self.delete,
            "patchManifest": self.patch,
            "findArtifactsFromResource": self.find_artifacts,
            "runJob": self.run_job,
            "runJobManifest": self.run_job,
        }

    def _changing(
        self,
        verb: str,
        change: Callable[[dict[str, Any], Mapping[str, Any]], None],
        *,
        resolve: bool = True,
        stable: bool = True,
    ) -> StageHandler:
        """`verb`Manifest of one named object."""
        title = verb[:1].upper() + verb[1:]
        tasks = [
            *([_RESOLVE] if resolve else []),
            (f"{verb}Manifest", f"{_MANIFEST}.{title}ManifestTask"),
            (f"monitor{title}", _MONITOR),
            *([_STABLE] if stable else []),
        ]

        def handle(work: Work) -> None:
            work.plan(tasks)
            if resolve:
                with work.task():
                    self._resolve(work)
            location, name = str(work.context.get("location")), str(work.context.get("manifestName"))
            with work.task():
                task = self._post(work, f"{verb}Manifest", lambda: self._change(location, name, change, work.context))
                names = {location: [name]}
                work.put(**{"manifest.account.name": work.context.get("account"), "manifest.location": location})
                work.put(**{"manifest.name": name, "outputs.manifestNamesByNamespace": names})
            with work.task():
                monitor(work, task)
            if stable:
                with work.task():
                    self._stabilize(work, location, name)

        return handle

    def delete(self, work: Work) -> None:
        """One object, the one that a criterion names in its cluster, or all of some kinds that bear labels."""
        last = [("deleteManifest", f"{_MANIFEST}.DeleteManifestTask"), ("monitorDelete", _MONITOR), _PROMOTE]
        work.plan([_RESOLVE, *last])
        with work.task():
            self._resolve(work)
        with work.task():
            work.put(**{"deploy.account.name": work.context.get("account")})
            task = self._post(work, "deleteManifest", lambda: self._delete(work.context))
        with work.task():
            monitor(work, task)
        with work.task():
            promote(work, task)

    def patch(self, work: Work) -> None:
        tasks = [_RESOLVE, ("resolvePatchSourceManifest", f"{_MANIFEST}.ResolvePatchSourceManifestTask")]
        tasks += [("patchManifest", f"{_MANIFEST}.PatchManifestTask"), ("monitorPatch", _MONITOR)]
        work.plan([*tasks, _PROMOTE, _STABLE, _BIND])
        location, name = str(work.context.get("location")), str(work.context.get("manifestName"))
        with work.task():
            self._resolve(work)
        with work.task():
            body = work.context.get("patchBody") or []
            found = {
                "manifests": body,
                "requiredArtifacts": required_artifacts(work),
                "allArtifacts": trigger_artifacts(work),
            }
            work.put(**found)
            work.put_outputs(**found)
        with work.task():
            work.put(**{"deploy.account.name": work.context.get("account")})
            asked = {**work.context, "patchBody": body[0] if body else {}}
            task = self._post(work, "patchManifest", lambda: self._change(location, name, changes.patch, asked), asked)
        with work.task():
            monitor(work, task)
        with work.task():
            promote(work, task)
        with work.task():
            self._stabilize(work, location, name)
        with work.task():
            pass

    def find_artifacts(self, work: Work) -> None:
        find = ("findArtifactsFromResource", "clouddriver.tasks.artifacts.FindArtifactsFromResourceTask")
        work.plan([_RESOLVE, find, _BIND])
        with work.task():
            self._resolve(work)
        with work.task():
            live = self._live(str(work.context.get("location")), str(work.context.get("manifestName")))
            artifacts = [
                {
                    "customKind": False,
                    "metadata": {},
                    "name": changes.image_name(image),
                    "reference": image,
                    "type": "docker/image",
                }
                for image in images(live)
            ]
            work.put(manifest=live, artifacts=artifacts)
            work.put_outputs(manifest=live, artifacts=artifacts)
        with work.task():
            pass

    def run_job(self, work: Work) -> None:
        """One Job, applied and waited for; a failed one is destroyed by a second operation."""
        job = "clouddriver.tasks.job"
        tasks = [("runJob", f"{job}.RunJobTask"), ("monitorDeploy", f"{job}.MonitorJobTask"), _PROMOTE]
        work.plan([*tasks, ("waitOnJobCompletion", f"{job}.WaitOnJobCompletion")])
        with work.task():
            if work.context.get("source") == "artifact":
                manifests = resolve_manifests(work, self._storage_url)
            else:
                manifests = [work.context["manifest"]] if work.context.get("manifest") else []
            if len(manifests) != 1:
                text = "Run Job only supports manifests with a single Job."
                raise failed_task(text, "IllegalArgumentException", "runJob")
            if manifests[0].get("kind") != "Job":
                raise failed_task(
                    "Only kind of Job is accepted for the Run Job operation.", "IllegalArgumentException", "runJob"
                )
            application = work.run.document["application"]
            asked = {**work.context, "manifest": manifests[0], "application": application}
            asked |= {"requiredArtifacts": required_artifacts(work), "optionalArtifacts": trigger_artifacts(work)}
            task = self._post(work, "runJob", lambda: self._clouddriver.run_job(application, asked), asked)
            work.put(**{"deploy.account.name": work.context.get("account"), "notification.type": "runjob"})
            names = task["resultObjects"][-1].get("deployedNamesByLocation", {})
            work.put(**{"application": application, "deploy.jobs": names})
        with work.task():
            monitor(work, task)
        with work.task():
            promote(work, task)
        with work.task():
            self._wait_for_job(work, work.context["deploy.jobs"])

    def _wait_for_job(self, work: Work, names: Mapping[str, Sequence[str]]) -> None:
        ((location, (name,)),) = names.items()
        live = self._live(location, name)
        broken = failure(live)
        status: dict[str, Any] = {
            "account": work.context.get("account"),
            "completionDetails": _DONE,
            "createdTime": now(),
            "jobState": "Failed" if broken else "Succeeded",
            "location": location,
            "name": name,
            "pods": [],
            "provider": "kubernetes",
        }
        work.put(jobStatus=status, completionDetails=_DONE)
        if broken:
            self._post(work, "destroyJob", lambda: self._delete({"location": location, "manifestName": name}))
            raise failed_task(f"Job: '{name}' failed.", "JobFailedException", "waitOnJobCompletion")
        work.put_outputs(jobStatus=status, completionDetails=_DONE)

    def _post(
        self, work: Work, name: str, operation: Callable[[], dict[str, Any]], asked: Mapping[str, Any] | None = None
    ) -> KatoTask:
        """The operation's body is the stage's context; the account is Clouddriver's to know."""
        self._clouddriver.take(name, asked or work.context)
        return posted(lambda: self._clouddriver.of_account(work.context.get("account"), operation), name)

    def _resolve(self, work: Work) -> None:
        if work.context.get("mode") != "dynamic":
            return
        cluster, criteria = str(work.context.get("cluster")), str(work.context.get("criteria"))
        found = self._clouddriver.by_criteria(str(work.context.get("location")), cluster, criteria)
        if found is None:
            raise failed_task(f"No manifest of {cluster} fits {criteria}", "IllegalArgumentException", _RESOLVE[0])
        work.put(manifestName=found)
        work.put_outputs(manifestName=found)

    def _live(self, location: str, name: str) -> dict[str, Any]:
        found = self._clouddriver.find(location, name)
        if found is None:
            raise failed_task(f"Manifest {name} not found in {location}", "NotFoundException", "resolveTargetManifest")
        return found

    def _change(
        self,
        location: str,
        name: str,
        change: Callable[[dict[str, Any], Mapping[str, Any]], None],
        context: Mapping[str, Any],
    ) -> dict[str, Any]:
        self._clouddriver.change(location, name, lambda item: change(item, context))
        return {**NOTHING, "manifestNamesByNamespace": {location: [name]}}

    def _delete(self, context: Mapping[str, Any]) -> dict[str, Any]:
        location = str(context.get("location"))
        if context.get("mode") == "label":
            kinds = {str(kind).lower() for kind in context.get("kinds") or []}
            found = [
                item
                for item in self._cluster.list(location)
                if item["kind"].lower() in kinds and changes.selected(item, context.get("labelSelectors") or {})
            ]
        else:
            one = self._clouddriver.find(location, str(context.get("manifestName")))
            if one is None:
                raise DeployError(f"{context.get('manifestName')} is not in {location}")
            found = [one]
        for item in found:
            self._clouddriver.remove(item)
        names = {location: [full_name(item) for item in found]} if found else {}
        return {**NOTHING, "manifestNamesByNamespace": names}

    def _stabilize(self, work: Work, location: str, name: str) -> None:
        where = {"location": location, "manifestName": name}
        live = self._clouddriver.find(location, name)
        reason = failure(live) if live else "it is not there any more"
        messages = [f"'{name}' in '{location}' for account {work.context.get('account')}: {reason}"] if reason else []
        work.put(
            stableManifests=[] if reason else [where], failedManifests=[where] if reason else [], messages=messages
        )
        if reason:
            raise StageFailedError(messages[0], {"exception": {"details": {"errors": messages}}})
