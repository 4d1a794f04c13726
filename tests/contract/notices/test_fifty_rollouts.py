"""The whole way: the handlers and the tick, the real adapters, receivers on the wire that refuse, break off and lose answers."""

import random
import socket
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.memory import MemoryWorld

ROLLOUTS = 50
KINDS = ("github-status", "deployments", "slack", "chat", "hook", "mail")
SECRETS = ("catcher", "a-key-of-ours", "pass:word", "/hooks/teams")


@pytest.fixture
def told(shop: Any, wire: Any) -> Any:
    """The shop, staging only, that tells everybody."""
    notify = f"""notify:
  - {{name: github-status, to: commit-status, credentials: token}}
  - {{name: deployments, to: github-deployments, credentials: token}}
  - {{name: slack, to: slack, channel: C0123456789, credentials: token}}
  - {{name: chat, to: google-chat, space: spaces/AAAA}}
  - {{name: teams, to: teams, credentials: teams, text: "{{application}} {{sequence}} {{status}}"}}
  - {{name: hook, to: webhook, address: "{wire.catcher.url}/hooks/own", credentials: key}}
  - name: mail
    to: mail
    server: "localhost:{wire.mail.port}"
    sender: downwind@acme.example
    recipients: [sre@acme.example]
    credentials: login
environments:
"""
    text = shop.catalog.replace("environments:\n", notify)
    text = text.replace("    after: staging\n", "    after: staging\n    promotion: request\n")
    made = type(shop)(MemoryWorld(), text)
    made.world = replace(made.memory.world, notifier=wire.notifier)
    return made


class Weather:
    """Each request may be refused for now, be cut before anything was done, or lose its answer."""

    def __init__(self, wire: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.counts = {"refused": 0, "cut": 0, "lost": 0}
        self.catcher = wire.catcher
        self.catcher.disturb, self.catcher.after = self.before, self.after

    def before(self, request: Request) -> Response | None:
        drawn = self.random.random()
        if drawn < 0.1:
            self.counts["refused"] += 1
            return Response("later", 503)
        if drawn < 0.2:
            self.counts["cut"] += 1
            self._cut(request)
            return Response("nobody hears this", 200)
        return None

    def after(self, request: Request) -> None:
        if self.random.random() < 0.1:
            self.counts["lost"] += 1
            self._cut(request)

    def end(self) -> None:
        self.catcher.disturb = self.catcher.after = None

    @staticmethod
    def _cut(request: Request) -> None:
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 4])
def test_fifty_rollouts_are_fifty_messages_on_the_wire(told: Any, wire: Any, seed: int, capsys: Any) -> None:
    weather, chance = Weather(wire, seed), random.Random(seed)
    ends = []
    for _ in range(ROLLOUTS):
        told.build(told.push())
        execution = told.executions("staging")[-1]
        fails = chance.random() < 0.3
        if fails:
            told.memory.pipelines.fail_stage(execution["id"], "4", "denied")
            told.echo(execution)
        else:
            told.finish(execution)
        ends.append("failed" if fails else "succeeded")
        for kind, message in chance.choices(told.sent, k=2):
            told.deliver(kind, message)
        if chance.random() < 0.5:
            told.tick()
    weather.end()
    for _ in range(300):  # the pauses of the last attempts are long
        if told.open():
            told.tick()
    assert min(weather.counts.values()) > 10, weather.counts
    for kind in KINDS:
        assert sorted(wire.shown(kind)) == sorted(ends), f"seed {seed}: {kind}"
    assert wire.shown("teams").count("failed") >= ends.count("failed"), f"seed {seed}: no failure is lost"
    assert wire.shown("teams").count("succeeded") <= ends.count("succeeded"), f"seed {seed}: no success comes twice"
    assert told.open() == [], f"seed {seed}"
    no_secrets(told, capsys.readouterr().out)


@pytest.mark.parametrize("status", [401, 404, 500])
def test_no_secret_gets_into_the_ledger_or_the_log(told: Any, wire: Any, status: int, capsys: Any) -> None:
    wire.catcher.disturb = lambda _request: Response("no", status)
    wire.mail.replies["AUTH"] = "535 no"
    told.build(told.push())
    told.finish(told.executions("staging")[-1])
    told.tick(3)
    printed = capsys.readouterr().out
    assert printed.count("was not told") >= 7
    no_secrets(told, printed)


def no_secrets(shop: Any, printed: str) -> None:
    memory = shop.memory
    kept = [printed]
    for store in (memory.ledger, memory.work, memory.bundles):
        names = [each.name for each in store.list("")]
        kept += [f"{each.name} {each.data!r} {each.metadata}" for each in store.read_all(names)]
    assert [secret for secret in SECRETS if any(secret in text for text in kept)] == []
