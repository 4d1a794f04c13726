"""Who may do what: the whole table, with an answer for each cell that says no (docs/how-to/operate.md shows it)."""

from typing import Any

import pytest

from downwind.adapters.memory_groups import MemoryGroups
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.events.order import VERBS, Asked
from downwind.perform import everything
from downwind.perform.operators import may_order
from downwind.perform.orders import Forbidden, carry_out

LISTED, IN_GROUP, OF_ALL, NOBODY = "sre@acme.example", "ann@acme.example", "boss@acme.example", "eve@acme.example"
GROUPS = MemoryGroups(
    {"oncall@acme.example": frozenset({"night@acme.example"}), "night@acme.example": frozenset({IN_GROUP})}
)
OPERATORS = (
    "pipeline: {application: shop, name: deploy-staging}",
    f"pipeline: {{application: shop, name: deploy-staging}}\n    operators: [{LISTED.upper()}, group:oncall@acme.example]",
)
WRITING: dict[str, dict[str, Any]] = {"deploy": {"commit": "a" * 40}, "rollback": {"target": 1}}


@pytest.fixture
def staffed(new_shop: Any) -> Any:
    """Staging lists a person and a group; production nobody. Two rollouts stand in staging, one in production's judgment."""
    shop = new_shop(OPERATORS)
    for _ in range(2):
        shop.build(shop.push())
        shop.finish(shop.executions("staging")[-1])
    return shop


def order(shop: Any, verb: Any, who: str, environment: str | None = "staging", **more: Any) -> Any:
    shop.memory.clock.advance(1)
    about = {"application": None if more.get("everything") else "shop", "environment": environment, "id": "o1", **more}
    return carry_out(shop.world, GROUPS, Asked(verb=verb, **about), who, [OF_ALL], shop.memory.clock())


def written(shop: Any) -> list[str]:
    markers: list[str] = shop.open()
    return [each.name for each in shop.memory.ledger.list("")] + markers


NOT = [(who, where) for who in (NOBODY, OF_ALL) for where in ("staging", "production", "moon")]
NOT += [(who, where) for who in (LISTED, IN_GROUP) for where in ("production", "moon")]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("who", "environment"), NOT)
@pytest.mark.parametrize("dry_run", [False, True])
def test_who_is_not_listed_may_not_and_nothing_is_written(
    new_shop: Any, verb: str, environment: str, who: str, dry_run: bool
) -> None:
    shop = new_shop(OPERATORS)
    before = written(shop)
    with pytest.raises(Forbidden) as caught:
        order(shop, verb, who, environment, dry_run=dry_run, **WRITING.get(verb, {}))
    assert str(caught.value).startswith(f"{who} is no operator of shop/{environment}, or there is no such place")
    assert written(shop) == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", [LISTED, IN_GROUP])
def test_who_is_listed_may_and_is_written_down(staffed: Any, verb: str, who: str) -> None:
    shop = staffed
    commit = shop.log("staging")[0]
    if verb in {"cancel", "retry"}:
        shop.build(shop.push())
    if verb == "retry":
        shop.memory.pipelines.fail_stage(shop.executions("staging")[-1]["id"], "4")
        shop.echo(shop.executions("staging")[-1])
    if verb == "resume":
        order(shop, "hold", who, id="o0")
    if verb in {"promote", "approve", "reject"}:
        with pytest.raises(Refused):  # allowed, but staging has no upstream and no judgment: another no than Forbidden
            order(shop, verb, who)
        return
    more: dict[str, Any] = {"deploy": {"commit": commit}, "rollback": {"target": 1}}.get(verb, {})
    (done,) = order(shop, verb, who, **more).orders
    assert done["state"] == "done"
    assert {name: shop.entries("staging")[-1][name] for name in ("by", "verb", "who")} == {
        "by": "operator",
        "verb": verb,
        "who": who,
    }


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("verb", ["hold", "resume"])
@pytest.mark.parametrize("who", [NOBODY, LISTED, IN_GROUP])
def test_only_the_installations_operators_hold_and_resume_everything(
    staffed: Any, verb: str, who: str, dry_run: bool
) -> None:
    before = written(staffed)
    with pytest.raises(Forbidden, match=r"may not .* everything"):
        order(staffed, verb, who, None, everything=True, dry_run=dry_run)
    assert written(staffed) == before


def test_a_hold_over_everything_stops_automation_alone_until_it_is_resumed(staffed: Any) -> None:
    shop = staffed
    order(shop, "hold", OF_ALL, None, everything=True, id="h")
    order(shop, "hold", OF_ALL, None, everything=True, id="h")
    assert [body["n"] for body in shop.facts("all/hold/").values()] == [1]
    shop.build(shop.push())
    shop.tick(2)
    assert len(shop.executions("staging")) == 2
    order(shop, "deploy", LISTED, commit=shop.log("staging")[0], id="d")
    assert len(shop.executions("staging")) == 3
    with pytest.raises(Refused, match=r"everything is held, by boss@acme\.example"):
        order(shop, "resume", LISTED, id="r0")
    order(shop, "resume", OF_ALL, None, everything=True, id="r")
    with pytest.raises(Refused, match="nothing holds everything"):
        order(shop, "resume", OF_ALL, None, everything=True, id="r2")
    shop.build(shop.push())
    assert len(shop.executions("staging")) == 4


