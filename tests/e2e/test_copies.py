"""One message, delivered two hundred times at once to the real functions: one effect."""

import base64
import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from downwind.local.testing import DownwindWorld
from downwind.reconcile import names

pytestmark = pytest.mark.e2e
COPIES = 200


def test_two_hundred_copies_of_one_message_at_once_make_one_rollout(
    downwind_world: DownwindWorld, change: Callable[[], str]
) -> None:
    commit = change()
    downwind_world.wait_for("shop", "staging", commit)
    change()
    order = {
        "id": str(uuid.uuid4()),
        "verb": "deploy",
        "application": "shop",
        "environment": "staging",
        "commit": commit,
    }
    since = datetime.now(UTC) - timedelta(minutes=1)
    barrier = threading.Barrier(COPIES)

    def deliver(index: int) -> int:
        """Half of them redelivered under the message's own id, half published again under others."""
        message = {
            "messageId": order["id"] if index % 2 else f"{order['id']}-{index}",
            "data": base64.b64encode(json.dumps(order).encode()).decode(),
        }
        body = {"message": message, "subscription": "projects/local/subscriptions/rollout-requests"}
        barrier.wait(timeout=60)
        while True:
            answer = requests.post(f"{downwind_world.local.url('functions')}/on_request", json=body, timeout=120)
            if answer.status_code != 503:  # Pub/Sub sends it again, and so do we
                return answer.status_code

    with ThreadPoolExecutor(COPIES) as pool:
        assert set(pool.map(deliver, range(COPIES))) == {204}

    def ordered(fact: Any) -> bool:
        return (fact.body.get("kind"), fact.body.get("request")) == ("entry", order["id"])

    number = downwind_world.wait("shop", ordered, "the entry of the order").body["n"]

    def ended(fact: Any) -> bool:
        body = fact.body
        return (body.get("kind"), body.get("environment"), body.get("n")) == ("outcome", "staging", number)

    assert downwind_world.wait("shop", ended, "its outcome").body["status"] == "succeeded"
    log = downwind_world.ports.ledger.list(names.log("shop", "staging"))
    assert len([each for each in log if order["id"] in each.metadata["fact"]]) == 1
    started = [
        execution
        for attempt in range(3)
        for execution in downwind_world.ports.pipelines.search(
            "shop", names.correlation("shop", "staging", number, attempt), since
        )
    ]
    assert len(started) == 1
