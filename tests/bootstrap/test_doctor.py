"""The doctor: a fit project, and each thing that may be wrong with its fix."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite, Site

from downwind.bootstrap.check import Check
from downwind.bootstrap.doctor import examine
from downwind.bootstrap.doctor_policies import CONSTRAINTS
from downwind.bootstrap.tools import Tools
from downwind.cli.main import main

READS = ("testIamPermissions", "getEffectiveOrgPolicy")
"""POSTs, and the only ones."""
ON = ("iam", "compute", "container", "cloudfunctions", "cloudbuild")


def nowhere(_program: str) -> None:
    return None


def checks(site: Site) -> list[Check]:
    """Without the machine's own programs: what is said of the project."""
    found = examine(site.plan, site.cloud(), which=nowhere)
    return [each for each in found if not each.what.startswith(("gcloud", "kubectl", "gke-", "helm"))]


def wrong(site: Site) -> list[Check]:
    return [each for each in checks(site) if each.fix is not None]


def switched_on(site: Site) -> Site:
    """As after the first step of apply."""
    site.google.state.services |= {f"{each}.googleapis.com" for each in ON}
    return site


def test_a_fit_project_is_fit(make_site: MakeSite) -> None:
    site = switched_on(make_site("standard"))
    assert wrong(site) == []
    assert not [each.what for each in checks(site) if each.what.startswith("not known")]
    assert site.google.escaped == []
    reads = {f"POST cloudresourcemanager /v1/projects/acme-delivery:{each}" for each in READS}
    assert set(site.google.state.writes()) == reads


def test_in_an_empty_project_it_says_what_can_not_be_known_yet(make_site: MakeSite) -> None:
    site = make_site("standard")
    assert wrong(site) == []
    told = [each.what for each in checks(site)]
    count = len({name for each in site.plan.resources if each.kind == "apis" for name in each.body["services"]})
    assert f"{count} APIs are needed; apply switches {count} of them on" in told
    for api in ("cloudfunctions", "container", "compute"):
        assert any(each.startswith("not known yet") and f"{api}.googleapis.com is off" in each for each in told), api


@pytest.mark.parametrize("name", ["smallest", "standard", "existing"])
def test_after_apply_all_is_fit_still(make_site: MakeSite, name: str) -> None:
    assert wrong(make_site(name, applied=True)) == []


@pytest.mark.parametrize(
    ("lacking", "what"),
    [
        ("billing", "billing is off"),
        ("iam.roles.create", "you lack iam.roles.create"),
        ("compute.networks.create", "you lack compute.networks.create"),
        ("quota/CPUS", "quota CPUS of the region: 0 left, 8 needed"),
        ("quota/IN_USE_ADDRESSES", "quota IN_USE_ADDRESSES of the region: 0 left, 1 needed"),
        ("quota/NETWORKS", "quota NETWORKS of the project: 0 left, 1 needed"),
        ("quota/SUBNETWORKS", "quota SUBNETWORKS of the project: 0 left, 2 needed"),
        ("quota/ROUTERS", "quota ROUTERS of the project: 0 left, 1 needed"),
        ("quota/accounts", "95 service accounts are there"),
        ("quota/run", "a function may use 2 processors in europe-west1, 5 are asked for"),
    ],
)
def test_what_is_wrong_comes_with_its_fix(make_site: MakeSite, lacking: str, what: str) -> None:
    site = switched_on(make_site("standard"))
    site.google.state.lacking.add(lacking)
    (found,) = wrong(site)
    assert what in found.what
    assert found.fix


BY_CONFIGURATION = {"run.allowedIngress": "existing", "cloudfunctions.requireVPCConnector": "smallest"}


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_an_organisation_policy_that_refuses_a_step_is_found(make_site: MakeSite, constraint: str) -> None:
    site = switched_on(make_site(BY_CONFIGURATION.get(constraint, "standard")))
    site.google.state.lacking.add(f"constraints/{constraint}")
    (found,) = wrong(site)
    assert f"{constraint} restricts" in found.what


