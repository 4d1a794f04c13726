"""Puts together what the engine asks beside Google: the cluster, Gate, the catalog. Each at its first use."""

import contextlib
import dataclasses
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.gate import CatalogCalls, Gate, GateCalls
from downwind.bootstrap.kinds.objects import COPY_OF, METADATA
from downwind.bootstrap.kinds.pins import read_versions
from downwind.bootstrap.kubernetes import KubernetesCalls, locate
from downwind.bootstrap.programs import forwarded
from downwind.bootstrap.values import Values
from downwind.bootstrap.write import Request
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.perform.world import World
from downwind.ports import Trigger
from downwind.settings import Settings

RELEASE, SERVICE, PORT = "spinnaker", "spinnaker-gate", 8084
_SILENT = 20.0
"""Seconds in which a way that did not open is not tried again: every pipeline asks for it, one after the other."""
COPY = "downwind-gate"
"""The copy of Gate's password in the cluster (infra/wanted/copies.yaml)."""
Way = Callable[[], contextlib.AbstractContextManager[str]]


def join(
    cloud: Cloud,
    values: Values,
    ways: contextlib.ExitStack,
    environment: Mapping[str, str],
    *,
    gate: str | None = None,
    world: Callable[[], World] | None = None,
) -> Cloud:
    """The cloud with its others. `ways` ends what was opened to get to Gate. `gate`: its address from here; None: the
    configuration's, or by kubectl where Spinnaker is installed by us. `world`: another one than the installation's."""
    cloud.others["kubernetes"] = KubernetesCalls(cloud, lambda: locate(values, cloud, environment))

    def way() -> contextlib.AbstractContextManager[str]:
        return forwarded(values, cloud, environment, SERVICE, PORT)

    reach = GateReach(cloud, values, ways, way, gate)
    cloud.others["gate"] = GateCalls(reach)
    cloud.others["catalog"] = CatalogCalls(world or (lambda: make_catalog_world(values, cloud, ways)))
    return cloud


