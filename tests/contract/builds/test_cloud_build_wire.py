"""How the adapter reads answers that are no success."""

from collections.abc import Iterable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.cloud_build import CloudBuilds
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.local.http import Handler, HttpPart, json_response
from downwind.ports import Trigger

TRIGGER = Trigger(id="t1", name="shop", project="demo", location="us-central1")


class OddBuilds(HttpPart):
    """Gives `answers` in turn, the last one for ever; keeps what was asked."""

    name = "odd"

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Response] = []
        self.asked: list[str] = []

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET", "POST"), "/<path:rest>", self._any)]

    def _any(self, request: Request, rest: str) -> Response:
        self.asked.append(f"{request.method} {rest} {request.get_data(as_text=True)}")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def odd() -> Iterator[OddBuilds]:
    part = OddBuilds()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def builds(odd: OddBuilds) -> Iterator[CloudBuilds]:
    found = CloudBuilds(odd.url, timeout=5)
    yield found
    found.close()


def _error(code: int) -> Response:
    return json_response({"error": {"code": code, "message": "no", "status": "X"}}, code)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, Refused),
        (403, Misconfigured),
        (404, Refused),
        (429, TransientError),
        (500, UnknownOutcome),
        (503, UnknownOutcome),
    ],
)
def test_a_run_is_never_repeated_and_its_outcome_is_told_apart(
    odd: OddBuilds, builds: CloudBuilds, code: int, error: type[Exception]
) -> None:
    odd.answers = [_error(code)]
    with pytest.raises(error) as caught:
        builds.run(TRIGGER, "1" * 40)
    assert type(caught.value) is error
    path = "v1/projects/demo/locations/us-central1/triggers/t1:run"
    assert [asked.split()[:2] for asked in odd.asked] == [["POST", path]]


def test_a_run_whose_answer_never_came_or_names_no_build_is_an_unknown_outcome(
    odd: OddBuilds, builds: CloudBuilds
) -> None:
    odd.answers = [json_response({"name": "operations/x"})]
    with pytest.raises(UnknownOutcome):
        builds.run(TRIGGER, "1" * 40)
    odd.stop()
    with pytest.raises(UnknownOutcome):
        builds.run(TRIGGER, "1" * 40)
    odd.start()


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, Refused), (403, Misconfigured), (429, TransientError), (502, TransientError)],
)
def test_reads_are_refused_or_left_for_later(
    odd: OddBuilds, builds: CloudBuilds, code: int, error: type[Exception]
) -> None:
    odd.answers = [_error(code)]
    with pytest.raises(error):
        builds.get("demo", "us-central1", "b")


def test_fields_and_statuses_that_the_client_does_not_know_are_kept(odd: OddBuilds, builds: CloudBuilds) -> None:
    body = {"id": "b", "status": "BRAND_NEW", "source": {"developerConnectConfig": {"revision": "1"}}}
    odd.answers = [json_response(body)]
    assert builds.get("demo", "us-central1", "b") == body


def test_find_follows_pages_and_compares_exactly(odd: OddBuilds, builds: CloudBuilds) -> None:
    def build(name: str, trigger: str, commit: str, created: str) -> dict[str, object]:
        return {"id": name, "buildTriggerId": trigger, "substitutions": {"COMMIT_SHA": commit}, "createTime": created}

    first = [build("a", "t1", "1" * 40, "2026-01-01"), build("b", "t2", "1" * 40, "2026-01-02")]
    second = [build("c", "t1", "1" * 40, "2026-01-03"), build("d", "t1", "2" * 40, "2026-01-04"), {"id": "e"}]
    odd.answers = [json_response({"builds": first, "nextPageToken": "n"}), json_response({"builds": second})]
    assert [found["id"] for found in builds.find(TRIGGER, "1" * 40)] == ["c", "a"]
    assert len(odd.asked) == 2


def test_pages_without_end_are_left_for_later(odd: OddBuilds, builds: CloudBuilds) -> None:
    odd.answers = [json_response({"builds": [], "nextPageToken": "n"})]
    with pytest.raises(TransientError, match="pages"):
        builds.find(TRIGGER, "1" * 40)
