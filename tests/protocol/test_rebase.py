"""A ledger that was lost, or restored from an old copy: `ledger rebase` makes the clusters accept what comes next, and nothing
that is replayed rolls out again or back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.application import CATALOG
from tests.shop import Shop

from downwind.adapters.memory import MemoryWorld
from downwind.adapters.memory_cluster import MemoryCluster
from downwind.adapters.memory_store import MemoryStore
from downwind.errors import Refused, TransientError
from downwind.model.catalog import Registered
from downwind.perform import applications
from downwind.perform.rebase import look, write
from downwind.ports import NewObject
from downwind.reconcile import names

ABOUT = {"who": "sre@acme.example", "why": "INC-42"}
TAG = "refs/tags/v1"


class Cluster(MemoryCluster):
    """Keeps what fences and guards would have written: the highest sequence that was ever deployed."""

    def deployed(self, environment: str, sequence: int) -> None:
        marks = {"downwind.dev/owner": f"shop/{environment}", "downwind.dev/sequence": str(sequence)}
        about = {"name": f"downwind.shop.{environment}", "namespace": environment, "annotations": marks}
        self.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(name="lab", namespaces={"shop-staging": {}, "shop": {}})


def registered(shop: Any) -> Registered:
    (found,) = applications.read(shop.world.catalog, ["shop"])
    return found


def rollout(shop: Any, cluster: Cluster, commit: str | None = None) -> str:
    """A push goes through both environments."""
    commit = commit or shop.push()
    shop.build(commit)
    shop.tick(2)
    for environment in ("staging", "production"):
        execution = shop.executions(environment)[-1]
        shop.finish(execution)
        if environment == "production":
            shop.judge(execution)
        assert execution["status"] == "SUCCEEDED"
        cluster.deployed(environment, int(execution["trigger"]["downwind"]["sequence"]))
        shop.tick(2)
    return commit


def lose(memory: MemoryWorld, *, keep: Any = lambda _name: False) -> None:
    """The ledger and its markers as they come back: `keep` says which objects were in the copy."""
    for store in (memory.ledger, memory.work):
        kept = [each for each in store.read_all([each.name for each in store.list("")]) if each and keep(each.name)]
        for each in list(store.list("")):
            store.delete(each.name)
        for each in kept:
            store.create(NewObject(name=each.name, data=each.data or b"", metadata=each.metadata))


def numbers(shop: Any, environment: str) -> list[int]:
    """Of the executions, oldest first."""
    return [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions(environment)]


def replay_everything(shop: Any) -> None:
    """A seek to the beginning of every subscription."""
    for kind, message in list(shop.sent):
        if kind != "request":
            shop.deliver(kind, message)
    shop.tick(5)


def test_a_lost_ledger_goes_on_above_what_is_live(shop: Any, cluster: Cluster) -> None:
    first = [rollout(shop, cluster) for _ in range(3)]
    lose(shop.memory)
    found = write(shop.world, [cluster], registered(shop), None, ABOUT)
    assert [(each.environment, each.n) for each in found] == [("staging", 4), ("production", 4)]
    assert found[0].known.numbers == {"ledger": 0, "bundles": 3, "cluster lab": 3}
    replay_everything(shop)
    assert (numbers(shop, "staging"), numbers(shop, "production")) == ([1, 2, 3], [1, 2, 3])
    new = rollout(shop, cluster)
    assert shop.log("staging") == [None, new]
    assert (numbers(shop, "staging")[3:], numbers(shop, "production")[3:]) == ([5], [5])
    assert new not in first


def test_without_it_every_push_would_be_refused(shop: Any, cluster: Cluster) -> None:
    """Why it is needed: numbers begin again at 1."""
    for _ in range(2):
        rollout(shop, cluster)
    lose(shop.memory)
    commit = shop.push()
    shop.build(commit)
    shop.tick(4)
    assert numbers(shop, "staging") == [1, 2, 1]


@pytest.mark.parametrize("bundles_too", [False, True])
def test_a_number_that_was_triggered_and_never_live_is_not_used_again(
    shop: Any, cluster: Cluster, bundles_too: bool
) -> None:
    """An execution of it may still be under way, and Orca would take ours for that one. Stamped manifests tell."""
    rollout(shop, cluster)
    shop.build(shop.push())
    shop.tick(2)
    assert numbers(shop, "staging") == [1, 2]
    lose(shop.memory)
    if bundles_too:
        for each in list(shop.memory.bundles.list("")):
            shop.memory.bundles.delete(each.name)
    found = look(shop.world, [cluster], registered(shop), "staging", ABOUT)
    assert [each.n for each in found] == [2 if bundles_too else 3]


def test_an_old_tag_does_not_roll_out_when_its_push_is_replayed(memory: MemoryWorld, cluster: Cluster) -> None:
    shop = Shop(memory, CATALOG.replace("[refs/heads/main]", "[refs/heads/main, 'refs/tags/*']"))
    old = rollout(shop, cluster, shop.push(TAG))
    rollout(shop, cluster)
    lose(memory)
    found = write(shop.world, [cluster], registered(shop), None, ABOUT)
    assert {fact.body["ref"] for fact in found[0].refs} == {TAG, "refs/heads/main"}
    replay_everything(shop)
    shop.build(old)
    shop.tick(130)
    assert numbers(shop, "staging") == [1, 2]
    assert shop.log("staging") == [None]


@pytest.mark.parametrize("copied", [1, *(pytest.param(many, marks=pytest.mark.long) for many in (2, 3)), 4])
@pytest.mark.parametrize("what", ["entries", "rollouts", "both"])
def test_a_half_restored_ledger(shop: Any, cluster: Cluster, copied: int, what: str) -> None:
    """Of five rollouts the copy has the first few; `what`: entries, rollouts or both, and all other facts."""
    for _ in range(5):
        rollout(shop, cluster)
    tips = shop.memory.repository.tips("https://github.com/acme/shop.git")

    def keep(name: str) -> bool:
        for kind in ("log", "rollout"):
            if f"/{kind}/" in name and name.startswith("environment/"):
                number = names.HIGHEST - int(name.split(f"/{kind}/")[1].split("/")[0])
                return (
                    number <= copied
                    or (what == "entries" and kind == "rollout")
                    or (what == "rollouts" and kind == "log")
                )
        if "/ref/" in name:
            return names.HIGHEST - int(name.rpartition("/")[2]) <= copied
        return True

    lose(shop.memory, keep=keep)
    found = write(shop.world, [cluster], registered(shop), None, ABOUT)
    assert [each.n for each in found] == [6, 6]
    assert tips == shop.memory.repository.tips("https://github.com/acme/shop.git")
    replay_everything(shop)
    shop.tick(130)
    assert (numbers(shop, "staging"), numbers(shop, "production")) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    new = rollout(shop, cluster)
    assert (numbers(shop, "staging")[5:], numbers(shop, "production")[5:]) == ([7], [7])
    assert shop.log("production")[-1] == new


def test_a_success_upstream_that_comes_back_late_is_not_promoted(shop: Any, cluster: Cluster) -> None:
    """Production had it, or something newer: the restored copy does not know."""
    rollout(shop, cluster)
    rollout(shop, cluster)
    gone = ("/outcome", "/ended", "/production/")
    lose(shop.memory, keep=lambda name: not any(each in name for each in gone))
    write(shop.world, [cluster], registered(shop), None, ABOUT)
    for execution in shop.executions("staging"):
        shop.echo(execution)
    shop.tick(5)
    assert [status for _, status in shop.outcomes("staging")] == ["succeeded", "succeeded"]
    assert numbers(shop, "production") == [1, 2]


def test_one_environment_alone_takes_what_upstream_had_as_promoted(shop: Any, cluster: Cluster) -> None:
    rollout(shop, cluster)
    rollout(shop, cluster)
    lose(shop.memory, keep=lambda name: "/production/" not in name)
    (found,) = write(shop.world, [cluster], registered(shop), "production", ABOUT)
    assert found.entry is not None
    assert (found.n, found.entry.body["promoted"]) == (3, 2)
    assert found.refs == ()
    shop.tick(5)
    assert numbers(shop, "production") == [1, 2]
    rollout(shop, cluster)
    assert numbers(shop, "production") == [1, 2, 4]


def test_what_upstream_had_before_its_rebase_is_not_promoted_even_where_downstream_has_none(
    shop: Any, cluster: Cluster
) -> None:
    """Production's log is lost as well, and nobody has taken it up again yet: its live objects are newer for all we know."""
    rollout(shop, cluster)
    rollout(shop, cluster)
    lose(shop.memory, keep=lambda name: "/production/" not in name)
    write(shop.world, [cluster], registered(shop), "staging", ABOUT)
    shop.tick(130)
    assert [status for _, status in shop.outcomes("staging")] == ["succeeded", "succeeded"]
    assert numbers(shop, "production") == [1, 2]
    assert shop.log("production") == []