class GateReach:
    """Callable: Gate, or None while the one that we install does not answer yet."""

    def __init__(
        self,
        cloud: Cloud,
        values: Values,
        ways: contextlib.ExitStack,
        way: Way,
        address: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cloud = cloud
        self._values = values
        self._ways = ways
        self._way = way
        self._address = address
        self._lock = threading.Lock()
        self._clock = clock
        self._found: Gate | None = None
        self._failed: tuple[float, TransientError] | None = None

    def __call__(self) -> Gate | None:
        with self._lock:
            if self._failed is not None and self._clock() - self._failed[0] < _SILENT:
                raise self._failed[1]
            if self._found is None:
                try:
                    self._found = self._made() if self._there() else None
                except TransientError as error:
                    self._failed = (self._clock(), error)
                    raise
            return self._found

    @property
    def _installed(self) -> bool:
        return bool(self._values.config["spinnaker"]["install"])

    def _there(self) -> bool:
        if not self._installed:
            return True
        found = self._cluster(f"apis/apps/v1/namespaces/{self._namespace}/deployments/{SERVICE}")
        return bool(found and (found.get("status") or {}).get("availableReplicas"))

    @property
    def _namespace(self) -> str:
        return str(self._values.config["spinnaker"]["namespace"])

    def _cluster(self, path: str) -> Any:
        return self._cloud.read(Request(api="kubernetes", path=path))

    def _made(self) -> Gate:
        from downwind.adapters.gate import GatePipelines
        from downwind.adapters.gate_client import GateClient
        from downwind.adapters.gate_spinnaker import GateSpinnaker

        address = self._address
        if address is None and self._installed:
            address = self._ways.enter_context(self._way())
        url, headers = address or self._values.config["spinnaker"]["gate"], self._headers()
        client = GateClient(url, headers=lambda: headers)
        self._ways.callback(client.close)
        pipelines = GatePipelines(url, headers=lambda: headers)
        self._ways.callback(pipelines.close)
        return Gate(address=url, pipelines=pipelines, spinnaker=GateSpinnaker(client))

    def _headers(self) -> dict[str, str]:
        """Of the Gate that we installed its own user: the one that functions are too, or, where they have a token, the one whose
        password only the cluster has. Else the configuration's token."""
        if self._values.gate_made:
            name = f"{self._values.name}-gate"
            return {"Authorization": f"Basic {b64encode(self._secret(name, self._copied(name))).decode()}"}
        if self._installed:
            secret = self._cluster(f"api/v1/namespaces/{self._namespace}/secrets/{SERVICE}")
            if secret is not None:
                password = b64decode(secret["data"]["password"]).decode()
                return {"Authorization": f"Basic {b64encode(f'downwind:{password}'.encode()).decode()}"}
        name = self._values.config["spinnaker"]["tokenSecret"]
        if name is None:
            return {}
        return {"Authorization": f"Bearer {self._secret(name).decode()}"}

    def _copied(self, name: str) -> str | None:
        """The version that Gate was given: while a new one is there and not applied, Gate knows the one before."""
        path = f"api/v1/namespaces/{self._namespace}/secrets/{COPY}"
        found = self._cloud.read(Request(api="kubernetes", path=path, accept=METADATA))
        copied = (((found or {}).get("metadata") or {}).get("annotations") or {}).get(COPY_OF, "")
        secret, _, version = copied.partition("/versions/")
        return version if secret == name and version else None

    def _secret(self, name: str, version: str | None = None) -> bytes:
        """Its newest version that is enabled, unless one is said."""
        secret = f"projects/{self._values.project}/secrets/{name}"
        number = version or read_versions(self._cloud, secret).newest
        path = f"v1/{secret}/versions/{number}:access"
        try:
            found = self._cloud.read(Request(api="secretmanager", path=path)) if number else None
        except Refused as error:
            if version is None:
                raise
            restart = f"kubectl --namespace={self._namespace} rollout restart deployment/{SERVICE}"
            raise Misconfigured(  # it was disabled or destroyed, and only apply can bring Gate another one
                f"Gate was given version {version} of secret {name}, which cannot be read any more",
                fix=f"apply gives it the newest that is enabled; then {restart}",
            ) from error
        if found is None:
            raise Misconfigured(f"secret {name} is empty, and Gate is called with it", fix="put Gate's token into it")
        return b64decode(found["payload"]["data"]).strip()


class RestTriggers:
    """The one question of `ports.Builds` that `app apply` asks, by the account that everything is read with here."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def trigger(self, name: str) -> Trigger:
        found = self._cloud.read(Request(api="cloudbuild", path=f"v1/{name}"))
        if found is None:
            raise Refused(f"no trigger {name}", field="build.trigger")
        _, project, _, location, *_ = name.split("/")
        return Trigger(id=str(found["id"]), name=str(found["name"]), project=project, location=location)


def make_catalog_world(values: Values, cloud: Cloud, ways: contextlib.ExitStack) -> World:
    """The installation's, with the credentials of the engine's own calls. `ways` closes what it opens."""
    from downwind.adapters.gcs import GcsStore, gcs_client
    from downwind.wiring import make_world

    def bucket(name: str) -> str:
        return str(values.resource_name("bucket", name))

    settings = Settings(
        project=values.project,
        ledger_bucket=bucket("ledger"),
        work_bucket=bucket("work"),
        catalog_bucket=bucket("catalog"),
        bundles_bucket=bucket("bundles"),
        gate_url=values.config["spinnaker"]["gate"],
    )
    client = gcs_client(values.project, cloud.session.credentials)
    ways.callback(client.close)
    ledger, stored = (GcsStore(each, client=client) for each in (settings.ledger_bucket, settings.catalog_bucket))
    ways.callback(ledger.close)
    ways.callback(stored.close)
    triggers: Any = RestTriggers(cloud)
    return dataclasses.replace(make_world(settings), ledger=ledger, catalog=stored, builds=triggers)
