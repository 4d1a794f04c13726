"""What the table cannot show: writers at once, a stage that is restarted alone, and random writes on both servers."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.contract.cluster.kubectl import MERGE, ApiServer, Kubectl

from downwind.reconcile.stamp import stamp
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.serialise import split

WRITERS = 8
WRITES = 600
PLURALS = {"ConfigMap": ("/api/v1", "configmaps"), "Deployment": ("/apis/apps/v1", "deployments")}


def fence(sequence: int, execution: str, attempt: int = 0) -> dict[str, Any]:
    marks = {"owner": "shop/staging", "sequence": str(sequence), "attempt": str(attempt), "execution": execution}
    about = {
        "name": "downwind.shop.staging",
        "labels": {"downwind.dev/fence": "true"},
        "annotations": {f"downwind.dev/{key}": value for key, value in marks.items()},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about}


def path_of(namespace: str, document: dict[str, Any]) -> str:
    base, plural = PLURALS[document["kind"]]
    return f"{base}/namespaces/{namespace}/{plural}/{document['metadata']['name']}"


@pytest.mark.parametrize("how", ["patch", "put", "apply"])
def test_of_many_executions_at_once_one_passes_the_fence(how: str, kubectl: Kubectl, namespace: str) -> None:
    path = path_of(namespace, fence(0, "E"))
    kubectl.must("POST", path.rpartition("/")[0], fence(0, "E"))

    def write(turn: tuple[int, int, int]) -> int:
        new = fence(turn[0], f"E{turn[0]}-{turn[1]}-{turn[2]}", turn[1])
        match how:
            case "patch":
                status, _ = kubectl.call("PATCH", path, {"metadata": new["metadata"]}, MERGE, by="deployer")
            case "put":
                status, _ = kubectl.call("PUT", path, new, by="deployer")
            case _:
                status, _ = kubectl.server_side_apply(path, new, "deployer")
        return int(status)

    with ThreadPoolExecutor(WRITERS) as pool:
        for sequence in range(1, 13):
            for attempt in (0, 1):
                found = sorted(pool.map(write, [(sequence, attempt, writer) for writer in range(WRITERS)]))
                assert found == [200, *[403] * (WRITERS - 1)], (sequence, attempt)


def test_the_first_fence_has_one_maker(kubectl: Kubectl, namespace: str) -> None:
    path = path_of(namespace, fence(0, "E"))

    def make(writer: int) -> int:
        status, _ = kubectl.call("POST", path.rpartition("/")[0], fence(1, f"E{writer}"), by="deployer")
        return int(status)

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sorted(pool.map(make, range(WRITERS))) == [201, *[409] * (WRITERS - 1)]


def release(namespace: str, commit: str, *config_maps: str) -> bytes:
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in config_maps]
    labels = {"app": "web"}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": f"a.test/b@sha256:{commit * 2}"[:82]}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    facts = ReleaseFacts(application="shop", environment="staging", namespace=namespace, commit=commit)
    return make_bundle([*maps, deployment], facts).documents


def deploy(kubectl: Kubectl, namespace: str, documents: bytes) -> str | None:
    """A deploying stage, as Clouddriver does it: one `kubectl apply` after another until the first refusal, which it gives."""
    for document in split(documents):
        status, answer = kubectl.apply(path_of(namespace, document), document, "deployer")
        if status >= 300:
            return str(answer["message"])
    return None


def test_the_main_stage_of_an_older_rollout_restarted_alone_is_refused_and_creates_nothing(
    kubectl: Kubectl, namespace: str
) -> None:
    """Orca re-runs only that stage, past the fence: the guard is the first document."""

    def stamped(sequence: int, commit: str, *config_maps: str) -> bytes:
        documents = release(namespace, commit, *config_maps)
        return stamp(documents, application="shop", environment="staging", namespace=namespace, sequence=sequence)

    older = stamped(6, "6" * 40, "of-six")
    for sequence, documents in ((6, older), (7, stamped(7, "7" * 40, "of-seven"))):
        place = path_of(namespace, fence(0, ""))
        status, answer = kubectl.apply(place, fence(sequence, f"E{sequence}"), "deployer")
        assert status < 300, answer
        assert deploy(kubectl, namespace, documents) is None
    kubectl.must("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/of-six")
    live = {name: kubectl.get(f"{base}/namespaces/{namespace}/{name}") for base, name in PLURALS.values()}

    refusal = deploy(kubectl, namespace, older)

    assert refusal is not None
    assert (
        f"downwind.dev/sequence of ConfigMap {namespace}/downwind.shop.staging.guard may not fall from 7 to 6"
        in refusal
    )
    again = {name: kubectl.get(f"{base}/namespaces/{namespace}/{name}") for base, name in PLURALS.values()}
    assert {name: found["items"] for name, found in again.items()} == {
        name: found["items"] for name, found in live.items()
    }


def _random_write(dice: random.Random) -> tuple[str, str, Any, str]:
    """(method, name, marks or None, who). Few values, so that they meet."""
    name = dice.choice(["downwind.shop.staging", "downwind.shop.staging.guard", "web", "downwind.shop.production"])
    values = {
        "owner": ["shop/staging", "shop/production", "shop"],
        "sequence": ["0", "1", "2", "3", "10", "x", ""],
        "attempt": ["0", "1", "2", "-1"],
        "execution": ["E1", "E2", "E3", ""],
        "adopt": ["shop/staging", "shop/production"],
        "sequence-override": ["3->1", "2->1", "2->", "10->2"],
    }
    marks: dict[str, Any] = {}
    for key, several in values.items():
        if dice.random() < (0.8 if key in {"owner", "sequence"} else 0.35):
            marks[f"downwind.dev/{key}"] = dice.choice(several)
        elif dice.random() < 0.1:
            marks[f"downwind.dev/{key}"] = None
    metadata: dict[str, Any] = {"annotations": marks}
    if dice.random() < 0.5:
        metadata["labels"] = {"downwind.dev/fence": dice.choice(["true", "true", "true", "no", None])}
    return (
        dice.choice(["PATCH", "PATCH", "PATCH", "PUT", "POST", "DELETE"]),
        name,
        metadata,
        dice.choice(["deployer", "breaker"]),
    )


@pytest.mark.cluster
def test_random_writes_have_the_same_outcome_on_both(local_server: ApiServer, real_server: ApiServer) -> None:
    seed = uuid.uuid4().int % 2**32
    print(f"seed {seed}")
    dice, servers = random.Random(seed), [Kubectl(local_server), Kubectl(real_server)]
    namespace = f"random-{seed}"
    servers[1].must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    outcomes: dict[int, int] = {}
    for number in range(WRITES):
        method, name, metadata, who = _random_write(dice)
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _without_nulls({**metadata, "name": name})}
        body = {"PATCH": {"metadata": metadata}, "DELETE": None}.get(method, whole)
        kind = MERGE if method == "PATCH" else "application/json"
        where = path.rpartition("/")[0] if method == "POST" else path
        ours, theirs = (each.call(method, where, body, kind, by=who) for each in servers)
        told = f"seed {seed}, write {number}: {method} {name} {metadata} by {who}: {ours} and {theirs}"
        assert ours[0] == theirs[0], told
        if ours[0] == 403:
            assert ours[1]["message"] == theirs[1]["message"], told
        outcomes[ours[0]] = outcomes.get(ours[0], 0) + 1
    assert {200, 201, 403} <= set(outcomes), outcomes


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return value
