"""What three versions of the real `spin` send, sent again: 462 recordings of mono (2026.2.3), old (2025) and main.

Where a real Gate answered, ours has to answer the same, by shape; the state before each call is made of the recordings
themselves. Where the recorder made the answer up, it is held that ours knows the call. Where a `spin` is on the path, it is
driven too.
"""

import http.client
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from downwind.local.gate.records import COMPLETE, Records

pytestmark = pytest.mark.long

SPIN = Path(__file__).parent / "recorded_spin"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(SPIN.glob("*.json"))}


def plain(name: str) -> str:
    return name.removeprefix("old-").removeprefix("main-")


def made_up(name: str) -> bool:
    """The recorder answered, not a Gate."""
    return plain(name).startswith(("error-", "input-", "auth-", "config-")) or name.endswith("-api-token")


def of_templates(name: str) -> bool:
    return any(
        "ipelineTemplates" in each["request"]["path"] or "from-template" in each["request"]["path"]
        for each in exchanges(name)
    )


def exchanges(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = FILES[name]["exchanges"]
    return found


REAL = sorted(name for name in FILES if exchanges(name) and not made_up(name) and not of_templates(name))
MADE_UP = sorted(name for name in FILES if exchanges(name) and made_up(name) and not of_templates(name))
TEMPLATES = sorted(name for name in FILES if of_templates(name))
WITHOUT = sorted(name for name in FILES if not exchanges(name))


def saved_somewhere() -> dict[tuple[str, str], dict[str, Any]]:
    """The newest text of each pipeline that any recording saves or shows, by application and name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name in REAL:
        for each in exchanges(name):
            for side in ("request", "response"):
                body = each[side].get("body")
                for item in body if isinstance(body, list) else [body]:
                    saved = isinstance(item, dict) and {"stages", "application", "name"} <= item.keys()
                    if saved and "trigger" not in item and isinstance(item["name"], str):
                        found.setdefault((item["application"], item["name"]), item)
    return found


PIPELINES = saved_somewhere()


class State:
    """What the local Gate knows before a call, as the recorded answer wants it."""

    def __init__(self, lab: Any) -> None:
        self.path = lab.folder / "gate" / "spinnaker.db"

    def wipe(self) -> None:
        with sqlite3.connect(self.path, timeout=20) as database:
            for table in ("executions", "pipelines", "applications", "tasks"):
                database.execute(f"DELETE FROM {table}")
        database.close()

    def prepare(self, request: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        self.wipe()
        records = Records(self.path)
        parts = [unquote(part) for part in request["path"].partition("?")[0].split("/")[1:]]
        body, status = response.get("body"), response["status"]
        items = [each for each in (body if isinstance(body, list) else [body]) if isinstance(each, dict)]
        for each in items:
            if each.get("type") == "PIPELINE":
                records.put_execution(each, active=each["status"] not in COMPLETE)
                self._pipeline(
                    records, {"id": each["pipelineConfigId"], "application": each["application"], "name": each["name"]}
                )
            elif parts[-2:-1] == ["pipelineConfigs"] or parts[-1:] == ["pipelineConfigs"] or parts[-1] == "":
                if "stages" in each:
                    self._pipeline(records, {key: value for key, value in each.items() if key != "index"})
            elif parts[0] == "applications" and len(parts) < 3 and status == 200:
                records.put_application(each.get("attributes", each))
        if request["method"] == "POST" and parts[0] == "pipelines" and len(parts) == 3 and status < 404:
            self._starting(records, parts[1], parts[2], status, str(body))
        if request["method"] == "POST" and parts == ["pipelines"] and "already exists" in str(body):
            given = request["body"]
            self._pipeline(records, {**given, "name": given["name"].lower(), "id": "standing"})
        if parts[-1] == "cancel" and status == 200:
            execution = parts[parts.index("pipelines") + 1]
            run = {
                "id": execution,
                "application": "spinapp",
                "pipelineConfigId": "x",
                "status": "CANCELED",
                "name": "x",
            }
            records.put_execution({**run, "trigger": {}, "stages": [], "canceled": True}, active=False)
        records.stop()

    def _starting(self, records: Records, application: str, name: str, status: int, said: str) -> None:
        known = PIPELINES.get((application, name)) or next(
            (each for (owner, _), each in PIPELINES.items() if owner == application and each.get("id") == name), None
        )
        if known is None and re.fullmatch("[0-9a-f-]{36}", name):  # by an id of Front50's
            known = {**PIPELINES[application, "spin-wait"], "id": name}
        document = {"stages": [], **(known or {}), "application": application, "disabled": "disabled" in said}
        document.setdefault("name", name)
        if status == 202:
            document["stages"] = [{"type": "wait", "refId": "1", "name": "Wait", "waitTime": 0}]
        self._pipeline(records, {"id": f"id-of-{name}", **document})

    def _pipeline(self, records: Records, document: Mapping[str, Any]) -> None:
        records.put_pipeline({"updateTs": "1", "stages": [], **document})


@pytest.fixture(scope="module")
def gate(module_lab: Any, played_over: Any) -> Any:
    return played_over(module_lab)


@pytest.mark.account("kube-1")
@pytest.mark.parametrize("name", REAL)
def test_a_call_of_spin_is_answered_as_by_a_real_gate(gate: Any, name: str) -> None:
    gate.ids.clear()
    state = State(gate.lab)
    for number, each in enumerate(exchanges(name)):
        request, response = each["request"], each["response"]
        path = request["path"]
        if path.startswith("/tasks/") and response["body"]["status"] == "RUNNING":
            continue  # ours are done at once
        if path.startswith("/credentials") and response["body"]:
            known = gate.lab.call("GET", path.replace("kube-1", "local")).json()
            wanted = response["body"]
            assert set(known if isinstance(known, dict) else known[0]) == set(
                wanted if isinstance(wanted, dict) else wanted[0]
            )
            continue
        if path.startswith("/credentials") and response["body"] == []:
            continue  # the recorder had no account yet, ours always has one
        if not path.startswith("/tasks/"):
            state.prepare(request, response)
        sent = {key: value for key, value in request.items() if value is not None}
        answer = gate.send(json.loads(gate.here(json.dumps(sent))))
        kind = response["headers"].get("content-type")
        assert (answer.status_code, answer.headers.get("Content-Type")) == (response["status"], kind), (
            number,
            answer.text,
        )
        body = answer.json() if answer.content else None
        gate.learn(response["body"], body)
        if path.startswith("/tasks/"):
            assert tasks_of(body) == tasks_of(response["body"])
        else:
            assert gate.shape(body) == gate.shape(response["body"]), number
    after = FILES[name].get("after")
    if after and "path" in after:
        execution = gate.here(after["path"].rpartition("/")[2])
        trigger = gate.lab.ended(execution)["trigger"]
        assert gate.shape(trigger) == gate.shape(after["execution"]["trigger"])


def tasks_of(task: Any) -> Any:
    """What a task of an application did; what was there before is another recording's affair."""
    stages = task["execution"]["stages"]
    return (
        task["status"],
        sorted(task),
        sorted(task["execution"]),
        [(each["type"], each["status"], sorted(set(each["context"]) - {"previousState"})) for each in stages],
        [[step["implementingClass"] for step in each["tasks"]] for each in stages],
    )


@pytest.mark.parametrize("name", MADE_UP)
def test_a_call_of_spin_is_one_that_we_know(gate: Any, name: str) -> None:
    for each in exchanges(name):
        request = {key: value for key, value in each["request"].items() if value is not None and key != "headers"}
        if request["path"].startswith(("/login", "/api/", "//")) or request["path"] == "/":
            continue  # a sign-in's own pages, and addresses that the recorder's proxy had
        answer = gate.send(request)
        assert answer.status_code != 501, answer.text
        assert "No static resource" not in answer.text


@pytest.mark.parametrize("name", TEMPLATES)
def test_pipeline_templates_are_refused_by_name_and_not_by_chance(gate: Any, name: str) -> None:
    for each in exchanges(name):
        request = {key: value for key, value in each["request"].items() if value is not None}
        if "/v2/pipelineTemplates" in request["path"]:
            answer = gate.send(request)
            assert (answer.status_code, "is not part of the local world" in answer.text) == (501, True)


def test_every_recording_of_spin_is_one_of_these() -> None:
    assert len({*REAL, *MADE_UP, *TEMPLATES, *WITHOUT}) == len(FILES) == 462
    assert len(REAL) + len(MADE_UP) + len(TEMPLATES) + len(WITHOUT) == len(FILES)
    assert len(REAL) > 150


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith("real-gate")))
def test_an_address_with_a_slash_at_its_end_is_refused(gate: Any, name: str) -> None:
    """Sent by hand: every good client takes one of the two slashes away."""
    (each,) = exchanges(name)
    connection = http.client.HTTPConnection("127.0.0.1", gate.lab.gate.port, timeout=20)
    connection.request("GET", each["request"]["path"])
    answer = connection.getresponse()
    assert (answer.status, gate.shape(json.loads(answer.read()))) == (400, gate.shape(each["response"]["body"]))
    connection.close()


