"""ports.Pipelines: the adapter on the local Gate and its in-memory twin keep one contract."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from downwind.adapters.gate import GatePipelines
from downwind.adapters.memory_pipelines import MemoryPipelines
from downwind.errors import Refused
from downwind.model.execution import Execution
from downwind.ports import PipelineConfig, Pipelines

JUDGED = {
    "application": "shop",
    "name": "deploy",
    "stages": [
        {"type": "manualJudgment", "name": "Approve", "refId": "1", "requisiteStageRefIds": []},
        {"type": "wait", "name": "Wait", "refId": "2", "requisiteStageRefIds": ["1"], "waitTime": 0},
    ],
}
TRIGGER = {
    "type": "downwind",
    "correlationId": "downwind-abc-7-0",
    "downwind": {"application": "shop", "environment": "staging", "sequence": "7", "attempt": "0"},
}


class World:
    """One implementation of the port, and how an execution of it comes to its judgment or its end."""

    def __init__(self, pipelines: Pipelines, lab: Any) -> None:
        self.pipelines = pipelines
        self._lab = lab

    def start(self, **trigger: Any) -> str:
        config = self.pipelines.config("shop", "deploy")
        assert config is not None
        started = self.pipelines.start(config, {**TRIGGER, **trigger})
        if isinstance(self.pipelines, MemoryPipelines):
            self.pipelines.advance(started)
        else:
            self._lab.judged_at(started)
        return started

    def ended(self, execution_id: str) -> Execution:
        if self._lab is not None:
            self._lab.ended(execution_id)
        return self.read(execution_id)

    def read(self, execution_id: str) -> Execution:
        found = self.pipelines.execution(execution_id)
        assert found is not None
        return found


@pytest.fixture(params=["gate", "memory"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        memory = MemoryPipelines()
        memory.save(JUDGED)
        yield World(memory, None)
        return
    lab = request.getfixturevalue("lab")
    adapter = GatePipelines(lab.gate.url)
    adapter.save(JUDGED)
    yield World(adapter, lab)
    adapter.close()


def since(minutes: int = 1) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def test_a_saved_pipeline_is_found_by_its_exact_name(world: World) -> None:
    found = world.pipelines.config("shop", "deploy")
    assert found is not None
    assert (found.application, found.name, found.document["id"]) == ("shop", "deploy", found.id)
    for application, name in (("shop", "Deploy"), ("shop", found.id), ("billing", "deploy"), ("shop", "nothing")):
        assert world.pipelines.config(application, name) is None


@pytest.mark.parametrize("name", ["with space", "déploy-日本", "100%", "a+b", "team/app", "a?b#c"])
def test_a_pipeline_may_have_any_name(world: World, name: str) -> None:
    world.pipelines.save({"application": "shop", "name": name, "stages": []})
    found = world.pipelines.config("shop", name)
    assert found is not None
    assert found.name == name
    assert world.pipelines.start(found, {})


def test_saving_again_keeps_the_id_and_takes_the_new_text(world: World) -> None:
    before = world.pipelines.config("shop", "deploy")
    world.pipelines.save({**JUDGED, "description": "new", "id": "another"})
    after = world.pipelines.config("shop", "deploy")
    assert before is not None
    assert after is not None
    assert (after.id, after.document["description"]) == (before.id, "new")


def test_a_pipeline_is_replaced_only_over_what_was_seen(world: World) -> None:
    seen = world.pipelines.config("shop", "deploy")
    assert seen is not None
    world.pipelines.replace({**JUDGED, "description": "mine"}, seen)
    mine = world.pipelines.config("shop", "deploy")
    assert mine is not None
    assert (mine.id, mine.document["description"]) == (seen.id, "mine")
    with pytest.raises(Refused, match="somebody else has changed pipeline shop/deploy"):
        world.pipelines.replace({**JUDGED, "description": "theirs"}, seen)
    with pytest.raises(Refused, match="somebody else"):
        world.pipelines.replace(JUDGED, None)
    now = world.pipelines.config("shop", "deploy")
    assert now is not None
    assert now.document["description"] == "mine"


def test_a_new_pipeline_is_saved_over_nothing(world: World) -> None:
    world.pipelines.replace({**JUDGED, "name": "other"}, None)
    assert world.pipelines.config("shop", "other") is not None


def test_a_deleted_pipeline_is_gone_and_may_be_deleted_again(world: World) -> None:
    seen = world.pipelines.config("shop", "deploy")
    assert seen is not None
    world.pipelines.delete(seen)
    assert world.pipelines.config("shop", "deploy") is None
    world.pipelines.delete(seen)


def test_a_pipeline_whose_name_gate_cannot_take_is_not_deleted(world: World) -> None:
    world.pipelines.save({**JUDGED, "name": "team/app"})
    seen = world.pipelines.config("shop", "team/app")
    assert seen is not None
    with pytest.raises(Refused, match="can't delete"):
        world.pipelines.delete(seen)
    assert world.pipelines.config("shop", "team/app") is not None


@pytest.mark.parametrize("document", [{"name": "x"}, {"application": "x"}])
def test_a_pipeline_without_name_or_application_is_refused(world: World, document: dict[str, str]) -> None:
    with pytest.raises(Refused, match="application and name"):
        world.pipelines.save(document)


def test_a_start_is_one_execution_with_our_words_in_it(world: World) -> None:
    found = world.read(world.start())
    assert (found.application, found.name, found.status) == ("shop", "deploy", "RUNNING")
    assert (found.downwind_application, found.downwind_environment) == ("shop", "staging")
    assert (found.sequence, found.attempt, found.correlation_id) == (7, 0, "downwind-abc-7-0")


def test_a_second_start_of_one_correlation_id_is_the_first_while_it_has_not_ended(world: World) -> None:
    first = world.start()
    assert world.start() == first
    assert world.start(correlationId="downwind-abc-7-1") != first
    world.pipelines.cancel(first, "enough")
    world.ended(first)
    assert world.start() != first


def test_starts_without_a_correlation_id_are_executions_of_their_own(world: World) -> None:
    assert world.start(correlationId=None) != world.start(correlationId=None)


def test_a_disabled_pipeline_is_refused(world: World) -> None:
    world.pipelines.save({**JUDGED, "disabled": True})
    config = world.pipelines.config("shop", "deploy")
    assert config is not None
    with pytest.raises(Refused, match="disabled"):
        world.pipelines.start(config, TRIGGER)


def test_search_finds_exactly_this_correlation_id_ended_or_not(world: World) -> None:
    started = world.start()
    world.start(correlationId="downwind-abc-7-00")
    world.start(correlationId="DOWNWIND-ABC-7-0")
    assert [found.id for found in world.pipelines.search("shop", "downwind-abc-7-0", since())] == [started]
    world.pipelines.cancel(started, "enough")
    world.ended(started)
    found = world.pipelines.search("shop", "downwind-abc-7-0", since())
    assert [(item.id, item.status) for item in found] == [(started, "CANCELED")]


def test_search_finds_nothing_else(world: World) -> None:
    world.start(correlationId="downwind-(odd")
    assert world.pipelines.search("shop", "downwind-abc-7-0", since()) == []
    assert world.pipelines.search("billing", "downwind-(odd", since()) == []
    assert world.pipelines.search("shop", "downwind-(odd", since(-1)) == []
    assert world.pipelines.search("shop", ".*", since()) == []
    assert len(world.pipelines.search("shop", "downwind-(odd", since())) == 1


def test_search_reads_the_whole_execution(world: World) -> None:
    """Gate's own search leaves the stages' contexts out."""
    started = world.start()
    (found,) = world.pipelines.search("shop", "downwind-abc-7-0", since())
    assert found == world.read(started)
    assert found.judgment is not None


def test_an_execution_that_is_not_there_is_none(world: World) -> None:
    assert world.pipelines.execution("01ARZ3NDEKTSV4RRFFQ69G5FAV") is None
    assert world.pipelines.execution("odd/ text?") is None


def test_a_cancel_says_who_and_why_and_a_second_one_changes_nothing(world: World) -> None:
    started = world.start()
    world.pipelines.cancel(started, "superseded by 8")
    found = world.ended(started)
    assert (found.status, found.reason, found.judged) == ("CANCELED", "superseded by 8", False)
    assert found.canceled_by is not None
    world.pipelines.cancel(started, "again")
    assert world.ended(started) == found


def test_a_cancel_of_nothing_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        world.pipelines.cancel("01ARZ3NDEKTSV4RRFFQ69G5FAV", "x")


@pytest.mark.parametrize(("word", "status"), [("continue", "SUCCEEDED"), ("stop", "TERMINAL")])
def test_a_judgment_is_answered_once(world: World, word: str, status: str) -> None:
    started = world.start()
    waiting = world.read(started)
    assert waiting.judgment is not None
    world.pipelines.judge(waiting, word)
    found = world.ended(started)
    assert (found.status, found.judged, found.judgment) == (status, True, None)
    with pytest.raises(Refused, match="no judgment"):
        world.pipelines.judge(waiting, word)


def test_a_judgment_knows_two_words(world: World) -> None:
    waiting = world.read(world.start())
    with pytest.raises(Refused, match="continue or stop"):
        world.pipelines.judge(waiting, "maybe")


def test_a_config_that_is_gone_is_refused(world: World) -> None:
    gone = PipelineConfig(id="gone", name="gone", application="shop", document={})
    with pytest.raises(Refused, match="gone"):
        world.pipelines.start(gone, TRIGGER)