@pytest.mark.parametrize(
    ("rule", "refuses"),
    [
        ({"allowedValues": ["in:eu-locations"]}, False),
        ({"allowedValues": ["in:europe-west1-locations"]}, False),
        ({"allowedValues": ["in:us-locations", "europe-west1"]}, False),
        ({"allowedValues": ["in:us-locations"]}, True),
        ({"deniedValues": ["in:europe-locations"]}, True),
        ({"deniedValues": ["in:us-locations"]}, False),
        ({"allValues": "DENY"}, True),
        ({}, False),
    ],
)
def test_groups_of_locations_are_read(make_site: MakeSite, rule: dict[str, object], refuses: bool) -> None:
    plan = make_site("standard").plan
    assert CONSTRAINTS["gcp.resourceLocations"].refuses(plan, {"listPolicy": rule}) is refuses


def test_a_policy_that_refuses_nothing_of_this_plan_is_no_finding(make_site: MakeSite) -> None:
    site = make_site("smallest")
    for each in ("iam.allowedPolicyMemberDomains", "run.allowedIngress", "compute.restrictCloudNATUsage"):
        site.google.state.lacking.add(f"constraints/{each}")
    assert wrong(site) == []


def test_a_region_that_offers_nothing_is_found_with_those_near(make_site: MakeSite) -> None:
    site = switched_on(make_site("standard", region="europe-west99"))
    told = {each.what: each.fix for each in wrong(site)}
    assert (
        told["region europe-west99 does not offer functions of the 2nd generation"]
        == "take another region: europe-west1"
    )
    assert "europe-west99 does not offer GKE" in told


def test_the_number_of_another_project_is_found(make_site: MakeSite) -> None:
    site = make_site("smallest", number="999999999999")
    (found,) = wrong(site)
    assert found.fix == 'write number: "210987654321" into the configuration'


def test_a_gate_that_no_function_reaches_is_found(make_site: MakeSite) -> None:
    spinnaker = {**make_site("standard").plan.values.config["spinnaker"], "gate": "http://spin-gate.spinnaker:8084"}
    (found,) = wrong(switched_on(make_site("standard", spinnaker=spinnaker)))
    assert "10.60.15.250" in str(found.fix)


