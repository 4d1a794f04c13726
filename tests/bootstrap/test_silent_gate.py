"""A Gate that does not answer stops nothing but its own part: the plan says what was not read, and what nobody saw is not
written."""

import contextlib
import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bootstrap.conftest import CONFIGS, make_plan
from tests.bootstrap.site import MakeSite, Site

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.doctor import examine
from downwind.bootstrap.gate import GateCalls
from downwind.bootstrap.plan import UNREAD, Step
from downwind.bootstrap.proof import drift
from downwind.bootstrap.reach import GateReach
from downwind.cli.main import main
from downwind.errors import TransientError

SILENT = "http://127.0.0.1:9"
OURS = ["application/web", "pipeline/web/deploy-web"]
Command = Callable[..., Result]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site("smallest", applied=True)


@pytest.fixture
def command(site: Site, tmp_path: Path) -> Command:
    """`gate`: where it is asked; Google's part stands, but for one topic."""
    config, package = tmp_path / "own.yaml", tmp_path / "functions.zip"
    package.write_bytes(b"the source")
    pipelines = "pipelines: [web/pipelines/deploy-web.yaml], email: sre@acme.example}"
    config.write_text((CONFIGS / "smallest.yaml").read_text().replace('8084"}', f'8084", {pipelines}'))
    shutil.copytree(CONFIGS / "web", tmp_path / "web")
    del site.google.state.resources["pubsub", "projects/acme-small/topics/ticks"]

    def run(verb: str, *more: str, gate: str = SILENT) -> Result:
        line = ["--config", str(config), "--package", str(package), "--gate", gate, *more]
        return CliRunner().invoke(main, ["bootstrap", verb, *line])

    return run


def test_the_plan_says_what_was_not_read_and_the_rest(command: Command) -> None:
    planned = command("plan", "-o", "json")
    assert planned.exit_code == 3, planned.output
    steps = json.loads(planned.stdout)["steps"]
    unread = [each for each in steps if each["action"] == "unread"]
    assert [each["resource"] for each in unread] == OURS
    for each in unread:
        assert each["why"].startswith(
            f"not read: Gate could not be reached: ConnectionError ({SILENT}); where Gate has"
        )
        assert (each["command"], each["request"]) == (None, None)
    assert "topic/ticks" in [each["resource"] for each in steps if each["action"] == "create"]
    table = command("plan").output
    assert "? unread  pipeline/web/deploy-web" in table
    assert "+ create  topic/ticks" in table
    assert table.splitlines()[-1].endswith("2 unread")


def test_apply_does_the_rest_and_says_what_is_left(command: Command, site: Site) -> None:
    done = command("apply", "--no-gcloud", "--yes")
    assert done.exit_code == 3, done.output
    assert "done    topic/ticks" in done.output
    assert f"Error: {', '.join(OURS)}: not read: Gate could not be reached" in done.output
    assert "for these make a plan once they can be read" in done.output
    again = command("plan", "-o", "json", gate=site.gate.url)
    assert again.exit_code == 2
    made = [each["resource"] for each in json.loads(again.stdout)["steps"] if each["action"] == "create"]
    assert made == OURS, "and nothing else is left"


def test_a_saved_plan_is_for_what_was_read_then(command: Command, site: Site, tmp_path: Path) -> None:
    saved = str(tmp_path / "plan.json")
    assert command("plan", "--out", saved).exit_code == 3
    moved = command("apply", saved, "--no-gcloud", gate=site.gate.url)
    assert moved.exit_code == 1
    assert "the world has moved" in moved.output, "it says now what nobody has seen"
    assert command("plan", "--out", saved, gate=site.gate.url).exit_code == 2
    silent = command("apply", saved, "--no-gcloud")
    assert silent.exit_code == 3
    assert "nothing was done: the plan knew them" in silent.output
    assert site.google.state.writes() == []
    assert command("plan", "--out", saved).exit_code == 3
    assert "done    topic/ticks" in command("apply", saved, "--no-gcloud").output, "unread then and now is the same"


def test_destroy_takes_the_rest_away_and_says_what_is_left(command: Command) -> None:
    gone = command("destroy", "--no-gcloud", "--yes")
    assert gone.exit_code == 3, gone.output
    assert "gone    function/on-push" in gone.output
    assert "it stays, for it was not read" in gone.output
    again = command("destroy", "--no-gcloud", "--yes")
    assert again.exit_code == 3


