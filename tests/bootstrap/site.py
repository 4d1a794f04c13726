"""An installation of one configuration at the fake of Google's APIs, with our own cluster store and local Gate, and a run of it
that ends where a test says."""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bootstrap.fake.helm import MemoryHelm
from tests.bootstrap.fake.server import FakeGoogle, WithoutSocket

from downwind.adapters.memory import Clock, MemoryWorld
from downwind.adapters.memory_store import MemoryStore
from downwind.bootstrap.apply import Applying, Outcome, steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.destroy import steps_back, take_back
from downwind.bootstrap.gcloud import Writer, make_session
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.programs import Helm
from downwind.bootstrap.reach import RestTriggers, join
from downwind.bootstrap.write import Write
from downwind.local.gate import GateServer
from downwind.local.kubernetes_api import PREFIX
from downwind.local.outbox import Outbox
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject


class Killed(BaseException):
    """As a process ends: nothing catches it."""


class Counting(Writer):
    """Ends the run after `limit` writes."""

    def __init__(self, cloud: Cloud, helm: Helm, limit: int | None = None) -> None:
        super().__init__(cloud, None, helm)
        self.limit = limit
        self.done = 0

    def do(self, write: Write) -> None:
        super().do(write)
        if write.request.path.endswith(":generateServiceIdentity"):
            return  # it shows nowhere before a right names it, so each run asks for it again; that is harmless
        self.done += 1
        if self.done == self.limit:
            raise Killed


class Shown(MemoryStore):
    """The catalog: what stands in it is in the fake's bucket too, where the engine looks."""

    def __init__(self, clock: Clock, google: FakeGoogle, bucket: str) -> None:
        super().__init__(clock)
        self._google = google
        self._place = bucket

    def replace(self, new: NewObject, *, generation: int) -> StoredObject | None:
        found = super().replace(new, generation=generation)
        if found is not None:
            about = {"bucket": self._place, "name": new.name, "generation": str(found.generation)}
            self._google.state.resources["object", f"{self._place}/{new.name}"] = about
        return found