def test_nothing_is_needed_where_nothing_was_ever_rolled_out(shop: Any, cluster: Cluster) -> None:
    """But the refs are taken as they are."""
    shop.push()
    lose(shop.memory)
    found = write(shop.world, [cluster], registered(shop), None, ABOUT)
    assert [(each.n, len(each.refs)) for each in found] == [(None, 1), (None, 0)]
    replay_everything(shop)
    assert shop.log("staging") == []
    rollout(shop, cluster)
    assert numbers(shop, "staging") == [1]


def test_looking_writes_nothing(shop: Any, cluster: Cluster) -> None:
    rollout(shop, cluster)
    lose(shop.memory)
    look(shop.world, [cluster], registered(shop), None, ABOUT)
    assert shop.memory.ledger.list("") == []


def test_a_second_rebase_goes_above_the_first(shop: Any, cluster: Cluster) -> None:
    rollout(shop, cluster)
    assert [write(shop.world, [cluster], registered(shop), "staging", ABOUT)[0].n for _ in range(2)] == [2, 3]


def test_the_number_counts_of_the_cluster_that_has_the_highest(shop: Any, cluster: Cluster) -> None:
    other = Cluster(name="other", namespaces={"shop": {}})
    other.deployed("production", 9)
    other.objects.append({**other.objects[0], "metadata": {**other.objects[0]["metadata"], "annotations": {}}})
    cluster.deployed("production", 7)
    found = look(shop.world, [cluster, other], registered(shop), "production", ABOUT)
    assert found[0].known.numbers == {"ledger": 0, "bundles": 0, "cluster lab": 7, "cluster other": 9}
    assert found[0].n == 10


