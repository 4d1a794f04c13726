"""Where the figures are taken: the upload and a bare function side by side, and a local world with applications of its own."""

import compileall
import contextlib
import json
import os
import shutil
import sys
import sysconfig
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from downwind.local.calls import call
from downwind.local.function_process import FunctionProcess
from downwind.local.provision import PUSHED
from downwind.local.testing import DownwindWorld
from downwind.local.world_file import EMAIL, PROJECT

ROOT = Path(__file__).parents[1]
SHOP = ROOT / "examples" / "shop"
# Without `site` no .pth file is read, so only the upload can provide `downwind`; -P keeps this folder out as well.
FRAMEWORK = (sys.executable, "-S", "-P", "-m", "functions_framework")
BARE = """import functions_framework, time


@functions_framework.http
def hello(request):
    return "", 204


@functions_framework.http
def note(request):
    with open("called", "a") as file:
        file.write(f"{time.time()}\\n")
    return "", 204
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Two folders for functions-framework, compiled as the buildpack compiles them, and a running world."""

    upload: Path
    bare: Path
    folder: Path
    world: DownwindWorld

    def function(self, target: str) -> FunctionProcess:
        """`hello` and `note` are bare ones; all others are Downwind's, with the world's settings. Not started."""
        folder = self.bare if target in {"hello", "note"} else self.upload
        packages = {"PYTHONPATH": str(sysconfig.get_path("purelib"))}
        settings = {} if folder is self.bare else self.world.environment
        log = self.folder / f"{target}.log"
        return FunctionProcess(folder, target, {**packages, **settings}, log, command=FRAMEWORK)

    def authorization(self) -> dict[str, str]:
        """The header of a push by the world's broker."""
        claims = {"audience": self.world.local.url("functions"), "email": EMAIL}
        token = call("POST", f"{self.world.local.url('pubsub_rest')}/-/token", claims)["token"]
        return {"Authorization": f"Bearer {token}"}

    def subscription(self, name: str) -> str:
        return f"{self.world.local.url('pubsub_rest')}/v1/projects/{PROJECT}/subscriptions/{name}"

    def pull(self, subscription: str) -> list[dict[str, Any]]:
        """All messages that wait there, acknowledged: REST's `message` objects."""
        answer = call("POST", f"{self.subscription(subscription)}:pull", {"maxMessages": 1000})
        received: list[dict[str, Any]] = answer.get("receivedMessages", [])
        if received:
            acks = {"ackIds": [each["ackId"] for each in received]}
            call("POST", f"{self.subscription(subscription)}:acknowledge", acks)
        return [each["message"] for each in received]

    def add(self, name: str, *, built: bool) -> Path:
        """examples/shop under another name, to staging only; without a trigger its image comes by tag."""
        directory = self.folder / name
        shutil.copytree(SHOP, directory)
        for file in directory.rglob("*.yaml"):
            file.write_text(file.read_text().replace("shop", name))
        catalog = yaml.safe_load((directory / "downwind.yaml").read_text())
        catalog["environments"] = catalog["environments"][:1]
        if not built:
            del catalog["build"]
        (directory / "downwind.yaml").write_text(yaml.safe_dump(catalog))
        self.world.add(directory)
        return directory

    def settle(self) -> None:
        """Until no push subscription has anything left to deliver."""
        url = f"{self.world.local.url('pubsub_rest')}/-/stats"
        pushed = [f"projects/{PROJECT}/subscriptions/{topic}" for topic in PUSHED if topic != "ticks"]
        quiet = 0
        while quiet < 5:
            stats = call("GET", url)["subscriptions"]
            quiet = 0 if any(stats[name]["backlog"] for name in pushed) else quiet + 1
            time.sleep(0.05)


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    upload, bare = folder / "upload", folder / "bare"
    shutil.copytree(ROOT / "functions", upload, ignore=shutil.ignore_patterns("local", "cli", "__pycache__"))
    bare.mkdir()
    (bare / "main.py").write_text(BARE)
    for each in (upload, bare):
        compileall.compile_dir(each, quiet=1)
    with DownwindWorld(folder / "world") as world:
        yield Stage(upload=upload, bare=bare, folder=folder, world=world)


def wrapped(message: Mapping[str, Any]) -> bytes:
    """A pulled message as a push subscription sends it."""
    return json.dumps({"message": dict(message), "subscription": "projects/local/subscriptions/bench"}).encode()


def data(message: Mapping[str, Any]) -> Any:
    return json.loads(b64decode(message.get("data", "")) or b"null")


def busy(pid: int) -> float:
    """Seconds of processor time that the process has used: user and system."""
    fields: Sequence[str] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
