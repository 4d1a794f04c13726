"""One set of cases, two services: our broker and (with WITH_PUBSUB_EMULATOR=1) Google's emulator, by the official clients."""

import contextlib
import itertools
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1 import PublisherClient as UnbatchedPublisher

from downwind.local.pubsub import Broker

# Where Google's emulator 0.8.20 does not do what the service's documentation says: a case, or all cases of one test. Each is
# a strict expected failure, so an emulator that gets one right fails the suite, and the line goes.
EMULATOR_DIFFERS = {
    "test_a_filter_keeps_out_what_does_not_match": "filters are stored, never applied",
    "test_a_filter_outside_the_grammar_is_refused": "filters are not parsed",
    "test_an_ack_deadline_out_of_range_is_refused[3]": "a deadline of 3 s is accepted",
    "test_a_deadline_is_modified_within_0_to_600_seconds[601]": "a deadline of 601 s is accepted",
    "test_a_topics_labels_are_updated": "labels are not among the fields of a topic that it updates",
    "test_a_message_over_the_services_limits_is_refused[attributes]": "attributes are not counted",
    "test_a_message_over_the_services_limits_is_refused[long-key]": "attribute keys are not measured",
    "test_a_message_over_the_services_limits_is_refused[long-value]": "attribute values are not measured",
    "test_a_message_over_the_services_limits_is_refused[empty-key]": "an empty attribute key is accepted",
    "test_a_message_over_the_services_limits_is_refused[size]": "messages are not measured",
    "test_what_no_repetition_helps_is_refused[attributes]": "attributes are not counted",
    "test_what_no_repetition_helps_is_refused[size]": "messages are not measured",
    "test_a_push_subscription_cannot_be_pulled": "a push subscription can be pulled",
    "test_a_retry_policy_delays_a_nacked_pull": "the first redelivery is immediate whatever the retry policy",
    "test_a_push_with_a_dead_letter_policy_counts_its_attempts": "pushes never carry deliveryAttempt",
    "test_an_ordering_key_is_pushed": "wrapped pushes never carry orderingKey",
    "test_unwrapped_bytes_arrive_unharmed": "unwrapped bytes that are not UTF-8 are replaced",
    "test_these_answers_acknowledge[202]": "202 is a nack",
    "test_every_other_answer_is_a_nack[203]": "203 acknowledges",
    "test_several_messages_are_under_way_at_a_time": "two pushes of one subscription are under way at most",
}

_projects = itertools.count(1)


@dataclass
class World:
    """A service, its official clients, and a project of its own."""

    name: str
    host: str
    project: str
    publisher: Any
    subscriber: Any

    def topic(self, name: str = "topic-one") -> str:
        return f"projects/{self.project}/topics/{name}"

    def subscription(self, name: str = "sub-one") -> str:
        return f"projects/{self.project}/subscriptions/{name}"

    def create_topic(self, name: str = "topic-one") -> str:
        return str(self.publisher.create_topic(name=self.topic(name)).name)

    def subscribe(self, name: str = "sub-one", topic: str = "topic-one", **fields: Any) -> str:
        request = {"name": self.subscription(name), "topic": self.topic(topic), **fields}
        return str(self.subscriber.create_subscription(request=request).name)

    def publish(self, data: bytes = b"", topic: str = "topic-one", key: str = "", **attributes: str) -> str:
        message = {"data": data, "attributes": attributes, "ordering_key": key}
        request = {"topic": self.topic(topic), "messages": [message]}
        return str(UnbatchedPublisher.publish(self.publisher, request=request).message_ids[0])

    def pull(self, count: int = 1, name: str = "sub-one") -> list[Any]:
        """Exactly `count` messages, over as many pulls as it takes, or fewer when no more come."""
        got: list[Any] = []
        end = time.monotonic() + 10
        while len(got) < count and time.monotonic() < end:
            request = {"subscription": self.subscription(name), "max_messages": count - len(got)}
            got += self.subscriber.pull(request=request, timeout=10).received_messages
        return got

    def nothing(self, name: str = "sub-one") -> bool:
        """Nothing is there to be pulled now."""
        request = {"subscription": self.subscription(name), "max_messages": 10, "return_immediately": True}
        with pytest.warns(DeprecationWarning, match="return_immediately"):
            return not self.subscriber.pull(request=request, timeout=10).received_messages

    def ack(self, *messages: Any, name: str = "sub-one") -> None:
        self.subscriber.acknowledge(subscription=self.subscription(name), ack_ids=[m.ack_id for m in messages])

    def nack(self, *messages: Any, name: str = "sub-one", seconds: int = 0) -> None:
        ids = [m.ack_id for m in messages]
        self.subscriber.modify_ack_deadline(
            subscription=self.subscription(name), ack_ids=ids, ack_deadline_seconds=seconds
        )


