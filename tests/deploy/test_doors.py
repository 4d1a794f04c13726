"""The calls of `bootstrap verify` that have to be refused, at real functions that are set as in the cloud: sound as they are, and
failing at functions that let everybody in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.proof.sites import site

from downwind.bootstrap.proof import doors
from downwind.local.function_process import FunctionProcess

TARGETS = {"on-push": "on_push", "receive": "receive", "operate": "operate"}
SETTINGS = {
    **{f"DOWNWIND_{each}_BUCKET": "nowhere" for each in ("LEDGER", "WORK", "CATALOG", "BUNDLES")},
    "DOWNWIND_PROJECT": "acme",
    "DOWNWIND_GATE_URL": "http://127.0.0.1:1",
    "DOWNWIND_PUSH_AUDIENCE": "https://on-push.example",
    "DOWNWIND_PUSH_EMAIL": "push@acme.iam.gserviceaccount.com",
    "DOWNWIND_OPERATE_URL": "https://operate.example",
    "DOWNWIND_GITHUB_SECRETS": "github",
    "DOWNWIND_ECHO_SECRET": "echo",
}
CARELESS = """
import functions_framework

@functions_framework.http
def careless(request):
    return "", 204
"""
Start = Callable[..., FunctionProcess]


@pytest.fixture
def start(reused: Any, tmp_path: Path) -> Iterator[Start]:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("github", "echo"):
        (secrets / name).write_text("hush\n")
    environment = {**reused.environment, **SETTINGS, "DOWNWIND_SECRETS_FOLDER": str(secrets)}
    with ExitStack() as running:
        yield lambda folder, target: running.enter_context(
            FunctionProcess(folder, target, environment, tmp_path / f"{target}.log", command=reused.framework)
        )


def states(memory: Any, ports: dict[str, int]) -> dict[str, str]:
    made = site(memory.world, "", url=lambda function: f"http://127.0.0.1:{ports[function]}/")
    found = [check() for check in doors.checks(made)]
    return {each.what: each.state for each in found}


def test_functions_as_in_the_cloud_refuse_each_of_them(memory: Any, start: Start, uploaded: Path) -> None:
    ports = {name: start(uploaded, target).port for name, target in TARGETS.items()}
    found = states(memory, ports)
    # A forged signature is judged by Google's keys: where they can't be had, on_push asks to come again, and that is no verdict.
    assert found.pop("a push with a forged token to on-push") in {"ok", "unreachable"}
    assert set(found.values()) == {"ok"}
    assert len(found) == 7


def test_a_function_that_lets_everybody_in_fails_each_of_them(memory: Any, start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "careless"
    folder.mkdir()
    (folder / "main.py").write_text(CARELESS)
    port = start(folder, "careless").port
    assert set(states(memory, dict.fromkeys(TARGETS, port)).values()) == {"failed"}