@pytest.fixture
def spin(tmp_path: Path, lab: Any) -> Iterator[Any]:
    """The `spin` on the path, with its configuration as `downwind spinnaker spin-config` writes it."""
    program = shutil.which("spin")
    if program is None:
        pytest.skip("no spin on the path")
    config = tmp_path / "config"
    config.write_text(f"gate:\n  endpoint: {lab.gate.url}\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (program, *words, "--config", str(config)), capture_output=True, text=True, timeout=60, check=False
        )

    yield run


def test_a_real_spin_saves_starts_and_lists(spin: Any, lab: Any, tmp_path: Path) -> None:
    assert (
        spin("application", "save", "-a", "spin", "--owner-email", "a@b", "--cloud-providers", "kubernetes").returncode
        == 0
    )
    file = tmp_path / "p.json"
    wait = {"type": "wait", "refId": "1", "name": "Wait", "waitTime": 0, "requisiteStageRefIds": []}
    file.write_text(json.dumps({"application": "spin", "name": "p", "stages": [wait], "triggers": []}))
    assert spin("pipeline", "save", "-f", str(file)).returncode == 0
    assert json.loads(spin("pipeline", "get", "-a", "spin", "-n", "p").stdout)["name"] == "p"
    assert spin("pipeline", "execute", "-a", "spin", "-n", "p").returncode == 0
    (found,) = lab.call("GET", "/applications/spin/pipelines").json()
    assert lab.ended(found["id"])["status"] == "SUCCEEDED"
    listed = json.loads(spin("pipeline", "execution", "list", "-p", found["pipelineConfigId"]).stdout)
    assert [each["id"] for each in listed] == [found["id"]]
    assert spin("pipeline", "delete", "-a", "spin", "-n", "p").returncode == 0