def test_what_waits_for_the_end_of_a_hold_over_everything_goes_by_itself_then(staffed: Any) -> None:
    shop = staffed
    order(shop, "hold", OF_ALL, None, everything=True, id="h", dry_run=True)
    assert shop.facts("all/hold/") == {}
    order(shop, "hold", OF_ALL, None, everything=True, id="h")
    shop.build(shop.push())
    shop.tick(2)
    order(shop, "resume", OF_ALL, None, everything=True, id="r")
    shop.tick()
    assert len(shop.executions("staging")) == 3


def test_a_hold_over_everything_says_what_it_stops_and_its_end_what_goes(staffed: Any) -> None:
    shop = staffed
    commit = shop.push()
    would, held = (
        order(shop, "hold", OF_ALL, None, everything=True, id="h", why="outage", dry_run=dry_run).orders[0]
        for dry_run in (True, False)
    )
    assert (would["state"], held["state"]) == ("would", "done")
    assert would["then"] == held["then"]
    (runs,) = [each for each in held["then"] if each.startswith("shop: production 2 ")]
    assert "waits for execution" in runs
    shop.build(commit)
    again = order(shop, "hold", OF_ALL, None, everything=True, id="h", why="outage").orders[0]["then"]
    hold = "an operator to resume: the hold over everything by boss@acme.example, because: outage"
    assert f"shop: staging 3 waits for {hold}" in again
    ended = order(shop, "resume", OF_ALL, None, everything=True, id="r", dry_run=True).orders[0]["then"]
    assert [line for line in ended if line.startswith("shop: staging 3 ")] == ["shop: staging 3 is to be triggered"]


def test_what_a_hold_over_everything_stops_is_told_up_to_a_bound(staffed: Any, monkeypatch: Any) -> None:
    shop = staffed
    shop.push()
    monkeypatch.setattr(everything, "LINES", 1)
    then = order(shop, "hold", OF_ALL, None, everything=True, id="h", dry_run=True).orders[0]["then"]
    assert then[1:] == ["and 1 more lines: downwind queue"]
    monkeypatch.setattr(everything, "APPLICATIONS", 0)
    then = order(shop, "hold", OF_ALL, None, everything=True, id="h", dry_run=True).orders[0]["then"]
    assert then == ["and 1 more applications with something open: downwind queue"]


def test_an_id_is_one_order_over_everything_whatever_its_why(staffed: Any) -> None:
    shop = staffed
    for why in ("outage", "still the outage"):
        (held,) = order(shop, "hold", OF_ALL, None, everything=True, id="h", why=why).orders
        assert held["says"].endswith("because: outage")
    with pytest.raises(Refused, match="another order has the id h already"):
        order(shop, "resume", OF_ALL, None, everything=True, id="h")


def test_a_hold_over_everything_stands_whatever_cannot_be_read(staffed: Any) -> None:
    shop = staffed
    shop.push()

    def away(method: str, name: str) -> None:
        if name.startswith("application/"):
            raise TransientError("the catalog is away")

    shop.memory.catalog.fail = away
    (held,) = order(shop, "hold", OF_ALL, None, everything=True, id="h").orders
    assert held["then"] == ["what follows could not be looked up: the catalog is away"]
    assert len(shop.facts("all/hold/")) == 1


def test_a_hold_without_an_environment_is_for_those_where_this_person_may(staffed: Any) -> None:
    done = order(staffed, "hold", LISTED, None)
    assert [(each["environment"], each["state"]) for each in done.orders] == [("staging", "done")]
    assert [each["environment"] for each in done.refused] == ["production"]
    again = order(staffed, "hold", LISTED, None)
    assert again.orders[0]["sequence"] == done.orders[0]["sequence"]


def test_where_it_is_refused_everywhere_that_is_the_answer(staffed: Any) -> None:
    with pytest.raises(Refused, match=r"production: .* is no operator .*; staging: nothing holds staging"):
        order(staffed, "resume", LISTED, None)


def test_other_verbs_need_the_environment_where_there_are_several(staffed: Any) -> None:
    with pytest.raises(Refused, match="shop has several environments"):
        order(staffed, "retry", LISTED, None)


def test_an_application_that_cannot_be_read_is_as_unknown_as_one_that_is_not_there(staffed: Any) -> None:
    staffed.memory.catalog.delete("application/shop.yaml")
    with pytest.raises(Forbidden, match="or there is no such place"):
        order(staffed, "hold", LISTED)


@pytest.mark.parametrize("operators", [(), (LISTED,), ("group:oncall@acme.example",)])
def test_nobody_listed_is_nobody_allowed(operators: tuple[str, ...]) -> None:
    assert not may_order(operators, NOBODY, GROUPS)


@pytest.mark.parametrize("error", [TransientError("away"), Misconfigured("no right", fix="give it")])
def test_a_group_that_cannot_be_read_lets_nobody_in_and_keeps_nobody_out(error: Exception) -> None:
    groups = MemoryGroups({"oncall@acme.example": frozenset({IN_GROUP})})
    groups.fail(error, times=2)
    assert not may_order(["group:oncall@acme.example"], IN_GROUP, groups)
    assert may_order(["group:oncall@acme.example", LISTED], LISTED, groups)
    assert not may_order(["group:unknown@acme.example"], IN_GROUP, GROUPS)


def test_a_group_is_no_address_of_a_person() -> None:
    assert not may_order(["group:oncall@acme.example"], "group:oncall@acme.example", GROUPS)
