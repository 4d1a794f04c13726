"""`downwind bootstrap verify` of an installation in the cloud, as far as the fake of Google goes; and whose tokens it takes."""

import base64
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.proof.front import Front
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.package import digest
from downwind.bootstrap.proof.site import Token
from downwind.bootstrap.proof.tokens import read, stranger
from downwind.cli.bootstrap_place import Place
from downwind.cli.bootstrap_site import cloud_session, cloud_site, local_site
from downwind.cli.bootstrap_verify import Proof
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.errors import Misconfigured, Refused

CANARY = {"application": "canary", "environment": "staging"}


def config(folder: Path, name: str, **more: Any) -> Path:
    """With the files that it names beside it."""
    for each in ("web", "spinnaker"):
        shutil.copytree(CONFIGS / each, folder / each, dirs_exist_ok=True)
    file = folder / "downwind.config.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()), **more}))
    return file


def verify(file: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(
        main, ["bootstrap", "verify", "--config", str(file), "-o", "json", *arguments], obj=Session()
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_drift_is_told_with_the_exit_code(make_site: MakeSite, tmp_path: Path) -> None:
    package = tmp_path / "package.zip"
    package.write_bytes(b"the source")
    site = make_site("smallest", applied=True)
    file = config(tmp_path, "smallest")
    done = verify(file, "--only", "drift", "--package", str(package))
    checks = json.loads(done.stdout)["checks"]
    assert done.exit_code == 1, "the functions run another package than this one"
    assert {each["what"] for each in checks} >= {"function/on-push", "function/on-tick"}
    for (api, name), each in site.google.state.resources.items():
        if api == "cloudfunctions" and "/functions/" in name:
            each["labels"]["downwind-source"] = digest(b"the source")[:40]
    done = verify(file, "--only", "drift", "--package", str(package))
    assert {each["what"] for each in json.loads(done.stdout)["checks"]} == {"package/functions"}


def test_an_installation_without_a_canary_says_how_to_name_one(make_site: MakeSite, tmp_path: Path) -> None:
    make_site("smallest", applied=True)
    done = verify(config(tmp_path, "smallest"), "--only", "rollout")
    assert done.stdout, done.stderr
    (check,) = json.loads(done.stdout)["checks"]
    assert (done.exit_code, check["state"]) == (0, "not applicable")
    assert "verify:" in check["fix"]


def test_the_site_is_the_one_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOWNWIND_GATE_URL", "http://localhost:8084")
    file = config(tmp_path, "existing", verify=CANARY)
    place = Place(file, offline=True)
    session = cloud_session(place, Session())
    assert session.settings.ledger_bucket == "acme-shared-second-ledger"
    assert session.settings.topic_prefix == "second-"
    assert session.settings.gate_url == "http://localhost:8084", "what is set here counts more: Gate may be forwarded"
    site = cloud_site(place, session, None, None)
    assert site.canary is not None
    assert (site.canary.application, site.canary.file) == ("canary", "downwind-verify.txt")
    assert site.url("on-push") == "https://second-on-push-345678901234.us-central1.run.app"
    assert (site.webhooks, site.spinnaker, site.local) == (True, True, False)
    assert site.functions >= {"receive", "operate"}
    assert site.push_email == "second-push@acme-shared.iam.gserviceaccount.com"
    with pytest.raises(Refused, match="no local world"):
        local_site(session, None)


def test_an_installation_on_the_fake_is_sound_and_each_thing_that_is_broken_in_it_fails(
    make_site: MakeSite, memory: Any, tmp_path: Path
) -> None:
    """Doors as Google says they are, and a front that answers as Cloud Run would; all that is asked of the cloud at once."""
    made = make_site("existing", applied=True)
    google = made.google
    package = tmp_path / "package.zip"
    package.write_bytes(b"the source")
    for (api, name), each in google.state.resources.items():
        if api == "cloudfunctions" and "/functions/" in name:
            each["labels"]["downwind-source"] = digest(b"the source")[:40]
    place = Place(config(tmp_path, "existing"), package, gate=made.gate.url)
    google.state.resources["object", f"acme-shared-second-source/functions/{digest(b'the source')}.zip"] = {"name": "x"}
    with Front(403) as front:
        found = replace(
            cloud_site(place, cloud_session(place, Session()), None, None),
            world=memory.world,
            url=lambda function: f"{front.url}/{function}",
            stranger=lambda _audience: Token(email="stranger@acme.example", text="a.b.c"),
            gate="http://gate.example.invalid",
        )

        def run() -> dict[str, str]:
            told: list[str] = []
            proof = Proof(Session(), found, place, (), None, say=told.append)
            return {each.what: each.state for each in proof.run(("refused", "drift"))}

        sound = run()
        assert {state for what, state in sound.items() if "push" in what or "webhook" in what or "order" in what} == {
            "ok"
        }
        assert [state for what, state in sound.items() if "Gate" in what] == ["unreachable"]
        assert "failed" not in sound.values(), sound
        for (_, name), policy in google.state.policies.items():
            if name.endswith("/services/second-on-push"):
                policy["bindings"][0]["members"].append("allUsers")
        front.status["/receive"] = 204
        broken = {what for what, state in run().items() if state == "failed"}
        assert {
            "a push without a token to on-push",
            "an unsigned webhook",
            "a webhook with a wrong signature",
            "an event of Spinnaker's Echo with a wrong secret",
            "policy/function/on-push",
        } <= broken
        assert not {what for what in broken if "operate" in what}
    assert google.state.writes() == []


def test_a_canary_needs_both_names(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["bootstrap", "verify", "--application", "shop"], obj=Session())
    assert done.exit_code == 1
    assert "--environment" in done.stderr


def token(**claims: str) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def fake_gcloud(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> None:
    program = folder / "gcloud"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\necho "{text}"\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_whose_token_it_is_stands_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gcloud(tmp_path, monkeypatch, token(email="ann@acme.example"))
    assert stranger("https://on-push.example").email == "ann@acme.example"
    assert (tmp_path / "asked").read_text().strip() == "auth print-identity-token"
    stranger("https://on-push.example", "other@acme.example")
    asked = (tmp_path / "asked").read_text()
    assert "--impersonate-service-account=other@acme.example" in asked
    assert "--audiences=https://on-push.example" in asked
    fake_gcloud(tmp_path, monkeypatch, "no", 1)
    with pytest.raises(Misconfigured, match="gcloud auth login"):
        stranger("https://on-push.example")


@pytest.mark.parametrize("text", ["", "a", "a.b.c", token(sub="1")])
def test_a_token_without_an_email_is_of_nobody(text: str) -> None:
    with pytest.raises(Misconfigured):
        read(text)
