"""A machine on which somebody is signed in to the played Google: what stands in its environment, and the gcloud on its path."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.bootstrap.edge.certificates import Authority
from tests.bootstrap.edge.doors import FunctionDoors
from tests.bootstrap.edge.follows import Follows
from tests.bootstrap.edge.programs import Programs
from tests.bootstrap.edge.proxy import Proxy
from tests.bootstrap.edge.routes import Routes, WithoutWire
from tests.bootstrap.fake.state import State

from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.config import read_config
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.reach import join
from downwind.bootstrap.values import Values
from downwind.local.add import CATALOG_FILE
from downwind.local.calls import call
from downwind.local.kubernetes_api import PREFIX
from downwind.local.testing import DownwindWorld
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import LocalWorld, Names

PERSON = "rehearsal@acme.example"
PLAYED_GCLOUD = Path(__file__).parent / "played_gcloud.py"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`environment`: of every program that runs on it."""

    state: State
    world: DownwindWorld
    routes: Routes
    proxy: Proxy
    environment: Mapping[str, str]
    folder: Path
    programs: Programs | None

    @property
    def local(self) -> LocalWorld:
        return self.world.local


@contextmanager
def started(folder: Path, config: Path, *, package: bool = False, person: str = PERSON) -> Iterator[Machine]:
    """Runs inside the block: the fake of Google with nothing in it, and a local world with the installation's names, whose
    cluster has no policy yet. Nothing is left running. `package`: functions run as they were deployed, from the very package, as
    the subscriptions that were made push to them; else the local world's functions and subscriptions stand for them."""
    values = Values(read_config(str(config), config.read_bytes()), "")
    names = Names(
        project=values.project, prefix=f"{values.project}-{values.name}", account="kubernetes", every_namespace=False
    )
    state = State()
    state.numbers[values.project] = values.number
    with DownwindWorld(folder, names=names) as world:
        made = folder / "machine"
        made.mkdir(exist_ok=True)
        environment: dict[str, str] = {}
        programs = Programs(made, environment) if package else None
        follows = Follows(state, world.local, values, made, programs)
        doors = FunctionDoors(state, world.local, values.number, programs.url if programs else lambda _name: None)
        routes = Routes(state, world.local, values, follows, doors)
        with Proxy(Authority(made), routes, routes.knows) as proxy, programs or nullcontext():
            follows.inside = proxy.url
            _without_policy(world.local)
            environment |= _environment(made, proxy, world.local, person)
            environment["KUBECONFIG"] = str(_kubeconfig(made / "kubeconfig", values.context, world.local))
            if values.config["spinnaker"]["install"]:
                environment["DOWNWIND_GATE_URL"] = values.config["spinnaker"]["gate"]  # there is no pod to forward to
            for each in values.config["builds"]["repositories"]:
                _seed(world.local, each["name"], ROOT / "examples" / "shop", folder / f"{each['name']}-of-yours")
            yield Machine(
                state=state,
                world=world,
                routes=routes,
                proxy=proxy,
                environment=environment,
                folder=folder,
                programs=programs,
            )


def _without_policy(world: LocalWorld) -> None:
    """The local world's cluster brings it along; a cluster of yours does not."""
    base = f"{world.url('gate')}{PREFIX}/apis/admissionregistration.k8s.io/v1"
    for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        found: Any = call("GET", f"{base}/{kind}")
        for each in found["items"]:
            call("DELETE", f"{base}/{kind}/{each['metadata']['name']}")


def _environment(made: Path, proxy: Proxy, world: LocalWorld, person: str) -> dict[str, str]:
    programs = made / "bin"
    programs.mkdir(exist_ok=True)
    gcloud = programs / "gcloud"
    gcloud.write_text(f"#!{sys.executable} -S\n{PLAYED_GCLOUD.read_text()}")
    gcloud.chmod(0o755)
    helm = programs / "helm"
    helm.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.bootstrap.edge.played_helm "$@"\n'
    )
    helm.chmod(0o755)
    wanted = {"audience": "https://gcloud.example", "email": person}
    token: Any = call("POST", f"{world.url('pubsub_rest')}/-/token", wanted)
    (programs / "identity-token").write_text(f"{token['token']}\n")
    credentials = made / "credentials.json"
    signed_in = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    credentials.write_text(json.dumps(signed_in))
    authority = str(proxy.authority.file)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("DOWNWIND_", "CLOUDSDK_"))}
    for name in ("PYTHONPATH", "STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
        mine.pop(name, None)
    return {
        **mine,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "PLAYED_CLUSTER": f"{world.url('gate')}{PREFIX}",
        **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), proxy.url),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"), authority),
        "GOOGLE_CLOUD_PROJECT": world.project,
    }


def add_canary(machine: Machine, example: Path, name: str, environment: str, namespace: str | None = None) -> None:
    """The first environment of `example` under the names of the canary, as people add an application. Its repository has a first
    commit, of which nothing comes: it was there before the application was known."""
    folder = machine.folder / name
    for file in sorted(example.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            renamed = folder / file.relative_to(example)
            renamed.parent.mkdir(parents=True, exist_ok=True)
            renamed.write_text(file.read_text().replace(example.name, name))
    document = yaml.safe_load((folder / CATALOG_FILE).read_text())
    document["environments"] = [{**document["environments"][0], "name": environment}]
    if namespace is not None:
        document["environments"][0]["namespace"] = namespace
    document["manifests"] = {"path": "deploy/staging"}
    (folder / CATALOG_FILE).write_text(yaml.safe_dump(document, sort_keys=False))
    _seed(machine.local, name, folder, machine.folder / f"{name}-copy")
    machine.world.add(folder)


def _seed(world: LocalWorld, name: str, files: Path, folder: Path) -> None:
    """A repository with a first commit."""
    call("PUT", f"{world.url('git')}/-/repositories/{name}")
    copy = WorkingCopy(folder, f"{world.url('git')}/{name}.git")
    copy.start_from(files)
    copy.commit("first")
    copy.push()


def _kubeconfig(file: Path, context: str, world: LocalWorld) -> Path:
    """The one cluster, by the name that the configuration gives it."""
    found = json.loads(world.kubeconfig.read_text())
    found["contexts"] = [{**found["contexts"][0], "name": context}]
    file.write_text(json.dumps({**found, "current-context": context}))
    return file


def apply_here(machine: Machine, plan: Plan, package: bytes) -> None:
    """As `downwind bootstrap apply`, in this process and without a wire, in a fifth of its time."""
    cloud = Cloud(WithoutWire(machine.routes), machine.environment, package=package)
    with ExitStack() as ways:
        join(cloud, plan.values, ways, machine.environment)
        outcome = Applying(plan, Writer(cloud, None), lambda _line: None, parallel=1).run(steps_now(plan, cloud))
    assert outcome.failed == {}, outcome.failed


def put_secret(machine: Machine, name: str, text: str) -> None:
    """What a person does with a secret that is theirs."""
    parent = f"projects/{machine.local.project}/secrets/{name}"
    with machine.state.lock:
        count = sum(
            1 for api, each in machine.state.resources if api == "secret-data" and each.startswith(f"{parent}/")
        )
        version = f"{parent}/versions/{count + 1}"
        machine.state.resources["secretmanager", version] = {"name": version, "state": "ENABLED"}
        machine.state.resources["secret-data", version] = {"data": b64encode(text.encode()).decode()}


def run(machine: Machine, *command: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=dict(machine.environment),
        cwd=machine.folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
