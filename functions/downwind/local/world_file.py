"""Where one local world lives: its folder, its ports, and the environment that clients need. Kept in `world.json`."""

import contextlib
import itertools
import json
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from downwind.errors import Refused

FILE = "world.json"
KUBECONFIG = "kubeconfig.json"
MADE = ("data", "logs", "secrets", "shop", "pid", "person", KUBECONFIG, FILE + ".new", FILE)
"""What a world makes in its folder; nothing else there is ever removed. `world.json` goes last: until then it is a world's."""
PORTS = ("storage", "pubsub", "pubsub_rest", "git", "registry", "builds", "gate", "functions")
PARTS = ("storage", "pubsub", "git", "registry", "builds", "gate", "functions")
PROJECT = "local"
EMAIL = "push@local.iam.gserviceaccount.com"
PERSON = "developer@localhost"
ECHO_SECRET = "echo"
GITHUB_SECRET = "github-webhook"
STORES = ("ledger", "work", "catalog", "bundles")
PREFIX = "local"
BUCKETS = {name: f"{PREFIX}-{name}" for name in STORES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a world is called; a rehearsal of the bootstrap gives it an installation's names. `prefix`: what the four buckets
    begin with. `account`: Spinnaker's for the cluster. `every_namespace`: each of the cluster is there without being made."""

    project: str = PROJECT
    prefix: str = PREFIX
    account: str = "local"
    every_namespace: bool = True


LOCAL = Names()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWorld:
    """All ports are on 127.0.0.1; they are chosen once and kept, so that a restart changes nothing for clients."""

    folder: Path
    ports: Mapping[str, int] = field(default_factory=dict)
    names: Names = LOCAL

    @property
    def project(self) -> str:
        return self.names.project

    @property
    def buckets(self) -> Mapping[str, str]:
        return {name: f"{self.names.prefix}-{name}" for name in STORES}

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    def data(self, part: str) -> Path:
        return self.folder / "data" / part

    def log(self, part: str) -> Path:
        return self.folder / "logs" / f"{part}.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / KUBECONFIG

    @property
    def person(self) -> str:
        """Who orders at this keyboard; `downwind local person` changes it, so that refusals can be tried."""
        try:
            found = (self.folder / "person").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            found = ""
        return found or PERSON

    def environment(self) -> dict[str, str]:
        """What `downwind local env` prints: for the functions, the command line, and the official clients."""
        return {
            "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{self.ports['pubsub']}",
            "STORAGE_EMULATOR_HOST": self.url("storage"),
            "GOOGLE_CLOUD_PROJECT": self.project,
            "DOWNWIND_LOCAL": "1",
            "DOWNWIND_PROJECT": self.project,
            "DOWNWIND_LEDGER_BUCKET": self.buckets["ledger"],
            "DOWNWIND_WORK_BUCKET": self.buckets["work"],
            "DOWNWIND_CATALOG_BUCKET": self.buckets["catalog"],
            "DOWNWIND_BUNDLES_BUCKET": self.buckets["bundles"],
            "DOWNWIND_GATE_URL": self.url("gate"),
            "DOWNWIND_CLOUD_BUILD_ENDPOINT": self.url("builds"),
            "DOWNWIND_PUBSUB_ENDPOINT": self.url("pubsub_rest"),
            "DOWNWIND_REGISTRY_MIRROR": f"127.0.0.1:{self.ports['registry']}",
            "DOWNWIND_PUSH_AUDIENCE": self.url("functions"),
            "DOWNWIND_PUSH_EMAIL": EMAIL,
            "DOWNWIND_CERTS_URL": f"{self.url('pubsub_rest')}/-/certs",
            "DOWNWIND_KUBECONFIG": str(self.kubeconfig),
            "DOWNWIND_SECRETS_FOLDER": str(self.secrets),
            "DOWNWIND_ECHO_SECRET": ECHO_SECRET,
            "DOWNWIND_GITHUB_SECRETS": GITHUB_SECRET,
            "DOWNWIND_OPERATE_URL": f"{self.url('functions')}/operate",
            "DOWNWIND_OPERATORS": PERSON,
            "DOWNWIND_PERSON": self.person,
        }

    def become(self, person: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "person").write_text(person + "\n", encoding="utf-8")
        self.save()

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        body = {"ports": dict(self.ports), "names": asdict(self.names), "environment": self.environment()}
        temporary = self.folder / (FILE + ".new")
        temporary.write_text(json.dumps(body, indent=2) + "\n")
        temporary.replace(self.folder / FILE)
        self.kubeconfig.write_text(json.dumps(self._clusters(), indent=2) + "\n")

    def _clusters(self) -> dict[str, object]:
        """The one cluster, for every client that reads a kubeconfig; no user has a right that another has not."""
        name = "downwind-local"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": f"{self.url('gate')}/-/kubernetes"}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }


def open_world(folder: Path, names: Names = LOCAL) -> LocalWorld:
    """The world of that folder; an empty or new one gets free ports and these names. Refused when it holds
    something else."""
    folder = folder.absolute()
    try:
        stored = json.loads((folder / FILE).read_text())
        ports = {name: int(stored["ports"][name]) for name in PORTS}
        return LocalWorld(folder=folder, ports=ports, names=Names(**stored.get("names", {})))
    except FileNotFoundError:
        _only_a_world(folder)
        return new_world(folder, names)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{folder / FILE} is damaged", fix="downwind local reset") from error


def new_world(folder: Path, names: Names = LOCAL) -> LocalWorld:
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    world = LocalWorld(folder=folder.absolute(), ports=ports, names=names)
    world.save()
    return world


def forget(folder: Path) -> None:
    """Removes what a world made there, and the folder if nothing else is left in it.

    Refused, with nothing removed, when the folder holds something and is not a world's.
    """
    _only_a_world(folder)
    for name in MADE:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps something of their own there, or there was no folder
        folder.rmdir()


def _only_a_world(folder: Path) -> None:
    if folder.is_dir() and not (folder / FILE).is_file() and any(folder.iterdir()):
        raise Refused(
            f"{folder} holds files and is not a local world's folder", fix="name an empty or a new one with --folder"
        )


def find_world(start: Path) -> LocalWorld:
    """The nearest `.downwind` from `start` upwards."""
    for place in (start.absolute(), *start.absolute().parents):
        if (place / ".downwind" / FILE).is_file():
            return open_world(place / ".downwind")
    raise Refused("there is no local world here", fix="downwind local up")


def running(world: LocalWorld) -> int | None:
    """The pid of the supervisor that runs this world now; None also where the number belongs to another process by now."""
    try:
        number, _, started = world.pid_file.read_text().partition(" ")
        pid = int(number)
        os.kill(pid, 0)
    except (FileNotFoundError, PermissionError, ValueError, ProcessLookupError, OverflowError):
        return None
    return pid if pid > 0 and started == _started(pid) else None


def write_pid(world: LocalWorld) -> None:
    """This process runs the world."""
    world.folder.mkdir(parents=True, exist_ok=True)
    world.pid_file.write_text(f"{os.getpid()} {_started(os.getpid())}")


def _started(pid: int) -> str:
    """When a process started, in ticks since boot: with its number it names one process. proc_pid_stat(5), field 22; empty
    where there is no /proc. Its name would not do: a world may be run by pytest."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return fields[18] if state != "Z" else "ended"


def around_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to it, so that loopback is asked itself, whatever proxy this machine has."""
    others = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").split(",")
    return {"no_proxy": ",".join(dict.fromkeys(each for each in ("127.0.0.1", "localhost", *others) if each))}


def free_ports(count: int) -> list[int]:
    """Below those that systems give to whoever asks for any (Linux from 32768 on, others from 49152): so nobody gets one of these
    by chance before its part listens, or while the part is started again. Each process begins far from its neighbours, and
    goes on from there."""
    found: list[int] = []
    for _ in range(_PORTS):
        port = _FIRST_PORT + next(_turn) % _PORTS
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise Refused("this machine has no port left for a local world", fix="stop what is not needed")


_FIRST_PORT = 10_000
_PORTS = 20_000


def first_turn(pid: int) -> int:
    """Of twenty processes in a row, such as test runners, each has 600 ports before it comes to those of another."""
    return pid * 7639


_turn = itertools.count(first_turn(os.getpid()))
