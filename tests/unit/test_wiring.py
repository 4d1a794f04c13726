"""What the wiring itself promises: secrets no older than five minutes, one instance for a process."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from downwind import entry
from downwind.errors import Misconfigured, PermanentError, TransientError
from downwind.wiring import Lazy, RecentSecrets

SETTINGS = {
    "DOWNWIND_PROJECT": "acme",
    "DOWNWIND_LEDGER_BUCKET": "acme-ledger",
    "DOWNWIND_WORK_BUCKET": "acme-work",
    "DOWNWIND_CATALOG_BUCKET": "acme-catalog",
    "DOWNWIND_BUNDLES_BUCKET": "acme-bundles",
    "DOWNWIND_GATE_URL": "https://gate.acme.example",
    "DOWNWIND_PUSH_AUDIENCE": "https://functions.acme.example",
    "DOWNWIND_PUSH_EMAIL": "push@acme.iam.gserviceaccount.com",
}


class Counted:
    def __init__(self) -> None:
        self.reads = 0

    def read(self, name: str) -> str:
        self.reads += 1
        return f"{name} {self.reads}"


def test_a_secret_is_kept_five_minutes_and_no_longer() -> None:
    now = [0.0]
    secrets = RecentSecrets(Counted(), lambda: now[0])
    assert [secrets.read("a"), secrets.read("a")] == ["a 1", "a 1"]
    now[0] = 300.1
    assert secrets.read("a") == "a 2"


def test_a_forgotten_secret_is_asked_for_anew_and_others_are_not() -> None:
    secrets: Any = Lazy(lambda: RecentSecrets(Counted()))
    assert [secrets.read("a"), secrets.read("b")] == ["a 1", "b 2"]
    secrets.forget("a")
    secrets.forget("never read")
    assert [secrets.read("a"), secrets.read("b")] == ["a 3", "b 2"]


def test_two_first_requests_at_once_get_one_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Barrier(2)

    def first() -> entry.Instance:
        ready.wait(20)
        return entry.instance()

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    entry._made.cache_clear()
    try:
        with ThreadPoolExecutor(2) as pool:
            one, other = (future.result() for future in [pool.submit(first), pool.submit(first)])
        assert one is other
    finally:
        entry._made.cache_clear()


def test_a_misconfiguration_is_left_to_the_tick_and_says_what_to_do() -> None:
    error = Misconfigured("no such bucket", fix="make it")
    assert isinstance(error, TransientError)
    assert not isinstance(error, PermanentError)
    assert str(error) == "no such bucket; make it"
