"""`downwind bootstrap verify` whole, of an installation in the cloud: the command line in a process of its own, with the very
addresses of Google's, which lead to the fake for what stands there and to the local world for what happens."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests
from tests.bootstrap.edge.machine import Machine, put_secret
from tests.bootstrap.whole.conftest import PACKAGE, bootstrap

from downwind.local.kubernetes_api import PREFIX

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")]
BINDINGS = f"{PREFIX}/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
States = dict[tuple[str, str], str]


def checks(done: Any, code: int) -> States:
    """State by group and what was checked, without whose token it was tried with."""
    assert done.returncode == code, done.stdout + done.stderr
    document: Any = json.loads(done.stdout)
    assert document["sound"] == (code == 0)
    return {(each["group"], each["what"].split(" (")[0]): each["state"] for each in document["checks"]}


def failed(found: States) -> set[tuple[str, str]]:
    assert set(found.values()) <= {"ok", "failed", "not applicable"}, found
    return {key for key, state in found.items() if state == "failed"}


def verify(machine: Machine) -> Any:
    return bootstrap(machine, "verify", "--package", PACKAGE, "-o", "json")


def assert_whole(machine: Machine) -> None:
    found = checks(verify(machine), 0)
    assert set(found.values()) == {"ok"}, found
    groups = [group for group, _ in found]
    counted = {group: groups.count(group) for group in groups}
    assert counted == {"rollout": 11, "refused": 12, "clusters": 1, "spinnaker": 1, "drift": 1}
    assert machine.proxy.escaped == [], "nothing is asked but what is answered here"


def test_an_installation_is_proved_whole(machine: Machine) -> None:
    assert_whole(machine)


@pytest.mark.long
def test_an_installation_that_runs_its_package_is_proved_whole(installed: Machine) -> None:
    assert_whole(installed)
    assert installed.programs is not None
    called = {each.removeprefix("downwind-").partition("-0")[0] for each in installed.programs.running}
    assert called == {"receive", "on-push", "on-build", "on-image", "on-execution", "on-tick"}


@contextmanager
def secret_that_was_turned(machine: Machine) -> Iterator[None]:
    """A new secret of the webhooks that the functions do not have."""
    put_secret(machine, "downwind-webhooks", "another")
    yield
    versions = [key for key in machine.state.resources if "downwind-webhooks/versions/" in key[1]]
    for key in versions:
        if key[1].endswith(f"/{len(versions) // 2}"):
            del machine.state.resources[key]


@contextmanager
def door_that_is_open(machine: Machine) -> Iterator[None]:
    name = "projects/acme-proof/locations/us-central1/services/downwind-operate"
    binding = next(each for each in machine.state.policies["run", name]["bindings"] if "invoker" in each["role"])
    binding["members"].append("allUsers")
    yield
    binding["members"].remove("allUsers")


@contextmanager
def policy_that_denies_nothing(machine: Machine) -> Iterator[None]:
    url = f"{machine.local.url('gate')}{BINDINGS}"
    binding = requests.get(f"{url}/sequence.downwind.dev", timeout=20).json()
    requests.delete(f"{url}/sequence.downwind.dev", timeout=20).raise_for_status()
    yield
    binding["metadata"].pop("resourceVersion", None)
    requests.post(url, json=binding, timeout=20).raise_for_status()


@contextmanager
def old_spinnaker(machine: Machine) -> Iterator[None]:
    machine.routes.gate_version, known = "2026.2.3", machine.routes.gate_version
    yield
    machine.routes.gate_version = known


@contextmanager
def function_that_was_changed(machine: Machine) -> Iterator[None]:
    name = "projects/acme-proof/locations/us-central1/functions/downwind-on-push"
    service = machine.state.resources["cloudfunctions", name]["serviceConfig"]
    service["availableMemory"], known = "8Gi", service["availableMemory"]
    yield
    service["availableMemory"] = known


BROKEN = {
    "rollout": secret_that_was_turned,
    "refused": door_that_is_open,
    "clusters": policy_that_denies_nothing,
    "spinnaker": old_spinnaker,
    "drift": function_that_was_changed,
}
ORDERS = {("refused", "an order without a token at operate"), ("refused", "an order from a stranger at operate")}
SEEN: dict[str, set[tuple[str, str]]] = {
    "rollout": {("rollout", "a signed webhook is taken by receive"), ("drift", "function/receive")},
    "refused": {*ORDERS, ("drift", "policy/function/operate")},
    "clusters": {
        ("refused", "a lower sequence applied in the cluster"),
        ("clusters", "policies, bindings and saved pipelines"),
        ("drift", "object/ValidatingAdmissionPolicyBinding/sequence.downwind.dev"),
    },
    "spinnaker": {("spinnaker", "Spinnaker is fit")},
    "drift": {("drift", "function/on-push")},
}
"""What is told of each thing that is broken; some of it is seen from two sides."""


@pytest.mark.long
def test_each_thing_that_is_broken_is_told_and_nothing_else(installed: Machine) -> None:
    with ExitStack() as stack:
        for broken in BROKEN.values():
            stack.enter_context(broken(installed))
        found = checks(verify(installed), 1)
    assert failed(found) == set().union(*SEEN.values())


@pytest.mark.long
@pytest.mark.parametrize("group", BROKEN)
def test_what_is_broken_alone_is_told_alone(installed: Machine, group: str) -> None:
    with BROKEN[group](installed):
        found = checks(verify(installed), 1)
    assert failed(found) == SEEN[group]
    assert group in {each for each, _ in failed(found)}
