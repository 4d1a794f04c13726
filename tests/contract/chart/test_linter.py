"""checkov, a linter of Kubernetes' security: it finds nothing but what is listed here, each with its reason."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.contract.chart.helm import SETS, Helm

pytestmark = pytest.mark.chart

ACCEPTED = {
    "CKV_K8S_11": "no processor limit: a JVM that is throttled while it starts misses its probe, and starts again",
    "CKV_K8S_38": "Clouddriver deploys with the token of its pod; no other pod has one",
    "CKV_K8S_8": "the pod of `helm test` ends by itself",
    "CKV_K8S_9": "the pod of `helm test` ends by itself",
    "CKV2_K8S_6": "only where network policies are switched off by value",
}
ONLY = {
    "CKV_K8S_38": "Deployment.spinnaker.spinnaker-clouddriver",
    "CKV_K8S_8": "Pod.spinnaker.spinnaker-test",
    "CKV_K8S_9": "Pod.spinnaker.spinnaker-test",
}
"""The one object that a reason is about."""


@pytest.mark.parametrize("name", SETS)
def test_the_linter_finds_nothing_without_a_reason(helm: Helm, tmp_path: Path, name: str) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(helm.template(SETS[name]))
    failed = findings(rendered)
    accepted = set(ACCEPTED) - (set() if name == "trial-open-network" else {"CKV2_K8S_6"})
    assert [each for each in failed if each[0] not in accepted] == []
    assert [each for each in failed if each[0] in ONLY and each[2] != ONLY[each[0]]] == []


def test_the_linter_would_find_a_pod_that_is_not_held(helm: Helm, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(helm.template(SETS["trial"]).replace("readOnlyRootFilesystem: true", "privileged: true"))
    assert {"CKV_K8S_16", "CKV_K8S_22"} <= {check for check, _, _ in findings(rendered)}


def findings(rendered: Path) -> list[tuple[str, str, str]]:
    """(check, what it says, object), of a file that has more than one object."""
    checkov = Path(os.environ["CHART_TOOLS"]) / "checkov/bin/checkov"
    command: list[str | Path] = [
        checkov,
        "--framework",
        "kubernetes",
        "--file",
        rendered,
        "--output",
        "json",
        "--compact",
        "--quiet",
    ]
    command += ["--skip-download", "--soft-fail"]
    own = {"PATH": os.environ["PATH"], "HOME": str(rendered.parent), "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=own)
    answer = json.loads(done.stdout)
    assert answer["summary"]["parsing_errors"] == 0
    assert answer["summary"]["passed"] > 100
    return [(each["check_id"], each["check_name"], each["resource"]) for each in answer["results"]["failed_checks"]]
