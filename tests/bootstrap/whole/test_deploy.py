"""`scripts/deploy --smoke` whole: a package, a new revision of every function that runs it, the proof by `bootstrap verify`, and
the way back by traffic when the proof fails."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.edge.machine import Machine, run
from tests.bootstrap.whole.conftest import CONFIG, PACKAGE, ROOT, bootstrap

from downwind.cli.package_upload import package

pytestmark = [pytest.mark.e2e, pytest.mark.long]
NAMES = {"on-push", "on-build", "on-image", "on-request", "on-execution", "on-tick", "receive", "operate"}


def packaged(folder: Path, file: str, old: str, new: str) -> Path:
    """As `scripts/package` makes it, of a checkout in which that was changed; with engines under scripts/test --engines alone."""
    source, engines = folder / "functions", folder / "engines"
    shutil.copytree(ROOT / "functions", source, ignore=shutil.ignore_patterns("__pycache__"))
    text = (source / file).read_text()
    assert old in text
    (source / file).write_text(text.replace(old, new, 1))
    engines.mkdir()
    return package(source, Path(os.environ.get("WITH_ENGINES") or engines), folder / "dist")


def deploy(machine: Machine, zipped: Path, *flags: str) -> Any:
    script = str(ROOT / "scripts" / "deploy")
    return run(machine, script, *flags, "--config", str(machine.folder / CONFIG), "--package", str(zipped))


def serving(machine: Machine) -> dict[str, str]:
    """The number of the revision that answers, by function."""
    found = {}
    for (api, name), each in machine.state.resources.items():
        if api == "run":
            (traffic,) = each["trafficStatuses"]
            revision = str(traffic.get("revision") or each["latestReadyRevision"]).rpartition("/")[2]
            found[name.rpartition("/downwind-")[2]] = revision.split("-")[-2]
    assert set(found) == NAMES
    return found


def test_a_package_is_proved_and_one_that_fails_the_proof_goes_back(installed: Machine, tmp_path: Path) -> None:
    assert installed.programs is not None
    before = serving(installed)
    good = packaged(tmp_path / "good", "main.py", "\n", "\n# another one\n")
    done = deploy(installed, good, "--smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 deployed, 0 had it already" in done.stdout
    now = serving(installed)
    assert all(int(now[name]) == int(before[name]) + 1 for name in NAMES)
    called = {f"downwind-{name}-{now[name]}-abc" for name in ("receive", "on-push", "on-build", "on-execution")}
    assert called <= set(installed.programs.running), "the proof was made of the new revisions"

    bad = packaged(tmp_path / "bad", "downwind/events/webhook.py", "sha256=(", "sha257=(")
    done = deploy(installed, bad, "--smoke")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the proof failed: a signed webhook is taken by receive" in done.stderr
    assert "back on the revision before: " in done.stderr
    assert "NOT back" not in done.stderr
    assert serving(installed) == now
    assert f"downwind-receive-{int(now['receive']) + 1:05d}-abc" in installed.programs.running
    again = bootstrap(installed, "verify", "--only", "rollout", "--only", "refused")
    assert again.returncode == 0, again.stdout + again.stderr
    drift = bootstrap(installed, "verify", "--only", "drift")
    assert drift.returncode == 1
    assert "allTrafficOnLatestRevision" in drift.stdout, "what was sent back is seen"

    assert deploy(installed, good).returncode == 0
    shutil.copy(good, installed.folder / PACKAGE)
    assert bootstrap(installed, "verify", "--only", "drift", "--package", PACKAGE).returncode == 0
