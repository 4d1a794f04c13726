"""Where one local world lives: its folder, its ports, and the environment that clients need. Kept in `world.json`."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from downwind.errors import Refused

FILE = "world.json"
PORTS = ("storage", "pubsub", "pubsub_rest", "git", "registry", "builds", "gate", "functions")
PARTS = ("storage", "pubsub", "git", "registry", "builds", "gate", "functions")
PROJECT = "local"
EMAIL = "push@local.iam.gserviceaccount.com"
ECHO_SECRET = "echo"
GITHUB_SECRET = "github-webhook"
BUCKETS = {name: f"local-{name}" for name in ("ledger", "work", "catalog", "bundles")}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWorld:
    """All ports are on 127.0.0.1; they are chosen once and kept, so that a restart changes nothing for clients."""

    folder: Path
    ports: Mapping[str, int] = field(default_factory=dict)

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

    def environment(self) -> dict[str, str]:
        """What `downwind local env` prints: for the functions, the command line, and the official clients."""
        return {
            "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{self.ports['pubsub']}",
            "STORAGE_EMULATOR_HOST": self.url("storage"),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "DOWNWIND_LOCAL": "1",
            "DOWNWIND_PROJECT": PROJECT,
            "DOWNWIND_LEDGER_BUCKET": BUCKETS["ledger"],
            "DOWNWIND_WORK_BUCKET": BUCKETS["work"],
            "DOWNWIND_CATALOG_BUCKET": BUCKETS["catalog"],
            "DOWNWIND_BUNDLES_BUCKET": BUCKETS["bundles"],
            "DOWNWIND_GATE_URL": self.url("gate"),
            "DOWNWIND_CLOUD_BUILD_ENDPOINT": self.url("builds"),
            "DOWNWIND_REGISTRY_MIRROR": f"127.0.0.1:{self.ports['registry']}",
            "DOWNWIND_PUSH_AUDIENCE": self.url("functions"),
            "DOWNWIND_PUSH_EMAIL": EMAIL,
            "DOWNWIND_CERTS_URL": f"{self.url('pubsub_rest')}/-/certs",
            "DOWNWIND_SECRETS_FOLDER": str(self.secrets),
            "DOWNWIND_ECHO_SECRET": ECHO_SECRET,
            "DOWNWIND_GITHUB_SECRETS": GITHUB_SECRET,
        }

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        body = {"ports": dict(self.ports), "environment": self.environment()}
        temporary = self.folder / (FILE + ".new")
        temporary.write_text(json.dumps(body, indent=2) + "\n")
        temporary.replace(self.folder / FILE)


def open_world(folder: Path) -> LocalWorld:
    """The world of that folder; a new one gets free ports."""
    folder = folder.absolute()
    try:
        stored = json.loads((folder / FILE).read_text())
        return LocalWorld(folder=folder, ports={name: int(stored["ports"][name]) for name in PORTS})
    except FileNotFoundError:
        world = LocalWorld(folder=folder, ports=dict(zip(PORTS, free_ports(len(PORTS)), strict=True)))
        world.save()
        return world
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{folder / FILE} is damaged", fix="downwind local reset") from error


def find_world(start: Path) -> LocalWorld:
    """The nearest `.downwind` from `start` upwards."""
    for place in (start.absolute(), *start.absolute().parents):
        if (place / ".downwind" / FILE).is_file():
            return open_world(place / ".downwind")
    raise Refused("there is no local world here", fix="downwind local up")


def running(world: LocalWorld) -> int | None:
    """The pid of the supervisor that runs this world now."""
    try:
        pid = int(world.pid_file.read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid


def free_ports(count: int) -> list[int]:
    """All held open at once, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
