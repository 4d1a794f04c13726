"""kill -9, and a start on the same folder and ports: nothing that a publisher was told of is lost."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google.pubsub_v1 import PublisherClient as UnbatchedPublisher

from downwind.local.pubsub import Broker

_PROCESS = """
import signal, sys
from pathlib import Path
from downwind.local.pubsub import Broker
broker = Broker(Path(sys.argv[1]), port=int(sys.argv[2]), rest_port=int(sys.argv[3]))
broker.start()
print(broker.port, broker.rest_port, flush=True)
signal.pause()
"""


class Process:
    """A broker as a process of its own, to be killed."""

    def __init__(self, data: Path, port: int = 0, rest_port: int = 0) -> None:
        command = [sys.executable, "-c", _PROCESS, str(data), str(port), str(rest_port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, self.rest_port = (int(number) for number in self._process.stdout.readline().split())

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(*ports: int) -> Process:
        running.append(Process(tmp_path, *ports))
        return running[-1]

    yield start
    for one in running:
        one.kill()


def test_a_killed_broker_goes_on_where_it_was(process: Callable[..., Process], connect: Any, endpoint: Any) -> None:
    """Unacknowledged messages, leases, attempts, subscriptions, a push under way, the signing key: all stand."""
    first = process()
    world = connect(f"127.0.0.1:{first.port}")
    world.create_topic()
    world.create_topic("dead-letters")
    world.subscribe(dead_letter_policy={"dead_letter_topic": world.topic("dead-letters")})
    token = {"service_account_email": "a@demo.iam.gserviceaccount.com"}
    world.subscribe(
        "push-sub", push_config={"push_endpoint": endpoint.url, "oidc_token": token}, filter="attributes:push"
    )
    for name in (b"acked", b"leased", b"waiting"):
        world.publish(name)
    acked, leased = world.pull(2)
    world.ack(acked)
    endpoint.gate.clear()
    world.publish(b"pushed", push="1")
    endpoint.next()
    first.kill()
    endpoint.gate.set()

    second = process(first.port, first.rest_port)
    again = endpoint.next()
    certs = f"http://127.0.0.1:{second.rest_port}/-/certs"
    assert id_token.verify_token(again.headers["Authorization"].split()[1], Request(), endpoint.url, certs)
    assert [message.message.data for message in world.pull(2)] == [b"waiting", b"pushed"]
    assert world.nothing()
    world.nack(leased)
    (got,) = world.pull()
    assert (got.message.data, got.delivery_attempt) == (b"leased", 2)


def test_every_publish_that_was_answered_survives_a_kill_in_the_middle(
    process: Callable[..., Process], connect: Any
) -> None:
    first = process()
    world = connect(f"127.0.0.1:{first.port}")
    world.create_topic()
    world.subscribe()
    answered: list[str] = []
    enough = threading.Event()

    def publish() -> None:
        with contextlib.suppress(exceptions.GoogleAPIError):
            while True:
                request = {"topic": world.topic(), "messages": [{"data": b"x"}]}
                sent = UnbatchedPublisher.publish(world.publisher, request=request, retry=None, timeout=5)
                answered.extend(sent.message_ids)
                if len(answered) > 50:
                    enough.set()

    publishers = [threading.Thread(target=publish) for _ in range(4)]
    for thread in publishers:
        thread.start()
    assert enough.wait(20)
    first.kill()
    for thread in publishers:
        thread.join(20)
    process(first.port, first.rest_port)
    # Those whose answer the kill cut off may be there too.
    kept = {message.message.message_id for message in world.pull(len(answered))}
    while not set(answered) <= kept:
        more = {message.message.message_id for message in world.pull(1)}
        assert more, f"lost: {sorted(set(answered) - kept)}"
        kept |= more


def test_the_signing_key_outlives_a_restart(free_broker: Callable[..., Broker], tmp_path: Path) -> None:
    first = free_broker(tmp_path)
    token = first.token("https://a.example", "a@example.com")
    first.stop()
    second = free_broker(tmp_path)
    assert id_token.verify_token(token, Request(), "https://a.example", second.certs_url)["email"] == "a@example.com"


def test_a_snapshot_outlives_a_restart(free_broker: Callable[..., Broker], connect: Any, tmp_path: Path) -> None:
    first = free_broker(tmp_path)
    world = connect(first.host)
    world.create_topic()
    world.subscribe()
    world.publish(b"kept")
    name = f"projects/{world.project}/snapshots/snap-one"
    world.subscriber.create_snapshot(request={"name": name, "subscription": world.subscription()})
    world.ack(*world.pull())
    first.stop()
    free_broker(tmp_path, port=first.port)
    world.subscriber.seek(request={"subscription": world.subscription(), "snapshot": name})
    assert [message.message.data for message in world.pull()] == [b"kept"]


def test_a_second_broker_on_one_folder_fails_at_once(free_broker: Callable[..., Broker], tmp_path: Path) -> None:
    free_broker(tmp_path)
    with pytest.raises(Exception, match="locked"):
        free_broker(tmp_path)