def test_a_cluster_that_was_not_named_is_missed(shop: Any, cluster: Cluster) -> None:
    del cluster.namespaces["shop"]
    with pytest.raises(Refused, match=r"namespace shop of shop/production is in none of the clusters asked \(lab\)"):
        look(shop.world, [cluster], registered(shop), "staging", ABOUT)


def test_an_environment_that_is_not_there_is_refused(shop: Any, cluster: Cluster) -> None:
    with pytest.raises(Refused, match="has no environment 'test'"):
        look(shop.world, [cluster], registered(shop), "test", ABOUT)


def test_the_last_number_there_is_leads_nowhere(shop: Any, cluster: Cluster) -> None:
    cluster.deployed("staging", names.HIGHEST)
    with pytest.raises(Refused, match="the last sequence there is"):
        look(shop.world, [cluster], registered(shop), "staging", ABOUT)


def test_a_standing_hold_of_the_copy_goes_on(shop: Any, cluster: Cluster) -> None:
    rollout(shop, cluster)
    (entry,) = shop.memory.ledger.read_all([names.entry("shop", "staging", 1)])
    held = {"n": 1, "by": "operator", "who": "sre@acme.example", "why": None}
    body = shop.facts(entry.name)[""] | {"hold": held}
    shop.memory.ledger.delete(entry.name)
    shop.memory.ledger.create(NewObject(name=entry.name, data=json.dumps(body).encode()))
    (found,) = write(shop.world, [cluster], registered(shop), "staging", ABOUT)
    assert found.entry is not None
    assert found.entry.body["hold"] == held


class Busy:
    """A ledger in which a function appends at the worst moment."""

    def __init__(self, inner: MemoryStore, times: int) -> None:
        self._inner = inner
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_all(self, new: Any) -> Any:
        if self._times and "/log/" in new[0].name:
            self._times -= 1
            self._inner.create(NewObject(name=new[0].name, data=new[0].data, metadata=new[0].metadata))
        return self._inner.create_all(new)


@pytest.mark.parametrize(("times", "number"), [(2, 4), (9, None)])
def test_a_function_that_appends_meanwhile_makes_it_look_again(
    shop: Any, cluster: Cluster, times: int, number: int | None
) -> None:
    rollout(shop, cluster)
    world = replace(shop.world, ledger=Busy(shop.memory.ledger, times))
    if number is None:
        with pytest.raises(TransientError, match="others keep appending"):
            write(world, [cluster], registered(shop), "staging", ABOUT)
    else:
        assert write(world, [cluster], registered(shop), "staging", ABOUT)[0].n == number