def test_missing_programs_are_named(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site("standard")
    tools = Tools({"HOME": str(tmp_path)})
    found = [each for each in examine(site.plan, site.cloud(), which=nowhere, tools=tools) if each.fix]
    assert [each.what for each in found] == [
        "gcloud is not on this machine",
        "helm is missing",
        "kubectl is missing",
        "gke-gcloud-auth-plugin is missing",
    ]
    assert [each.repair is not None for each in found] == [False, True, True, False]


SIGNED_OUT = """#!/bin/sh
# What gcloud 528 says where nobody is signed in.
case "$*" in
  version) echo "Google Cloud SDK 528.0.0" ;;
  "config get-value account") echo "(unset)" >&2 ;;
  *) printf 'ERROR: (gcloud.auth) You do not currently have an active account selected.\\n' >&2
     printf 'Please run:\\n\\n  $ gcloud auth login\\n\\nto obtain new credentials.\\n' >&2; exit 1 ;;
esac
"""


def test_who_is_not_signed_in_is_told_so_once(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_site("smallest")
    script(tmp_path, SIGNED_OUT).rename(tmp_path / "gcloud")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CLOUDSDK_AUTH_ACCESS_TOKEN")
    line = ["--config", str(CONFIGS / "smallest.yaml")]
    asked = CliRunner().invoke(main, ["bootstrap", "doctor", "-o", "json", *line])
    assert asked.exit_code == 1
    wrong = [each for each in json.loads(asked.stdout)["checks"] if each["fix"]]
    assert [each["fix"] for each in wrong] == ["gcloud auth login"]
    assert "active account" in wrong[0]["what"]
    zipped = tmp_path / "functions.zip"
    zipped.write_bytes(b"the source")
    refused = CliRunner().invoke(main, ["bootstrap", "plan", "--package", str(zipped), *line])
    assert refused.exit_code == 1
    assert refused.output.rstrip().endswith("; gcloud auth login")


def test_the_account_is_told(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site("smallest")
    program = script(tmp_path, '#!/bin/sh\n[ "$1" = config ] && echo ann@acme.example\n')
    assert Check(what="account ann@acme.example") in examine(site.plan, site.cloud(), which=lambda _: str(program))


SCRIPT = """#!/bin/sh
# Stands in for scripts/helm, which fetches 38 MB.
helm=9.8.7
d="$XDG_CACHE_HOME/downwind/tools/helm-$helm"; mkdir -p "$d"
printf '#!/bin/sh\\necho v9.8.7\\n' > "$d/helm"; printf '#!/bin/sh\\n' > "$d/kubectl"; chmod 755 "$d/helm" "$d/kubectl"
echo "$d"
"""


def script(folder: Path, text: str = SCRIPT) -> Path:
    file = folder / "fetch"
    file.write_text(text)
    file.chmod(0o755)
    return file


def test_what_is_missing_is_fetched_and_then_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tools = Tools(os.environ, script(tmp_path))
    repair = next(each.repair for each in tools.checks(nowhere) if each.repair)
    assert "export PATH=" in repair()
    assert [(each.what.split(" (")[0], each.fix) for each in tools.checks(nowhere)] == [
        ("helm 9.8.7", None),
        ("kubectl", None),
    ]


def test_a_helm_that_is_too_old_is_found(tmp_path: Path) -> None:
    old = script(tmp_path, "#!/bin/sh\necho v3.9.0+g1\n")
    found = next(Tools({"HOME": str(tmp_path)}).checks(lambda name: str(old)))
    assert found.what.startswith("helm 3.9.0")
    assert found.repair is not None


def test_doctor_fix_asks_first(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_site("standard")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = ["bootstrap", "doctor", "--config", str(CONFIGS / "standard.yaml"), "-o", "json"]
    asked = CliRunner().invoke(main, [*line, "--fix"], input="n\n")
    assert asked.exit_code == 1
    assert "Do it?" in asked.stderr
    assert not (tmp_path / "cache").exists()
    plain = CliRunner().invoke(main, line)
    assert "Do it?" not in plain.stderr
    missing = [each["what"] for each in json.loads(plain.stdout)["checks"] if each["fix"]]
    assert "helm is missing" in missing


def test_the_command_ends_with_1_where_something_is_wrong(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_site("smallest")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["bootstrap", "doctor", "--config", str(CONFIGS / "smallest.yaml")])
    assert done.exit_code == 1
    assert "to do: install the Google Cloud CLI" in done.output


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        ("Google Cloud SDK 527.9.9", "gcloud 527.9.9", "gcloud components update"),
        ("Google Cloud SDK 528.0.0", "gcloud 528.0.0", None),
        ("Google Cloud SDK 1000.0.0", "gcloud 1000.0.0", None),
        ("a version of somebody's own", "gcloud 0.0.0", "gcloud components update"),
    ],
)
def test_a_gcloud_that_is_too_old_is_told(
    make_site: MakeSite, tmp_path: Path, said: str, what: str, fix: str | None
) -> None:
    program = tmp_path / "gcloud"
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "{said}"\ntrue\n')
    program.chmod(0o755)
    site = make_site("smallest")
    found = examine(site.plan, site.cloud(), which=lambda name: str(program) if name == "gcloud" else None)
    assert Check(what=what, fix=fix) in found


@pytest.mark.parametrize(
    ("status", "reason", "what"),
    [
        (404, "NOT_FOUND", "project acme-small is not there, or cloudresourcemanager.googleapis.com is off in it"),
        (403, "PERMISSION_DENIED", "project acme-small is not there, or not yours to see: Google answers 403 to both"),
    ],
)
def test_a_project_that_is_not_there_is_told(make_site: MakeSite, status: int, reason: str, what: str) -> None:
    site = make_site("smallest")
    site.google.state.faults = [Fault("cloudresourcemanager", "GET", "/projects/acme-small$", status, 1, reason)]
    first = next(each for each in wrong(site) if "project" in each.what)
    assert first.what == what
    assert str(first.fix).startswith("gcloud projects create acme-small, another project in the configuration")
