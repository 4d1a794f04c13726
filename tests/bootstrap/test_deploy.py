"""`scripts/deploy` on the fake of Google's APIs: one package for all, each revision checked, and the ways back."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS, make_plan
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.proof.front import Front
from tests.bootstrap.site import Killed, MakeSite, Site

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.deploy import Deploying, NotWell, requests
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.package import digest
from downwind.bootstrap.proof.result import Result
from downwind.cli.bootstrap_deploy import verdict
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.errors import Refused

NEW = digest(b"the source")
NAMES = ("on-push", "on-build", "on-image", "on-request", "on-execution", "on-tick")


@pytest.fixture
def front() -> Iterator[Front]:
    with Front(405) as made:
        yield made


@pytest.fixture
def site(make_site: MakeSite, front: Front) -> Site:
    """As applied, with a new package to deploy; functions answer at `front`."""
    made = make_site("smallest", applied=True)
    for (api, name), each in made.google.state.resources.items():
        if api == "cloudfunctions" and "/functions/" in name:
            each["url"] = made.google.state.addresses[name.rpartition("/")[2]] = (
                f"{front.url}/{name.rpartition('/')[2]}"
            )
    made.plan = make_plan("smallest")
    made.plan.values.package = NEW
    made.plan = type(made.plan)(made.plan.values)
    return made


def deploying(site: Site, tell: Callable[[str], None] | None = None, parallel: int = 1) -> Deploying:
    site.told.clear()
    return Deploying(
        site.plan,
        Writer(site.cloud(), None),
        tell or site.told.append,
        parallel=parallel,
        headers=lambda _url: {},
        sleep=lambda _seconds: None,
        clock=iter(range(10**6)).__next__,
    )


def serving(site: Site) -> set[str]:
    """Numbers of the revisions that answer."""
    found = set()
    for (api, name), each in site.google.state.resources.items():
        if api == "run":
            (status,) = each["trafficStatuses"]
            revision = status.get("revision") or each["latestReadyRevision"]
            match = re.search(r"-(\d{5})-abc$", revision)
            assert match, name
            found.add(match[1])
    return found


def uploads(site: Site) -> int:
    return len([each for each in site.google.state.log if "/upload/" in each["path"]])


def test_one_package_is_uploaded_once_and_runs_everywhere(site: Site, front: Front) -> None:
    assert serving(site) == {"00001"}
    done = deploying(site).run()
    assert sorted(done) == sorted(f"downwind-{name}" for name in NAMES)
    assert serving(site) == {"00002"}
    assert uploads(site) == 1
    objects = {
        str(each["buildConfig"]["source"]["storageSource"]["object"])
        for (api, name), each in site.google.state.resources.items()
        if api == "cloudfunctions" and "/functions/" in name
    }
    assert objects == {f"functions/{NEW}.zip"}
    assert sum("has read its settings" in line for line in site.told) == len(NAMES)
    assert site.due() == [], "what the bootstrap plans is what was deployed"
    assert deploying(site).run() == []
    assert uploads(site) == 1
    assert serving(site) == {"00002"}


def test_a_revision_that_does_not_come_up_takes_all_back(site: Site) -> None:
    site.google.state.unready.add("downwind-on-request")
    with pytest.raises(NotWell, match="failed to listen on PORT") as caught:
        deploying(site).run()
    assert "back on the revision before: " in str(caught.value)
    assert "NOT back" not in str(caught.value)
    assert serving(site) == {"00001"}
    assert any("on-push: downwind-on-push-00001-abc answers again" in line for line in site.told)
    # Put right, the same digest is deployed again, although the labels say that it is there.
    site.google.state.unready.clear()
    deploying(site).run()
    assert "00001" not in serving(site)
    assert site.due() == []


def test_three_at_once_come_to_the_same(site: Site) -> None:
    site.google.state.unready.add("downwind-on-tick")
    with pytest.raises(NotWell, match="on-tick"):
        deploying(site, parallel=3).run()
    assert serving(site) == {"00001"}
    site.google.state.unready.clear()
    deploying(site, parallel=3).run()
    assert "00001" not in serving(site)
    assert uploads(site) == 1
    assert site.due() == []


@pytest.mark.parametrize("status", [500, 404, 200])
def test_a_revision_that_answers_wrongly_takes_all_back(site: Site, front: Front, status: int) -> None:
    """404 is what ingress answers from outside, so where it is internal nothing was learnt; there the proof has to tell."""
    front.status["/downwind-on-image"] = status
    if status == 404:
        deploying(site).run()
        assert serving(site) == {"00002"}
        return
    with pytest.raises(NotWell, match="on-image"):
        deploying(site).run()
    assert serving(site) == {"00001"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_door_that_is_closed_to_us_is_well(site: Site, front: Front, status: int) -> None:
    front.otherwise = status
    deploying(site).run()
    assert serving(site) == {"00002"}


def test_a_build_that_fails_takes_back_what_was_switched_before_it(site: Site) -> None:
    site.google.state.faults.append(Fault("cloudfunctions", "PATCH", "on-build$", 400, 1, "INVALID_ARGUMENT"))
    with pytest.raises(NotWell, match="on-build"):
        deploying(site).run()
    assert serving(site) == {"00001"}


def test_a_proof_that_fails_takes_all_back(site: Site) -> None:
    with pytest.raises(NotWell, match="the canary did not roll out"):
        deploying(site).run(lambda: "the canary did not roll out")
    assert serving(site) == {"00001"}


def test_a_deployment_that_is_still_under_way_is_waited_for_before_traffic_goes_back(site: Site) -> None:
    """It would take the traffic again when it ends: of an update whose answer was lost nobody knows how far it is."""
    (function,) = [
        each
        for (api, name), each in site.google.state.resources.items()
        if api == "cloudfunctions" and name.endswith("-on-push")
    ]
    run = deploying(site)

    def smoke() -> str:
        function["state"] = "DEPLOYING"
        run.sleep = lambda _seconds: function.update(state="ACTIVE")
        return "no"

    with pytest.raises(NotWell):
        run.run(smoke)
    assert serving(site) == {"00001"}
    assert function["state"] == "ACTIVE"
    assert any("waiting" in line and "on-push" in line for line in site.told)


def test_a_deployment_that_never_ends_is_said_not_to_be_back(site: Site) -> None:
    (function,) = [
        each
        for (api, name), each in site.google.state.resources.items()
        if api == "cloudfunctions" and name.endswith("-on-push")
    ]

    def smoke() -> str:
        function["state"] = "DEPLOYING"
        return "no"

    with pytest.raises(NotWell, match=r"NOT back: downwind-on-push \(.* is still being deployed"):
        deploying(site).run(smoke)


def test_what_cannot_go_back_is_told_with_the_line_to_run(site: Site) -> None:
    site.google.state.faults.append(Fault("run", "PATCH", "on-push$", 403, 1, "PERMISSION_DENIED"))
    with pytest.raises(NotWell) as caught:
        deploying(site).run(lambda: "no")
    assert "NOT back: downwind-on-push" in str(caught.value)
    assert "gcloud run services update-traffic downwind-on-push --to-revisions=downwind-on-push-00001-abc=100" in str(
        caught.value
    )
    assert serving(site) == {"00001", "00002"}


@pytest.mark.parametrize("at", range(1, 7))
def test_killed_after_any_function_the_next_run_goes_on(site: Site, at: int) -> None:
    kill_at(site, at)
    done = deploying(site).run()
    assert len(done) == len(NAMES) - at
    assert serving(site) == {"00002"}
    assert uploads(site) == 1
    assert site.due() == []


def kill_at(site: Site, at: int) -> None:
    """As the process ends after so many functions were found well."""
    well: list[str] = []

    def tell(line: str) -> None:
        if " well " in line:
            well.append(line)
            if len(well) == at:
                raise Killed

    with pytest.raises(Killed):
        deploying(site, tell).run()


def test_the_next_run_takes_back_what_the_killed_one_had_switched(site: Site) -> None:
    kill_at(site, 2)
    site.google.state.unready.add("downwind-on-tick")
    with pytest.raises(NotWell):
        deploying(site).run()
    assert serving(site) == {"00001"}


def with_package(site: Site, package: str) -> None:
    site.plan.values.package = package
    site.plan = type(site.plan)(site.plan.values)


def test_after_a_run_that_was_killed_back_leaves_alone_what_it_did_not_come_to(site: Site) -> None:
    deploying(site).run()
    with_package(site, digest(b"a third"))
    kill_at(site, 2)
    assert serving(site) == {"00002", "00003"}
    deploying(site).back()
    assert serving(site) == {"00002"}


def test_what_had_the_package_long_before_is_not_taken_further_back(site: Site) -> None:
    """The second package is everywhere, the third came to two functions and was taken back; now the second is deployed again."""
    deploying(site).run()
    with_package(site, digest(b"a third"))
    kill_at(site, 2)
    deploying(site).back()
    with_package(site, NEW)
    site.google.state.unready.add("downwind-on-push")
    with pytest.raises(NotWell):
        deploying(site).run()
    assert serving(site) == {"00002"}


def test_a_run_that_deploys_nothing_takes_nothing_back(site: Site, front: Front) -> None:
    deploying(site).run()
    front.otherwise = 500
    with pytest.raises(NotWell, match="nothing went back"):
        deploying(site).run()
    assert serving(site) == {"00002"}


def test_back_by_hand(site: Site) -> None:
    with pytest.raises(Refused, match="no function has a revision to go back to"):
        deploying(site).back()
    deploying(site).run()
    assert "on-tick" in deploying(site).back()
    assert serving(site) == {"00001"}
    assert any("allTrafficOnLatestRevision" in each for each in _differs(site)), "and the plan shows it"


def test_settings_come_with_the_source_that_may_need_them(site: Site) -> None:
    for (api, name), each in site.google.state.resources.items():
        if api == "cloudfunctions" and "/functions/" in name:
            del each["serviceConfig"]["environmentVariables"]["DOWNWIND_LEDGER_BUCKET"]
    deploying(site).run()
    assert site.due() == []


def test_what_apply_changes_later_has_not_the_revision_before_the_last_deployment_before_it(site: Site) -> None:
    deploying(site).run()
    for (api, name), each in site.google.state.resources.items():
        if api == "cloudfunctions" and "/functions/" in name:
            each["serviceConfig"]["availableMemory"] = "1Gi"
            each["labels"]["team"] = "delivery"
    steps = [each for each in steps_now(site.plan, site.cloud()) if each.due]
    assert {each.resource.kind for each in steps} == {"function"}
    assert all("--remove-labels=downwind-before" in (each.writes[0].command or ()) for each in steps)
    assert site.apply().failed == {}
    assert serving(site) == {"00003"}
    live = [
        each["labels"]
        for (api, name), each in site.google.state.resources.items()
        if api == "cloudfunctions" and "/functions/" in name
    ]
    assert all(each["team"] == "delivery" and "downwind-before" not in each for each in live), live
    with pytest.raises(Refused, match="no function has a revision to go back to"):
        deploying(site).back()


def _differs(site: Site) -> list[str]:
    return [field for step in steps_now(site.plan, site.cloud()) for field in step.differs]


def test_another_change_that_is_under_way_is_waited_for(site: Site) -> None:
    site.google.state.faults.append(Fault("cloudfunctions", "PATCH", "on-push$", 409, 2, "ABORTED"))
    deploying(site).run()
    assert serving(site) == {"00002"}
    assert any("another change of it is under way" in line for line in site.told)


def test_traffic_that_is_split_is_nobodys_to_move(site: Site) -> None:
    service = next(
        value for (api, name), value in site.google.state.resources.items() if api == "run" and "on-push" in name
    )
    service["trafficStatuses"] = [{"revision": "a", "percent": 50}, {"revision": "b", "percent": 50}]
    with pytest.raises(Refused, match=r"on-push is split"):
        deploying(site).run()
    assert uploads(site) == 0


def test_without_functions_there_is_nothing_to_deploy_to(make_site: MakeSite) -> None:
    with pytest.raises(Refused, match="there is no"):
        deploying(make_site("smallest")).run()


def test_a_dry_run_sends_nothing(site: Site, tmp_path: Any) -> None:
    assert all(request is not None for _, request in requests(deploying(site)))
    package = tmp_path / "package.zip"
    package.write_bytes(b"the source")
    command = [
        "bootstrap",
        "deploy",
        "--config",
        str(CONFIGS / "smallest.yaml"),
        "--package",
        str(package),
        "--dry-run",
    ]
    done = CliRunner().invoke(main, command, obj=Session())
    assert done.exit_code == 0, done.output
    assert f"package sha256:{NEW}" in done.output
    assert done.output.count("PATCH https://cloudfunctions.googleapis.com/v2/") == len(NAMES)
    assert site.google.state.writes() == []
    deploying(site).run()
    again = CliRunner().invoke(main, command, obj=Session())
    assert again.output.count("has it already") == len(NAMES)
    assert {request for _, request in requests(deploying(site))} == {None}


@pytest.mark.parametrize(
    ("rollout", "refused", "code", "goes_back"),
    [
        ("ok", "ok", 0, False),
        ("ok", "unreachable", 0, False),
        ("unreachable", "ok", 3, False),
        ("failed", "ok", 1, True),
        ("ok", "failed", 1, True),
    ],
)
def test_what_the_proof_says_decides(rollout: Any, refused: Any, code: int, goes_back: bool) -> None:
    """A build sees no cluster, which is no reason to go back; a door that is seen open is."""
    results = [
        Result(group="rollout", what="the rollout succeeds", state=rollout, why="-"),
        Result(group="refused", what="a lower sequence applied in the cluster", state=refused, why="-"),
    ]
    found = verdict(results)
    assert found[0] == code
    assert (found[1] is not None) == goes_back


def test_without_a_canary_a_proof_is_refused_before_anything_is_deployed(site: Site, tmp_path: Any) -> None:
    package = tmp_path / "package.zip"
    package.write_bytes(b"the source")
    command = ["bootstrap", "deploy", "--config", str(CONFIGS / "smallest.yaml"), "--package", str(package), "--smoke"]
    done = CliRunner().invoke(main, command, obj=Session())
    assert done.exit_code == 1
    assert "no canary" in done.stderr
    assert site.google.state.writes() == []