@dataclass
class Received:
    path: str
    headers: Any
    body: bytes


@dataclass
class Endpoint:
    """A push endpoint on loopback. It answers what `rule` says, else with `answers` in turn, then 204; while `gate` is
    closed, requests wait for it."""

    url: str
    received: "queue.Queue[Received]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[int]" = field(default_factory=queue.Queue)
    gate: threading.Event = field(default_factory=threading.Event)
    rule: Callable[[Received], int | None] = lambda _request: None

    def next(self) -> Received:
        return self.received.get(timeout=20)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Received(self.path, self.headers, body)
            found.received.put(got)
            found.gate.wait(20)
            status = found.rule(got) or (204 if found.answers.empty() else found.answers.get())
            self.send_response(status)
            if status >= 200:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Endpoint(f"http://127.0.0.1:{server.server_port}/hook")
    found.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    found.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp("pubsub"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def emulator_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    jar = _emulator_jar()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"]
    with (tmp_path_factory.mktemp("emulator") / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


@pytest.fixture(params=["broker", pytest.param("emulator", marks=pytest.mark.emulator)])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A project on each service that there is."""
    host = (
        request.getfixturevalue("broker").host
        if request.param == "broker"
        else request.getfixturevalue("emulator_host")
    )
    yield from _world(request.param, host, monkeypatch)


@pytest.fixture
def own_world(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A project on our broker, for what only it has."""
    yield from _world("broker", broker.host, monkeypatch)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], World]]:
    """A project on any host, by clients of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda host: stack.enter_context(contextlib.contextmanager(_world)("broker", host, monkeypatch))


def _world(name: str, host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    publisher, subscriber = PublisherClient(), SubscriberClient()
    yield World(name, host, f"case-{next(_projects)}-{os.getpid()}", publisher, subscriber)
    publisher.transport.close()
    subscriber.close()


@pytest.fixture
def free_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Makes started brokers of one's own; all are stopped at the end."""
    running: list[Broker] = []

    def make(data: Path = tmp_path, **options: Any) -> Broker:
        running.append(Broker(data, **options))
        running[-1].start()
        return running[-1]

    yield make
    for one in running:
        one.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without WITH_PUBSUB_EMULATOR=1 the emulator's cases are not collected; with it, they must run."""
    wanted = os.environ.get("WITH_PUBSUB_EMULATOR") == "1"
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here) and item.get_closest_marker("emulator")]
    if not wanted:
        items[:] = [item for item in items if item not in ours]
        return
    for item in ours:
        name = item.name.replace("emulator-", "").replace("-emulator", "").replace("[emulator]", "")
        reason = EMULATOR_DIFFERS.get(name) or EMULATOR_DIFFERS.get(name.split("[")[0])
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _emulator_jar() -> Path:
    """Google's emulator of the installed SDK; a missing one is a failure, since somebody asked for it."""
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        pytest.fail("WITH_PUBSUB_EMULATOR=1 needs gcloud and java on the path")
    query = [gcloud, "info", "--format=value(installation.sdk_root)"]
    root = Path(subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip())
    jars = sorted(root.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"))
    if not jars:
        pytest.fail(f"there is no Pub/Sub emulator in {root}: gcloud components install pubsub-emulator")
    return jars[-1]


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the emulator ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail("the emulator did not answer within 60 s")
