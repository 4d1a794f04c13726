"""The real gcloud on our fake (scripts/test --gcloud): every line of the three plans is taken, and does what our own request
does; five runs that end; and a plan against describing one by one. What escapes to Google is refused, and fails the test."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.conftest import NAMES, make_plan
from tests.bootstrap.fake.server import FakeGoogle
from tests.bootstrap.fake.state import State
from tests.bootstrap.site import MakeSite, Site
from tests.bootstrap.test_builds_file import FILES, ROOT

from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.destroy import steps_back, take_back
from downwind.bootstrap.gcloud import Gcloud, Writer
from downwind.bootstrap.plan import Plan, Step
from downwind.bootstrap.served import switch
from downwind.bootstrap.shell import grants

pytestmark = pytest.mark.gcloud
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDSDK_", "DOWNWIND_"))}


def environment_of(site: Site) -> dict[str, str]:
    return {**ENVIRONMENT, **site.environment}


class Noting(Gcloud):
    """Keeps what it ran."""

    def __init__(self, site: Site) -> None:
        super().__init__(environment_of(site))
        self.ran: list[tuple[str, ...]] = []

    def run(self, command: Sequence[str]) -> str:
        self.ran.append(tuple(command))
        return super().run(command)


def gcloud_apply(site: Site, steps: list[Step] | None = None) -> list[tuple[str, ...]]:
    """With gcloud where it writes; the lines that it ran."""
    told: list[str] = []
    cloud = site.cloud()
    gcloud = Noting(site)
    steps = steps_now(site.plan, cloud) if steps is None else steps
    outcome = Applying(site.plan, Writer(cloud, gcloud, site.helm), told.append, parallel=2).run(steps)
    assert outcome.failed == {}, told
    return gcloud.ran


@pytest.mark.parametrize("name", NAMES)
def test_gclouds_writes_come_to_the_same_as_our_requests(make_site: MakeSite, name: str) -> None:
    """So every line of the offline plan parses, is sent to the endpoint that was meant, and makes what the plan says: none is
    refused, and none is left out."""
    ours = make_site(name, applied=True)
    site = make_site(name)
    lines = {write.command for step in site.plan.offline() for write in step.writes if write.command}
    lines = {each for each in lines if each[0] == "gcloud"}
    assert set(gcloud_apply(site)) == lines
    print(f"{name}: {len(site.plan.resources)} resources, {len(lines)} lines of gcloud, 0 refused")
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


@pytest.mark.parametrize("name", NAMES)
def test_destroy_with_gcloud_leaves_what_ours_leaves(make_site: MakeSite, name: str) -> None:
    """With its data, by gcloud; what was left by our own requests is nothing but the topics of Google."""
    ours = make_site(name, applied=True)
    assert ours.destroy(with_data=True) == {}
    site = make_site(name, applied=True)
    cloud = site.cloud()
    writer = Writer(cloud, Noting(site), site.helm)
    assert take_back(site.plan, writer, steps_back(site.plan, cloud, with_data=True), site.told.append) == {}
    assert site.everything() == ours.everything()
    assert site.google.escaped == []


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
        lines: dict[str, tuple[str, ...]] = {}
        for resource in plan.resources:
            kind = plan.kinds[resource.kind]
            if resource.kind in {"account", "role", "registry", "secret", "topic", "job"}:
                fields = [each for each in ("labels", "dockerConfig", "description") if each in kind.wanted(resource)]
                command = kind.change(resource, {"labels": {}}, fields).command
                if command is not None:
                    lines[resource.kind] = command
        for line in lines.values():
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
