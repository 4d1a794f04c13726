"""A local Gate with a real local Cloud Storage behind it and a catcher for Echo's events, and a client that waits."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from downwind.local.gate import GateServer
from downwind.local.http import Handler, HttpPart
from downwind.local.outbox import Outbox
from downwind.local.storage import StorageServer
from downwind.model.execution import FINISHED, Execution, read_execution
from downwind.model.pipeline_file import fill
from downwind.soundness.read_pipeline import read_pipeline

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0


class Catcher(HttpPart):
    """Takes Echo's events as `receive` would, and keeps them."""

    name = "catcher"

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.arrived = threading.Condition()
        super().__init__()

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("POST",), "/receive", self._take)]

    def _take(self, request: Request) -> Response:
        with self.arrived:
            self.events.append({"headers": dict(request.headers), "body": json.loads(request.data)})
            self.arrived.notify_all()
        return Response(status=204)

    def kinds(self, execution_id: str) -> list[str]:
        return [
            e["body"]["details"]["type"] for e in self.events if e["body"]["content"]["executionId"] == execution_id
        ]

    def wait_for(self, reached: Callable[[], bool]) -> None:
        with self.arrived:
            assert self.arrived.wait_for(reached, PATIENCE), [e["body"]["details"]["type"] for e in self.events]


