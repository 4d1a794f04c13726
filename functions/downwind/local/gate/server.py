"""GateServer: one address for everything that people and programs ask Spinnaker, on loopback."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

from downwind.local.cluster import Cluster
from downwind.local.gate import stages
from downwind.local.gate.answers import answer, encoded_slash, firewalled, problem
from downwind.local.gate.applications_api import ApplicationsApi
from downwind.local.gate.clouddriver import Clouddriver
from downwind.local.gate.clusters_api import ClustersApi
from downwind.local.gate.deploy import DeployManifest
from downwind.local.gate.echo import Echo
from downwind.local.gate.executions_api import ExecutionsApi
from downwind.local.gate.operations import Operations
from downwind.local.gate.orca import Orca
from downwind.local.gate.pipelines_api import PipelinesApi
from downwind.local.gate.records import Records
from downwind.local.gate.run import StageHandler
from downwind.local.gate.starts_api import StartsApi
from downwind.local.http import Handler, HttpPart
from downwind.local.kubernetes_api import KubernetesApi
from downwind.local.outbox import Outbox

log = logging.getLogger("downwind.local.gate")

# What Spring Security's firewall refuses in any path: an empty part, an encoded percent sign, backslash, period or semicolon.
_FIREWALL = re.compile(r"//|;|\\\\|%(25|5c|2e|3b|00|0a|0d)", re.IGNORECASE)

# What a real Gate has and this one has not: refused by name, never as if Spinnaker had no such route.
_NOT_HERE = re.compile(
    "(POST /pipelines/move|.* /webhooks/.*|.* /v2/.*|.* /artifacts.*|.* /pubsub/.*|.* /search.*|.* /instances/.*"
    "|.* /projects/.*|.* /roles/.*|.* /pipelineTemplates.*|.* /strategies.*|POST /auth/apiTokens.*|.* /securityGroups/.*"
    "|GET /applications/[^/]+/(clusters|serverGroups|loadBalancers|strategyConfigs|tasks|jobs).*|.* /firewalls/.*"
    "|.* /pipelines/[^/]+/[^/]+/evaluateExpression.*|GET /pipelines/[^/]+/logs|.* /manifests/.*|GET /executions/.+)"
)


class GateServer(HttpPart):
    """`data` survives a kill -9. Echo's events go to `receive_url` through `outbox`, with `echo_secret` as bearer token;
    None: no events. `storage_url`: the Cloud Storage server that gcs/object artifacts come from. `cluster`: None makes one
    under `data`. `account`: the one Kubernetes account; `artifact_account`: the one that reads from Cloud Storage. `echo_poll`:
    seconds between Echo's looks at the saved pipelines. `task_seconds`: the least time of each of a stage's tasks.
    `every_namespace`: of the cluster, as `KubernetesApi` has it."""

    name = "gate"

    def __init__(
        self,
        data: Path,
        *,
        outbox: Outbox,
        storage_url: str,
        port: int = 0,
        receive_url: str | None = None,
        echo_secret: str | None = None,
        cluster: Cluster | None = None,
        account: str = "local",
        artifact_account: str = "gcs",
        echo_poll: float = 0,
        task_seconds: float = 0.02,
        every_namespace: bool = True,
    ) -> None:
        self.cluster = cluster or Cluster(data)
        self._owns_cluster = cluster is None
        self._records = Records(data / "spinnaker.db")
        clouddriver = Clouddriver(self.cluster, account)
        self.operations = clouddriver.operations
        others = Operations(self.cluster, clouddriver, storage_url).handlers()
        handlers: dict[str, StageHandler] = {
            **others,
            "deployManifest": DeployManifest(self.cluster, clouddriver, storage_url, others),
            "manualJudgment": stages.manual_judgment,
            "wait": stages.wait,
            "checkPreconditions": stages.check_preconditions,
            "evaluateVariables": stages.evaluate_variables,
        }
        self.clouddriver = ClustersApi(self.cluster, account, artifact_account, storage_url)
        echo = Echo(outbox, receive_url, echo_secret)
        self._orca = Orca(self._records, echo, handlers, [account], task_seconds)
        self._apis = (
            ExecutionsApi(self._records, self._orca),
            StartsApi(self._records, self._orca, echo, echo_poll),
            PipelinesApi(self._records),
            ApplicationsApi(self._records, account, self.clouddriver.of_application),
            self.clouddriver,
            KubernetesApi(self.cluster, every_namespace=every_namespace),
        )
        super().__init__(port)

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        for api in self._apis:
            yield from api.routes()
        yield ("GET",), "/-/cluster", self._cluster_list
        yield ("GET",), "/-/cluster/<namespace>/<kind>/<name>", self._cluster_object

    def start(self) -> None:
        self._orca.resume_all()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._orca.stop()
        self._records.stop()
        if self._owns_cluster:
            self.cluster.stop()

    def unknown(self, request: Request) -> Response:
        if _NOT_HERE.fullmatch(f"{request.method} {request.path}"):
            return super().unknown(request)
        log.warning("gate: %s %s: Spinnaker has no such route", request.method, request.path)
        try:
            self._map.bind_to_environ(request.environ).match()
        except MethodNotAllowed:
            return problem(request, 405, f"Method '{request.method}' is not supported.")
        except NotFound:
            pass
        return problem(request, 404, f"No static resource {request.path.removeprefix('/')}.")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raw_path = str(environ.get("RAW_URI", "")).partition("?")[0]
        if "%2f" in raw_path.lower():
            return encoded_slash()(environ, start_response)
        if _FIREWALL.search(raw_path):
            return firewalled()(environ, start_response)
        return super().__call__(environ, start_response)

    def _cluster_list(self, request: Request) -> Response:
        """All objects, or those of `?namespace=` and `?kind=`."""
        return answer({"items": self.cluster.list(request.args.get("namespace"), request.args.get("kind"))})

    def _cluster_object(self, _request: Request, namespace: str, kind: str, name: str) -> Response:
        found = self.cluster.get(namespace, kind, name)
        if found is None:
            return answer({"message": f'{kind} "{name}" not found in {namespace}', "status": 404}, 404)
        return answer(found)
