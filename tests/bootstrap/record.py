"""`python -m tests.bootstrap.record [NAME...]`: has the real gcloud run our own line of a case on the fake, twice, and writes
down what it sent. For cases that no recording from elsewhere has; without names, those that are missing."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bootstrap.fake.server import FakeGoogle, WithoutSocket
from tests.bootstrap.fake.state import State
from tests.bootstrap.recorded_cases import CASES
from tests.bootstrap.recorded_ways import create

from downwind.bootstrap.cloud import Cloud

RECORDED = Path(__file__).parent / "recorded"


def main(names: list[str]) -> None:
    for name in names or [each for each in CASES if not (RECORDED / f"{each}.json").exists()]:
        with tempfile.TemporaryDirectory() as folder, FakeGoogle(State(strict=False)) as google:
            environment = google.environment(Path(folder))
            cloud = Cloud(WithoutSocket(google.state), environment, sleep=lambda _: None)
            google.state.resources["secretmanager", "projects/demo-proj/secrets/gh/versions/1"] = {}
            for resource in CASES[name].seed:
                cloud.send(create(resource).request)
            for each in google.state.resources.values():  # so that there is something to change
                each.pop("labels", None)
                each.pop("resourceLabels", None)
            first, again = _run(name, google, environment), _run(name, google, environment)
        assert google.escaped == [], name
        short = [f"{each['method']} {each['path']} {each['status']}" for each in again["requests"]]
        entry = {**first, "again": {"rc": again["rc"], "requests": short}}
        (RECORDED / f"{name}.json").write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n")
        print(f"{first['rc']} {name}: {first['command']}")


def _run(name: str, google: FakeGoogle, environment: dict[str, str]) -> dict[str, Any]:
    command = CASES[name].line or CASES[name].write.command
    assert command is not None, name
    begun = len(google.state.log)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CLOUDSDK_")}
    done = subprocess.run(
        command, env={**clean, **environment}, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )
    sent = [
        {
            **{key: each[key] for key in ("api", "method", "body", "status")},
            "path": each["path"] + "?" + "&".join(f"{key}={value}" for key, value in each["query"].items()),
        }
        for each in google.state.log[begun:]
    ]
    return {"command": shlex.join(command), "rc": done.returncode, "requests": sent}


if __name__ == "__main__":
    main(sys.argv[1:])