def test_drift_is_not_denied_where_nothing_was_read(make_site: MakeSite) -> None:
    site = make_site("existing", applied=True)
    cloud = site.cloud()
    cloud.others["gate"] = GateCalls(
        GateReach(cloud, site.plan.values, site.ways, lambda: contextlib.nullcontext(SILENT), SILENT)
    )
    results = drift.check(site.plan, cloud, packaged=True)
    assert {each.state for each in results if each.what.startswith(("application/", "pipeline/"))} == {"unreachable"}
    assert "ok" not in {each.state for each in results}


def test_a_token_that_is_not_there_yet_stops_no_plan(make_site: MakeSite) -> None:
    """The secret is made by `apply`, so it is empty before the first one."""
    spinnaker = {**make_plan("existing").values.config["spinnaker"], "tokenSecret": "gate-token"}
    site = make_site("existing", spinnaker=spinnaker)
    steps = {each.resource.key: each for each in steps_now(site.plan, site.cloud())}
    assert steps["bucket/ledger"].action == "create"
    assert steps["pipeline/web/deploy-web"].action == "unread"
    assert (
        "secret gate-token is empty, and Gate is called with it; put Gate's token into it"
        in steps["pipeline/web/deploy-web"].why
    )


def test_a_way_that_does_not_open_is_tried_once_for_all_and_again_later(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    now, tried = [0.0], [0]

    def way() -> contextlib.AbstractContextManager[str]:
        tried[0] += 1
        raise TransientError("kubectl port-forward opened no way")

    reach = GateReach(site.cloud(), site.plan.values, site.ways, way, None, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(TransientError, match="opened no way"):
            reach()
    assert tried == [1]
    now[0] = 30
    with pytest.raises(TransientError, match="opened no way"):
        reach()
    assert tried == [2]


def test_a_version_that_gate_has_and_that_was_disabled_stops_gates_part_alone(make_site: MakeSite) -> None:
    """So going back by `versions disable` and `apply` is open where Gate was given the new one already."""
    spinnaker = {**make_plan("standard").values.config["spinnaker"], "tokenSecret": None}
    site = make_site("standard", applied=True, spinnaker=spinnaker)
    assert site.apply().failed == {}
    place = "projects/acme-delivery/secrets/downwind-gate/versions/2"
    site.google.state.resources["secretmanager", place] = {"name": place, "state": "ENABLED"}
    site.google.state.resources["secret-data", place] = {"data": b64encode(b"downwind:another").decode()}
    assert site.apply().failed == {}
    site.google.state.resources["secretmanager", place]["state"] = "DISABLED"

    def planned() -> dict[str, Step]:
        cloud = site.cloud()
        way = contextlib.nullcontext(site.gate.url)
        cloud.others["gate"] = GateCalls(GateReach(cloud, site.plan.values, site.ways, lambda: way, None))
        return {each.resource.key: each for each in steps_now(site.plan, cloud)}

    steps = planned()
    unread = {key: each.why for key, each in steps.items() if each.action == UNREAD}
    assert {key.partition("/")[0] for key in unread} == {"application", "pipeline"}
    for why in unread.values():
        assert "Gate was given version 2 of secret downwind-gate, which cannot be read any more; apply gives it" in why
        assert "kubectl --namespace=spinnaker rollout restart deployment/spinnaker-gate" in why
    assert {steps[key].action for key in ("copy/gate", "function/on-push")} == {"change"}
    assert site.apply().failed == {}
    left = {key: each.why for key, each in planned().items() if each.due or each.action == UNREAD}
    assert left == {}


def test_doctor_counts_what_is_missing_without_gate(make_site: MakeSite) -> None:
    """Gate's objects are in no quota; and before the first `apply` its token is not there."""
    spinnaker = {**make_plan("existing").values.config["spinnaker"], "tokenSecret": "gate-token"}
    site = make_site("existing", spinnaker=spinnaker)
    cloud = site.cloud()
    cloud.others["gate"] = GateCalls(
        GateReach(cloud, site.plan.values, site.ways, lambda: contextlib.nullcontext(SILENT), None)
    )
    said = [each.what for each in examine(site.plan, cloud)]
    assert [each for each in said if "service accounts are there" in each]
    assert not [each for each in said if "could not be looked at" in each]
