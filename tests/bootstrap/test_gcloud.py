"""The real gcloud on our fake (scripts/test --gcloud): every line of the three plans is taken, and does what our own request
does; five runs that end; and a plan against describing one by one. What escapes to Google is refused, and fails the test."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.conftest import NAMES, make_plan
from tests.bootstrap.fake.server import FakeGoogle
from tests.bootstrap.fake.state import State
from tests.bootstrap.site import MakeSite, Site
from tests.bootstrap.test_builds_file import FILES, ROOT

from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.gcloud import Gcloud, Writer, make_session
from downwind.bootstrap.plan import Plan, Step
from downwind.bootstrap.served import switch
from downwind.bootstrap.shell import grants

pytestmark = pytest.mark.gcloud
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDSDK_", "DOWNWIND_"))}


def environment_of(site: Site) -> dict[str, str]:
    return {**ENVIRONMENT, **site.environment}


def gcloud_apply(site: Site, steps: list[Step] | None = None) -> list[str]:
    """With gcloud where it writes; what it said."""
    told: list[str] = []
    cloud = site.cloud()
    writer = Writer(cloud, Gcloud(environment_of(site)), site.helm)
    outcome = Applying(site.plan, writer, told.append, parallel=2).run(steps or steps_now(site.plan, cloud))
    assert outcome.failed == {}, told
    return told


@pytest.mark.parametrize("name", NAMES)
def test_gclouds_writes_come_to_the_same_as_our_requests(make_site: MakeSite, name: str) -> None:
    """So every line parses, is sent to the endpoint that was meant, and makes what the plan says."""
    ours = make_site(name, applied=True)
    site = make_site(name)
    gcloud_apply(site)
    assert site.due() == []
    assert site.google.escaped == []
    assert _plain(site.google.state.dump()) == _plain(ours.google.state.dump())


def _plain(dump: dict[str, Any]) -> dict[str, Any]:
    """Without what gcloud adds of its own: defaults that it spells out, a label of its own, fields of a request."""
    more = {"mode", "environment", "name", "retryConfig", "parent", "email", "projectId", "annotations", "resourceName"}

    def of(value: Any) -> Any:
        if isinstance(value, dict):
            found = {key: of(each) for key, each in value.items() if key not in more}
            found = {key: each for key, each in found.items() if each not in ({}, [], None, "", False)}
            found.pop("deployment-tool", None)
            return found
        return [of(each) for each in value] if isinstance(value, list) else value

    return {key: of(value) for key, value in dump.items()}


@pytest.mark.parametrize("at", [3, 11, 19, 27, 35])
def test_killed_after_a_step_another_run_with_gcloud_ends_the_same(make_site: MakeSite, at: int) -> None:
    site = make_site("smallest")
    steps = steps_now(site.plan, site.cloud())
    gcloud_apply(site, steps[:at])
    gcloud_apply(site)
    assert site.due() == []
    assert site.google.escaped == []


def run(site: Site, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment_of(site),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_lines_of_the_script_for_policies_are_taken(make_site: MakeSite) -> None:
    """One of each kind of resource: a second and a half each."""
    site = make_site("standard", applied=True)
    seen: set[str] = set()
    for resource in site.plan.resources:
        kind = resource.id.partition("/")[0]
        if resource.kind == "policy" and kind not in seen:
            seen.add(kind)
            line = list(grants(site.plan, resource))[-1]
            done = run(site, line)
            assert done.returncode == 0, (line, done.stderr)
    assert site.due() == []
    assert site.google.escaped == []
    assert len(seen) == 9


@pytest.mark.parametrize("name", ["smallest"])
def test_destroy_with_gcloud_leaves_nothing(make_site: MakeSite, name: str) -> None:
    from downwind.bootstrap.destroy import steps_back, take_back

    site = make_site(name, applied=True)
    cloud = Cloud(make_session(site.environment), site.environment)
    writer = Writer(cloud, Gcloud(environment_of(site)))
    assert take_back(site.plan, writer, steps_back(site.plan, cloud), site.told.append) == {}
    assert not [each for each in site.google.state.dump() if "/functions/" in each or "serviceAccounts" in each]
    assert site.google.escaped == []


def test_a_plan_is_at_least_twenty_times_faster_than_describing_one_by_one(make_site: MakeSite) -> None:
    """In one run, on one machine: eight of the descriptions, times the number of resources."""
    site = make_site("standard", applied=True)
    begun = time.monotonic()
    assert site.due() == []
    planned = time.monotonic() - begun
    accounts = [each.name for each in site.plan.resources if each.kind == "account"][:8]
    begun = time.monotonic()
    for account in accounts:
        done = run(
            site, ("gcloud", "iam", "service-accounts", "describe", account, "--project=acme-delivery", "--format=json")
        )
        assert done.returncode == 0, done.stderr
    described = (time.monotonic() - begun) / len(accounts) * len(site.plan.resources)
    print(
        f"plan {planned:.2f} s, {len(site.plan.resources)} one by one {described:.1f} s: {described / planned:.0f} times"
    )
    assert described / planned >= 20


@pytest.mark.parametrize("created", ["autopilot", "standard"])
def test_gcloud_asks_for_the_very_cluster_that_we_do(tmp_path: Path, created: str) -> None:
    sizes = {"machine": "e2-standard-4", "minNodes": 1, "maxNodes": 3}
    plan = make_plan(
        "standard", cluster={"create": created, "name": "downwind", "location": None, "context": None, **sizes}
    )
    (write,) = next(each for each in plan.offline() if each.resource.kind == "cluster").writes
    assert write.command is not None
    google, environment = lenient(tmp_path)
    with google:
        subprocess.run(write.command, env=environment, capture_output=True, timeout=120, check=True)
    (sent,) = [
        each["body"] for each in google.state.log if each["method"] == "POST" and each["path"].endswith("/clusters")
    ]
    assert sent == write.request.body
    assert google.escaped == []


def test_what_gcloud_refuses_is_told_with_its_own_words(make_site: MakeSite) -> None:
    from downwind.bootstrap.cloud import Conflict

    site = make_site("smallest", applied=True)
    topic = next(each for each in site.plan.offline() if each.resource.key == "topic/ticks")
    command = topic.writes[0].command
    assert command is not None
    with pytest.raises(Conflict, match="ticks"):
        Gcloud(environment_of(site)).run(command)


def lenient(tmp_path: Path) -> tuple[FakeGoogle, dict[str, str]]:
    google = FakeGoogle(State(strict=False))
    return google, {**ENVIRONMENT, **google.environment(tmp_path), "CLOUDSDK_CORE_PROJECT": "demo-proj"}


def test_no_line_of_any_plan_names_a_flag_that_gcloud_lacks(tmp_path: Path) -> None:
    """The parser alone would do; the runs above go through every kind. Here: every kind of change."""
    plans: list[Plan] = [make_plan(each) for each in NAMES]
    kinds = {resource.kind for plan in plans for resource in plan.resources}
    assert kinds >= {"account", "role", "registry", "secret", "topic", "job", "cluster"}
    google, environment = lenient(tmp_path)
    with google:
        plan = make_plan("standard")
        lines: list[tuple[str, ...]] = []
        for resource in plan.resources:
            kind = plan.kinds[resource.kind]
            if resource.kind in {"account", "role", "registry", "secret", "topic", "job"}:
                fields = [each for each in ("labels", "dockerConfig", "description") if each in kind.wanted(resource)]
                command = kind.change(resource, {"labels": {}}, fields).command
                if command and not any(line[:4] == command[:4] for line in lines):
                    lines.append(command)
        for line in lines:
            done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False)
            missing = any(each in done.stderr.lower() for each in ("not_found", "not found", "does not exist"))
            assert missing or done.returncode == 0, (line, done.stderr)
            assert "unrecognized arguments" not in done.stderr
        assert google.escaped == []
    assert len(lines) == 6


def test_the_line_that_sends_a_function_back_is_one_of_gclouds(tmp_path: Path) -> None:
    plan = make_plan("smallest")
    resource = next(each for each in plan.resources if each.key == "function/on-push")
    command = switch(plan.kinds["function"], resource, "downwind-on-push-00001-abc").command
    assert command is not None
    google, environment = lenient(tmp_path)
    with google:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert "unrecognized arguments" not in done.stderr, done.stderr
        assert "Invalid" not in done.stderr, done.stderr
        assert [each["path"] for each in google.state.log if each["api"] == "run"], done.stderr
        assert google.escaped == []


@pytest.mark.parametrize("file", FILES, ids=lambda each: str(each.relative_to(ROOT)))
def test_gclouds_parser_takes_our_build_files(tmp_path: Path, file: Path) -> None:
    google, environment = lenient(tmp_path)
    with google:
        done = submit(file, environment)
        assert done.returncode == 0, done.stderr
        assert google.escaped == []
    bad = tmp_path / "bad.yaml"
    bad.write_text(file.read_text().replace("steps:", "stepz:", 1))
    with lenient(tmp_path)[0] as other:
        refused = submit(bad, {**environment, **other.environment(tmp_path)})
        assert refused.returncode == 1
        assert "unused" in refused.stderr
        assert other.state.log == []


def submit(file: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ("gcloud", "builds", "submit", "--no-source", f"--config={file}", "--async", "--project=demo-proj")
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
