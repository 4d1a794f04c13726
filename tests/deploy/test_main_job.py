"""The main job on the upload: the world's subscriptions deliver to functions that run from it, each in a process of its own."""

import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from downwind.local.function_process import FunctionProcess
from downwind.local.provision import PUSHED
from downwind.local.testing import DownwindWorld

pytestmark = pytest.mark.e2e
MIB = 1024 * 1024
# scripts/bench holds the real limits (45 and 80 MiB above a bare function); these only notice what got out of hand.
ROOM = {"on_push": 120, "on_build": 120, "on_image": 90, "on_request": 90, "on_execution": 90, "on_tick": 120}
BARE = "import functions_framework\n\n\n@functions_framework.http\ndef hello(_request):\n    return '', 204\n"
SHOP = Path(__file__).parents[2] / "examples" / "shop"


def kiosk(folder: Path) -> Path:
    """examples/shop under a name of its own, so that nobody else has pushed to it."""
    named = folder.with_name(f"kiosk-{uuid.uuid4().hex[:8]}")
    shutil.copytree(SHOP, named)
    for file in named.rglob("*.yaml"):
        file.write_text(re.sub(r"\bshop\b", named.name, file.read_text()))
    return named


@pytest.fixture
def bare(interpreter: Any, tmp_path: Path) -> Any:
    """functions-framework with a function that does nothing."""
    (tmp_path / "main.py").write_text(BARE)
    with FunctionProcess(
        tmp_path, "hello", interpreter.environment, tmp_path / "hello.log", command=interpreter.framework
    ) as process:
        assert process.post(b"{}") == (204, b"")
        yield process


def test_a_git_push_becomes_a_rollout_through_functions_that_run_from_the_upload(
    downwind_world: DownwindWorld,
    serve: Callable[[str], FunctionProcess],
    push_to: Callable[[str, FunctionProcess], None],
    bare: FunctionProcess,
    tmp_path: Path,
) -> None:
    directory = kiosk(tmp_path / "kiosk")
    downwind_world.add(directory)
    functions = {target: serve(target) for target in PUSHED.values()}
    for topic, target in PUSHED.items():
        push_to(topic, functions[target])
    copy = downwind_world.clone(directory.name, directory)
    commit = copy.commit("served from the upload")
    copy.push()
    downwind_world.wait_for(directory.name, "staging", commit)
    downwind_world.approve(directory.name, "production", commit)
    above = {target: (process.memory() - bare.memory()) / MIB for target, process in functions.items()}
    assert all(above[target] < room for target, room in ROOM.items()), above
