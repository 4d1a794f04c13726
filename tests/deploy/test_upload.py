"""What the buildpack does with the upload before it serves anything, and what importing it costs."""

import json
from pathlib import Path
from typing import Any

# functions-framework itself brings flask, cloudevents and the namespace google.cloud.functions.
VENDORS = (
    "google.api_core", "google.auth", "google.cloud.devtools", "google.cloud.pubsub_v1", "google.cloud.storage",
    "google.iam", "google.oauth2", "google.protobuf", "google.pubsub_v1", "cryptography", "dulwich", "grpc", "requests",
    "urllib3", "yaml",
)  # fmt: skip
MODULES = """
import functions_framework._cli, functions_framework._http.gunicorn, json, sys
before = set(sys.modules)
sys.path.append(".")
import main
import downwind
print(json.dumps({"file": downwind.__file__, "modules": sorted(set(sys.modules) - before), "all": sorted(sys.modules)}))
"""


def imported(interpreter: Any, uploaded: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(interpreter.run("-c", MODULES, folder=uploaded))
    return found


def test_the_upload_leaves_out_the_command_line_and_the_local_world(uploaded: Path) -> None:
    assert {"main.py", "requirements.txt"} <= {each.name for each in uploaded.iterdir()}
    packages = {each.name for each in (uploaded / "downwind").iterdir() if each.is_dir()} - {"__pycache__"}
    assert packages == {"adapters", "events", "model", "perform", "reconcile", "render", "soundness"}


def test_the_package_that_runs_is_the_uploaded_one(interpreter: Any, uploaded: Path) -> None:
    assert Path(imported(interpreter, uploaded)["file"]) == uploaded / "downwind" / "__init__.py"


def test_every_uploaded_file_compiles(interpreter: Any, uploaded: Path) -> None:
    interpreter.run("-m", "compileall", "-q", ".", folder=uploaded)


def test_importing_main_loads_no_vendor_client(interpreter: Any, uploaded: Path) -> None:
    found = imported(interpreter, uploaded)
    assert [name for name in found["all"] if name.startswith(VENDORS)] == []


def test_publishing_loads_no_client_of_8_mib(interpreter: Any, uploaded: Path) -> None:
    code = "import sys; sys.path.append('.'); from downwind.adapters.pubsub import PubsubPublisher; "
    code += "PubsubPublisher('p', endpoint='http://127.0.0.1:1'); print(*sys.modules)"
    loaded = interpreter.run("-c", code, folder=uploaded).split()
    assert ("downwind.adapters.pubsub" in loaded, "google.pubsub_v1" in loaded) == (True, False)


def test_importing_main_loads_our_own_modules_and_a_handful_of_python_s(interpreter: Any, uploaded: Path) -> None:
    modules = imported(interpreter, uploaded)["modules"]
    ours = [name for name in modules if name.split(".")[0] == "downwind"]
    assert len(ours) < 130
    assert len(modules) - len(ours) < 20, modules