class Lab:
    """The parts, and calls to Gate. `kill` leaves everything as a kill -9 would, `restart` starts it again."""

    def __init__(self, folder: Path, account: str = "local") -> None:
        self.folder = folder
        self.account = account
        self.echo_poll = 0.0
        self.catcher = Catcher()
        self.storage = StorageServer(folder / "storage")
        self.outbox = Outbox(folder / "outbox.db", pause=0.01)
        self.http = requests.Session()
        self.catcher.start()
        self.storage.start()
        self.gate = self._new_gate()

    def _new_gate(self, port: int = 0) -> GateServer:
        gate = GateServer(
            self.folder / "gate",
            port=port,
            outbox=self.outbox,
            storage_url=self.storage.url,
            receive_url=f"{self.catcher.url}/receive",
            echo_secret="swordfish",
            account=self.account,
            echo_poll=self.echo_poll,
            task_seconds=0.001,
        )
        gate.start()
        return gate

    def restart(self) -> None:
        port = self.gate.port
        self.gate.stop()
        self.gate = self._new_gate(port)

    def stop(self) -> None:
        self.http.close()
        self.gate.stop()
        self.outbox.stop()
        self.storage.stop()
        self.catcher.stop()

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.http.request(method, self.gate.url + path, json=body, timeout=PATIENCE, **more)

    def save(self, *stages: dict[str, Any], name: str = "p", application: str = "shop", **more: Any) -> None:
        document = {"application": application, "name": name, "stages": list(stages), **more}
        assert self.call("POST", "/pipelines", document).status_code == 200

    def ship(self, file: str, *, environment: str) -> dict[str, Any]:
        """Saves one of the shipped pipelines."""
        document = read_pipeline(file, (ROOT / "pipelines" / file).read_bytes())
        filled = fill(
            document,
            application="shop",
            environment=environment,
            bundles_bucket="bundles",
            namespace="shop",
            account="local",
        )
        assert self.call("POST", "/pipelines", filled).status_code == 200
        return filled

    def start(self, name: str = "p", body: Any = None, application: str = "shop") -> str:
        answer = self.call("POST", f"/pipelines/{application}/{name}", body if body is not None else {})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["ref"]).removeprefix("/pipelines/")

    def rollout(self, name: str, sequence: int, environment: str, sent: dict[str, str] | None = None) -> str:
        """Starts as Downwind does, with the stamped bundle of that sequence; `sent` differs from the right words."""
        bundle = self.bundle(sequence, environment)
        downwind = {
            "application": "shop",
            "environment": environment,
            "sequence": str(sequence),
            "attempt": "0",
            **(sent or {}),
        }
        trigger = {
            "type": "downwind",
            "correlationId": f"c-{environment}-{sequence}-{downwind['attempt']}",
            "downwind": downwind,
            "artifacts": [bundle],
            "expectedArtifactIds": ["bundle"],
        }
        return self.start(name, trigger)

    def bundle(
        self, sequence: int, environment: str, image: str = "r.example/shop@sha256:" + "a" * 64
    ) -> dict[str, Any]:
        marks = {"downwind.dev/owner": f"shop/{environment}", "downwind.dev/sequence": str(sequence)}
        guard = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"downwind.shop.{environment}.guard",
                "namespace": "shop",
                "annotations": {**marks, "strategy.spinnaker.io/versioned": "false"},
            },
        }
        pod = {"spec": {"containers": [{"name": "web", "image": image}]}}
        web = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "annotations": {**marks, "note": "${execution.id}"}},
            "spec": {"replicas": 1, "template": pod},
        }
        text = "\n---\n".join(json.dumps(item) for item in (guard, web))
        return self.store(f"shop/{environment}/rollout/{sequence}.yaml", text, f"gs://bundles/shop/{environment}")

    def store(self, name: str, text: str, artifact: str) -> dict[str, Any]:
        """Puts the text into the bucket; the artifact that names just this generation."""
        self.http.post(f"{self.storage.url}/storage/v1/b?project=demo", json={"name": "bundles"}, timeout=PATIENCE)
        answer = self.http.post(
            f"{self.storage.url}/upload/storage/v1/b/bundles/o",
            params={"uploadType": "media", "name": name},
            data=text.encode(),
            headers={"Content-Type": "application/yaml"},
            timeout=PATIENCE,
        )
        generation = answer.json()["generation"]
        reference = f"gs://bundles/{name}#{generation}"
        return {"type": "gcs/object", "name": artifact, "reference": reference, "version": generation}

    def execution(self, execution_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/pipelines/{execution_id}").json()
        return found

    def until(self, execution_id: str, reached: Callable[[Execution], bool]) -> dict[str, Any]:
        """Polls Gate until the execution is as wanted; its JSON."""
        waiting = threading.Event()
        for _ in range(int(PATIENCE / 0.005)):
            document = self.execution(execution_id)
            if reached(read_execution(document)):
                return document
            waiting.wait(0.005)
        raise AssertionError(json.dumps(document)[:3000])

    def ended(self, execution_id: str) -> dict[str, Any]:
        return self.until(execution_id, lambda found: found.status in FINISHED and found.ended is not None)

    def judged_at(self, execution_id: str) -> str:
        """Waits for a judgment, whose task runs a moment after its stage; the id of the stage."""
        waiting = threading.Event()
        for _ in range(int(PATIENCE / 0.005)):
            document = self.until(execution_id, lambda found: found.judgment is not None)
            found = read_execution(document).judgment
            stage = next(stage for stage in document["stages"] if stage["id"] == found)
            if stage["tasks"] and stage["tasks"][-1]["status"] == "RUNNING":
                assert found is not None
                return found
            waiting.wait(0.005)
        raise AssertionError(json.dumps(document)[:3000])

    def judge(self, execution_id: str, word: str) -> None:
        stage = self.judged_at(execution_id)
        answer = self.call("PATCH", f"/pipelines/{execution_id}/stages/{stage}", {"judgmentStatus": word})
        assert answer.status_code == 200


class Replay:
    """Requests recorded from real Gate, Orca and Front50 2026.2.3, sent again; answers compared but for ids and times."""

    RECORDED = Path(__file__).parent / "recorded"
    # Values that differ from run to run, or that the tests shorten.
    VOLATILE = re.compile(".*(Time|Ts|timestamp|Ms)$|^waitTime$|^allowedAccounts$|^stackTrace$")
    ULID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")
    UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def recording(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.RECORDED / f"{name}.json").read_text())
        return found

    def send(self, request: dict[str, Any]) -> requests.Response:
        """The bytes as recorded: a body that is text was text on the wire."""
        body = request.get("body")
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if "body" in request else None
        headers = {"Content-Type": "application/json", **request.get("headers", {})} if data is not None else {}
        prepared = requests.Request(request["method"], self.lab.gate.url, data=data, headers=headers).prepare()
        prepared.url = self.lab.gate.url + request["path"]
        return self.lab.http.send(prepared, timeout=PATIENCE)

    def check(self, name: str) -> None:
        found = self.recording(name)
        answer, wanted = self.send(found["request"]), found["response"]
        content_type = wanted["headers"]["content-type"]
        assert (answer.status_code, answer.headers.get("Content-Type")) == (wanted["status"], content_type)
        assert self.shape(answer.json() if answer.content else "") == self.shape(wanted["body"])

    def check_exactly(self, found: dict[str, Any]) -> None:
        """All of the answer, ids and times included: for runs that are the recorded ones."""
        answer, wanted = self.send(found["request"]), found["response"]
        assert (answer.status_code, answer.json()) == (wanted["status"], wanted["body"])

    def shape(self, value: Any, key: str = "") -> Any:
        """The value, with what changes from run to run replaced by its kind."""
        if self.VOLATILE.match(key):
            return f"<{key}>"
        if isinstance(value, dict):
            return {name: self.shape(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.shape(item, key) for item in value]
        return self.UUID.sub("<uuid>", self.ULID.sub("<ulid>", value)) if isinstance(value, str) else value

    def save_demo(self) -> None:
        """The recorder's application `demo`, with its waits cut to nothing."""
        for path in sorted(self.RECORDED.glob("save-pipeline-*.json")):
            request, response = (self.recording(path.stem)[half] for half in ("request", "response"))
            waits = [stage for stage in request["body"].get("stages", []) if stage["type"] == "wait"]
            for stage in waits:
                stage["waitTime"] = 0
            if response["status"] == 200:
                self.send(request)
        parameters = [{"name": "version", "required": True}, {"name": "region", "default": "eu"}]
        wait = {"type": "wait", "refId": "1", "name": "Wait", "waitTime": 0}
        self.lab.save(wait, application="demo", name="with-params-nodefault", parameterConfig=parameters)


class Played(Replay):
    """A session played again: ids of the recording are those that stood in the same place here, one for one."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.ids: dict[str, str] = {}

    def play(self, *names: str, folder: str = "recorded") -> Any:
        """Sends each; status and content type as recorded, the body by shape. The last answer's JSON."""
        body = None
        for name in names:
            found = json.loads((self.RECORDED.parent / folder / f"{name}.json").read_text())
            body = self.exchange(found["request"], found["response"], name)
        return body

    def exchange(self, request: dict[str, Any], wanted: dict[str, Any], name: str) -> Any:
        answer = self.send(json.loads(self.here(json.dumps(request))))
        kind = wanted["headers"].get("content-type")
        assert (answer.status_code, answer.headers.get("Content-Type")) == (wanted["status"], kind), (name, answer.text)
        body = answer.json() if answer.content else None
        recorded = None if wanted["body"] == "" else wanted["body"]
        self.learn(recorded, body)
        assert self.shape(body) == self.shape(recorded), name
        return body

    def here(self, text: str) -> str:
        for recorded, ours in self.ids.items():
            text = text.replace(recorded, ours)
        return text

    def learn(self, recorded: Any, ours: Any) -> None:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            for key in recorded.keys() & ours.keys():
                self.learn(recorded[key], ours[key])
        elif isinstance(recorded, list) and isinstance(ours, list):
            for one, other in zip(recorded, ours, strict=False):
                self.learn(one, other)
        elif isinstance(recorded, str) and isinstance(ours, str):
            for pattern in (self.ULID, self.UUID):
                here = [match[0] for match in pattern.finditer(ours)]
                for match, other in zip(pattern.finditer(recorded), here, strict=False):
                    self.same(match[0], other)

    def same(self, recorded: str, ours: str) -> None:
        known = self.ids.setdefault(recorded, ours)
        assert known == ours, f"{recorded} was {known}, and is {ours} now"
        others = [each for each, other in self.ids.items() if other == ours]
        assert others == [recorded], f"{ours} stands for {others}"


@pytest.fixture
def played(lab: Lab) -> Played:
    return Played(lab)


@pytest.fixture(scope="module")
def played_over() -> type[Played]:
    return Played


@pytest.fixture
def replay_of() -> type[Replay]:
    return Replay


@pytest.fixture(scope="module")
def replay(module_lab: Lab) -> Replay:
    found = Replay(module_lab)
    found.save_demo()
    return found


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for all tests of a module that only adds to it."""
    found = Lab(tmp_path_factory.mktemp("lab"))
    yield found
    found.stop()


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """`account`: a mark of that name gives the account another name."""
    account = request.node.get_closest_marker("account")
    found = Lab(tmp_path, *(account.args if account else ()))
    yield found
    found.stop()
