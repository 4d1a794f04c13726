"""The example of docs/how-to/test-locally.md, copied as a user would copy it, and run by a pytest of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "test-locally.md"


def test_the_example_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    project = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", project)
    (project / "rollout").mkdir()
    (project / "rollout" / "test_rollout.py").write_text(example)
    # What this very run sets (coverage, workers, pytest's own variables) is not the other's.
    mine = ("PYTEST", "COV", "DOWNWIND")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "rollout", "-W", "error", "--basetemp", str(tmp_path / "base")],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{example.count('def test_')} passed" in done.stdout