@dataclass
class Site:
    """An installation of one configuration. `told` are the lines of the last run, `written` its writes; `data` is what cluster
    and Gate keep. `wire`: the fake is asked by HTTP on loopback, as from outside; else the same requests go without a socket."""

    google: FakeGoogle
    environment: dict[str, str]
    plan: Plan
    gate: GateServer
    outbox: Outbox
    data: Path
    told: list[str] = field(default_factory=list)
    memory: MemoryWorld = field(default_factory=MemoryWorld)
    ways: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    program: Helm | None = None
    running: bool = True
    wire: bool = False
    written: int = 0

    def stop(self) -> None:
        if self.running:
            self.running = False
            self.ways.close()
            self.gate.stop()
            self.outbox.stop()
            self.google.__exit__()

    @property
    def helm(self) -> Helm:
        """Its twin, unless a test brings the real one."""
        return self.program or MemoryHelm(self.gate.cluster, self.plan.values)

    def world(self) -> World:
        bucket = str(self.plan.values.resource_name("bucket", "catalog"))
        catalog = Shown(self.memory.clock, self.google, bucket)
        triggers: Any = RestTriggers(self.cloud())
        return dataclasses.replace(self.memory.world, catalog=catalog, builds=triggers)

    def cloud(self) -> Cloud:
        session = make_session(self.environment) if self.wire else WithoutSocket(self.google.state)
        cloud = Cloud(session, self.environment, package=b"the source", sleep=lambda _: None)
        return join(cloud, self.plan.values, self.ways, self.environment, gate=self.gate.url, world=self.world)

    def apply(self, limit: int | None = None, sleep: Callable[[float], None] = lambda _: None, **more: Any) -> Outcome:
        self.told.clear()
        cloud = self.cloud()
        writer = Counting(cloud, self.helm, limit)
        applying = Applying(self.plan, writer, self.told.append, parallel=1, sleep=sleep, **more)
        outcome = applying.run(steps_now(self.plan, cloud))
        self.written = writer.done
        return outcome

    def due(self) -> list[str]:
        return [f"{each.action} {each.resource.key}" for each in steps_now(self.plan, self.cloud()) if each.due]

    def put_secrets_in(self) -> None:
        """What people do between two runs: text for the secrets that are theirs."""
        project = self.plan.values.project
        for secret in self.plan.resources:
            if secret.kind == "secret" and not secret.generated:
                name = f"projects/{project}/secrets/{secret.name}/versions/1"
                self.google.state.resources["secretmanager", name] = {"name": name, "state": "ENABLED"}

    def destroy(
        self, *, with_data: bool, limit: int | None = None, sleep: Callable[[float], None] = lambda _: None
    ) -> Mapping[str, str]:
        cloud = self.cloud()
        steps = [each for each in steps_back(self.plan, cloud, with_data=with_data) if each.due]
        return take_back(self.plan, Counting(cloud, self.helm, limit), steps, self.told.append, sleep=sleep)

    def objects(self) -> dict[str, Any]:
        """What is in the cluster, without what each run makes anew."""
        drop = {"uid", "resourceVersion", "generation", "creationTimestamp"}
        found = {}
        for kind in (None, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
            for each in self.gate.cluster.list(kind=kind):
                about = {key: value for key, value in each["metadata"].items() if key not in drop}
                name = f"{each['kind']} {about.get('namespace', '')}/{about['name']}"
                body = {key: value for key, value in each.items() if key not in {"status", "data"}}
                found[name] = {**body, "metadata": about}
        return found

    def set_status(self, item: dict[str, Any]) -> None:
        """As a controller would: the store makes a workload's status itself, and at once."""
        about = item["metadata"]
        self.gate.cluster._db.execute(
            "UPDATE objects SET body = ? WHERE namespace = ? AND kind = ? AND name = ?",
            (json.dumps(item), about["namespace"], item["kind"], about["name"]),
        )

    def everything(self) -> dict[str, Any]:
        """What stands at Google's, in the cluster and in Spinnaker."""
        return {**self.google.state.dump(), **self.objects(), **self.pipelines()}

    def pipelines(self) -> dict[str, Any]:
        """What Spinnaker has, without what it makes anew at each saving."""
        cloud = self.cloud()
        found = {}
        for each in self.plan.resources:
            if each.kind in {"application", "pipeline"}:
                found[each.key] = self.plan.kinds[each.kind].read(cloud, each)
        return {key: None if each is None else sorted(each) for key, each in found.items()}


def start_site(plan: Plan, folder: Path, before: Site | None, *, cluster: bool) -> Site:
    """`before`: one that was applied and stopped, whose state this begins with."""
    data, environment = folder / "gate", folder / "environment"
    environment.mkdir(parents=True)
    if before is not None and cluster:
        shutil.copytree(before.data, data)
    google = FakeGoogle(before.google.state.copied() if before is not None else None).__enter__()
    outbox = Outbox(folder / "outbox.sqlite")
    gate = GateServer(
        data, outbox=outbox, storage_url="http://127.0.0.1:9", account="kubernetes", every_namespace=False
    )
    gate.start()
    if before is None or not cluster:
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            for each in gate.cluster.list(kind=kind):
                gate.cluster.delete("", kind, each["metadata"]["name"])
    server = f"{gate.url}{PREFIX}"
    variables = google.environment(environment) | {"CLOUDSDK_API_ENDPOINT_OVERRIDES_KUBERNETES": server}
    (environment / "kubeconfig").write_text(json.dumps(kubeconfig_of(server)))
    if before is not None and not cluster:
        for key in [each for each in google.state.resources if each[1].endswith("/application/shop.yaml")]:
            del google.state.resources[key]
    site = Site(google, variables, plan, gate, outbox, data)
    for repository in plan.values.config["builds"]["repositories"]:
        site.memory.repository.commit(repository["address"], "refs/heads/main", {"app.py": b"1"})
    return site


def kubeconfig_of(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "lab", "user": {"token": "admin"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    }


MakeSite = Callable[..., Site]
applied_states: dict[str, Site] = {}
