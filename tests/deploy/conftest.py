"""What gcloud would upload of functions/, and an interpreter that finds `downwind` nowhere else.

Two interpreters: `reused`, this one's packages without its .pth files, so without this checkout; and, with WITH_DEPLOY=1
(scripts/test --deploy), `installed`, a new venv from the folder's own requirements.txt, as the buildpack makes it.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dulwich.ignore import IgnoreFilter

from downwind.local.calls import call
from downwind.local.function_process import FunctionProcess
from downwind.local.testing import DownwindWorld
from downwind.local.world_file import EMAIL, PROJECT

FUNCTIONS = Path(__file__).parents[2] / "functions"
WITH_INSTALL = os.environ.get("WITH_DEPLOY") == "1"
collect_ignore = [] if WITH_INSTALL else ["test_installed.py", "test_sbom.py", "test_doors.py"]


@dataclass(frozen=True)
class Interpreter:
    """`python` starts it; `framework` is the command functions-framework; `environment` is what both need."""

    python: tuple[str, ...]
    framework: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, folder: Path) -> str:
        """What it printed; CalledProcessError when it ended badly."""
        command = [*self.python, *arguments]
        done = subprocess.run(
            command, cwd=folder, env=dict(self.environment), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """functions/ in a folder of its own, without what .gcloudignore leaves out."""
    left_out = IgnoreFilter([line.encode() for line in (FUNCTIONS / ".gcloudignore").read_text().splitlines()])
    folder = tmp_path_factory.mktemp("upload")
    for file in sorted(FUNCTIONS.rglob("*")):
        path = file.relative_to(FUNCTIONS)
        parts = [f"{parent}/" for parent in path.parents if parent != Path()]
        if file.is_file() and not any(left_out.is_ignored(name) for name in (str(path), *parts)):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="session")
def reused() -> Interpreter:
    # -S: no site, so no .pth file is read; -P: not the folder that we stand in either.
    python = (sys.executable, "-S", "-P")
    packages = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return Interpreter(python, (*python, "-m", "functions_framework"), {"PYTHONPATH": os.pathsep.join(packages)})


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, uploaded: Path) -> Interpreter:
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--only-binary", ":all:", "-r", str(uploaded / "requirements.txt")], check=True)
    return Interpreter((python,), (str(folder / "bin" / "functions-framework"),))


@pytest.fixture(scope="session", params=["reused", *(["installed"] if WITH_INSTALL else [])])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    found: Interpreter = request.getfixturevalue(request.param)
    return found


Serve = Callable[..., FunctionProcess]


@pytest.fixture
def serve(interpreter: Interpreter, uploaded: Path, downwind_world: DownwindWorld, tmp_path: Path) -> Iterator[Serve]:
    """`serve(target)`: that function of the upload, running, with the local world's settings."""
    with ExitStack() as running:

        def start(target: str) -> FunctionProcess:
            environment = {**interpreter.environment, **downwind_world.environment}
            log = tmp_path / f"{target}.log"
            process = FunctionProcess(uploaded, target, environment, log, command=interpreter.framework)
            return running.enter_context(process)

        yield start


@pytest.fixture(scope="session")
def authorization(downwind_world: DownwindWorld) -> Mapping[str, str]:
    """The header that a push of the world's broker carries."""
    claims = {"audience": downwind_world.local.url("functions"), "email": EMAIL}
    token = call("POST", f"{downwind_world.local.url('pubsub_rest')}/-/token", claims)["token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def push_to(downwind_world: DownwindWorld) -> Iterator[Callable[[str, FunctionProcess], None]]:
    """`push_to(topic, process)`: the world's own push subscription of that topic delivers there, until the test ends."""
    base = f"{downwind_world.local.url('pubsub_rest')}/v1/projects/{PROJECT}/subscriptions"
    before: dict[str, Any] = {}

    def change(topic: str, process: FunctionProcess) -> None:
        standing = call("GET", f"{base}/{topic}")["pushConfig"]
        before.setdefault(topic, standing)
        changed = {**standing, "pushEndpoint": f"http://127.0.0.1:{process.port}/"}
        call("POST", f"{base}/{topic}:modifyPushConfig", {"pushConfig": changed})

    yield change
    for topic, config in before.items():
        call("POST", f"{base}/{topic}:modifyPushConfig", {"pushConfig": config})
