"""`downwind spinnaker` and `status --live` as a person sees them; ports_of_people.Spinnaker is kept by tests/contract/gate."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from downwind.adapters.memory_spinnaker import MemorySpinnaker
from downwind.errors import Misconfigured
from downwind.model.live import Balancer, Live, ServerGroup
from downwind.model.pipeline_file import fill
from downwind.ports import NewObject
from downwind.shipped import shipped
from downwind.soundness.read_pipeline import read_pipeline

IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"


def fit(cli: Any) -> None:
    cli.spinnaker.save_application({"name": "shop", "email": "sre@acme.example"})
    cli.settings |= {"DOWNWIND_GATE_SIGN_IN": "token", "DOWNWIND_GATE_SECRET": "gate"}


def released(cli: Any, shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def test_a_fit_spinnaker_is_called_so(cli: Any, shop: Any) -> None:
    fit(cli)
    released(cli, shop)
    readable(cli)
    done = cli.run("spinnaker", "verify")
    assert done.exit_code == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "checked  Gate: Spinnaker 2026.2.4" in lines
    assert any(line.startswith("checked  artifact gs://acme-bundles/shop/staging/rollout/1.yaml#") for line in lines)
    assert "checked  Echo: 1 ends compared" in lines
    assert lines[-1].startswith("fit: ")


def readable(cli: Any) -> None:
    """Its pipelines are the shipped ones, and its artifact account may read the bundles."""
    for environment, namespace, name in (("staging", "shop-staging", "rolling"), ("production", "shop", "judgment")):
        document = fill(
            read_pipeline(f"{name}.yaml", shipped(f"pipelines/{name}.yaml").read_bytes()),
            application="shop",
            environment=environment,
            bundles_bucket="acme-bundles",
            namespace=namespace,
            account="local",
        )
        cli.memory.pipelines.save(document | {"application": "shop", "name": f"deploy-{environment}"})
    for each in cli.memory.bundles.list("shop/"):
        cli.spinnaker.readable[f"gs://acme-bundles/{each.name}#{each.generation}"] = b"bytes"


def test_each_thing_that_is_wrong_comes_with_what_to_do(cli: Any, shop: Any) -> None:
    released(cli, shop)
    cli.spinnaker.said_version = "2026.2.3"
    cli.spinnaker.said_user = {"username": "anonymous"}
    document = dict(cli.memory.pipelines.config("shop", "deploy-production").document)
    cli.memory.pipelines.save(document | {"spelEvaluator": "v3"})
    done = cli.run("spinnaker", "verify", "shop")
    assert done.exit_code == 1
    for text in (
        "WRONG    Gate: is Spinnaker 2026.2.3, older than the fixes",
        "to do: upgrade to 2026.2.4 or newer",
        "WRONG    Gate: takes us for anonymous",
        "WRONG    application shop: is not one that Spinnaker shows us",
        "WRONG    pipeline shop/deploy-production, spelEvaluator: is not v4",
        "WRONG    shop/staging: Spinnaker cannot read gs://acme-bundles/shop/staging/rollout/1.yaml#",
        "roles/storage.objectViewer",
        "not fit: ",
    ):
        assert text in done.stdout


def test_ends_that_echo_did_not_announce_are_told(cli: Any, shop: Any) -> None:
    fit(cli)
    released(cli, shop)
    readable(cli)
    for document in cli.memory.pipelines.executions.values():
        if "endTime" in document:
            document["endTime"] -= 600_000
    found = json.loads(cli.run("spinnaker", "verify", "-o", "json").stdout)
    assert (found["fit"], [each["where"] for each in found["findings"]]) == (False, ["Echo"])
    assert set(found) == {"fit", "gate", "applications", "checked", "findings"}


def test_an_unsafe_spin_on_the_path_is_warned_of(cli: Any, shop: Any, tmp_path: Path) -> None:
    fit(cli)
    spin = tmp_path / "bin" / "spin"
    spin.parent.mkdir()
    spin.write_text("#!/bin/sh\necho spin version 2026.2.3\n")
    spin.chmod(0o755)
    cli.settings["PATH"] = os.pathsep.join((str(spin.parent), os.environ["PATH"]))
    done = cli.run("spinnaker", "verify")
    assert "WRONG    spin (spin version 2026.2.3): is one whose" in done.stdout
    spin.write_text("#!/bin/sh\nexit 3\n")
    assert "spin on the path: does not say its version" in cli.run("spinnaker", "verify").stdout


def test_a_gate_that_does_not_let_us_in_is_no_verdict(cli: Any, shop: Any) -> None:
    class Closed(MemorySpinnaker):
        def version(self) -> str | None:
            raise Misconfigured("Gate redirected to a login page", fix="sign in")

    cli.spinnaker = Closed()
    done = cli.run("spinnaker", "verify")
    assert (done.exit_code, "login page; sign in" in done.stderr) == (1, True)
    assert cli.run("spinnaker", "verify", "nosuch").exit_code == 1


def test_applications_are_saved_listed_shown_and_deleted(cli: Any, tmp_path: Path) -> None:
    assert cli.run("spinnaker", "application", "save", "billing").exit_code == 2
    assert cli.run("spinnaker", "application", "save", "--email", "a@b").exit_code == 2
    done = cli.run("spinnaker", "application", "save", "billing", "--email", "a@b.example", "--description", "Money")
    assert done.stdout == "saved: application billing\n"
    file = tmp_path / "more.yaml"
    file.write_text("name: more\nemail: c@d.example\npermissions: {}\n")
    assert cli.run("spinnaker", "application", "save", "--file", str(file)).exit_code == 0
    listed = cli.run("spinnaker", "application", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "billing", "more"]
    found = yaml.safe_load(cli.run("spinnaker", "application", "get", "billing", "-o", "yaml").stdout)
    assert (found["email"], found["cloudProviders"]) == ("a@b.example", "kubernetes")
    assert "email: a@b.example" in cli.run("spinnaker", "application", "get", "billing").stdout
    assert cli.run("spinnaker", "application", "delete", "billing", answers="n\n").exit_code == 1
    assert cli.run("spinnaker", "application", "delete", "billing", "--yes").stdout == "deleted: application billing\n"
    for verb in ("get", "delete"):
        done = cli.run("spinnaker", "application", verb, "billing", *(["--yes"] if verb == "delete" else []))
        assert (done.exit_code, "has no application billing" in done.stderr) == (1, True)


@pytest.mark.parametrize("text", ["[]", "a: [", "{", "\x00"])
def test_a_file_that_is_no_application_is_refused(cli: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    done = cli.run("spinnaker", "application", "save", "--file", str(file))
    assert (done.exit_code, "odd.yaml" in done.stderr) == (1, True)


def test_executions_are_listed_shown_and_ended(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    (started,) = (each["id"] for each in shop.executions("staging"))
    listed = cli.run("spinnaker", "execution", "list", "shop", "--status", "running").stdout.splitlines()
    assert listed[0].split() == ["EXECUTION", "PIPELINE", "STATUS", "STARTED", "BY"]
    assert listed[1].split()[:3] == [started, "deploy-staging", "RUNNING"]
    shown = cli.run("spinnaker", "execution", "get", started).stdout.splitlines()
    assert shown[0] == "shop/deploy-staging: RUNNING"
    assert cli.json("spinnaker", "execution", "get", started)["id"] == started
    for verb, status in (("pause", "PAUSED"), ("resume", "RUNNING")):
        assert cli.run("spinnaker", "execution", verb, started).exit_code == 0
        assert cli.json("spinnaker", "execution", "get", started)["status"] == status
    done = cli.run("spinnaker", "execution", "cancel", started, "--reason", "enough")
    assert done.stdout == f"asked for the end of: execution {started}\n"
    assert cli.json("spinnaker", "execution", "get", started)["cancellationReason"] == "enough"
    stage = cli.json("spinnaker", "execution", "get", started)["stages"][0]["id"]
    assert cli.run("spinnaker", "execution", "restart", started, stage).exit_code == 0
    assert cli.run("spinnaker", "execution", "delete", started).exit_code == 0
    for words in (("get",), ("cancel",), ("pause",), ("resume",), ("delete",)):
        done = cli.run("spinnaker", "execution", *words, started)
        assert (done.exit_code, f"no execution {started}" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, []),
        ({"GATE_SIGN_IN": "token", "GATE_SECRET": "gate"}, ["X-Spinnaker-Token=", "the secret gate"]),
        ({"GATE_SIGN_IN": "basic", "GATE_SECRET": "gate"}, ["Authorization=Basic ", "in base64."]),
        ({"GATE_TOKEN_SECRET": "gate"}, ["Authorization=Bearer ", "the secret gate"]),
        ({"GATE_SIGN_IN": "google"}, ["gcloud auth print-access-token"]),
        ({"GATE_AUDIENCE": "iap.acme"}, ["--audiences=iap.acme"]),
        ({"GATE_CERTIFICATE_SECRET": "pem"}, ["certPath: client.pem", "the secret pem"]),
    ],
)
def test_spins_configuration_has_only_what_spin_knows_and_no_secret(
    cli: Any, given: dict[str, str], lines: list[str]
) -> None:
    cli.settings |= {f"DOWNWIND_{name}": value for name, value in given.items()}
    cli.settings["DOWNWIND_GATE_URL"] = "https://gate.acme.example/api/"
    text = cli.run("spinnaker", "spin-config").stdout
    found = yaml.safe_load(text)
    assert found["gate"] == {"endpoint": "https://gate.acme.example/api"}
    assert set(found) <= {"gate", "auth"}
    assert [line for line in lines if line not in text] == []


def group(name: str, digest: str, **more: Any) -> ServerGroup:
    given: dict[str, Any] = {
        "cluster": "deployment shop",
        "manager": "deployment shop",
        "desired": 2,
        "total": 2,
        "up": 2,
    }
    return ServerGroup(
        name=name, account="local", namespace="shop-staging", images=(f"{IMAGE}@{digest}",), **{**given, **more}
    )


def live(cli: Any, *groups: ServerGroup, **more: Any) -> Any:
    cli.spinnaker.seen["shop"] = Live(application="shop", groups=groups, **more)
    (found, _) = cli.json("status", "shop", "--live")["environments"]
    return found


def rolled_out(cli: Any, shop: Any) -> str:
    """The digest of what is live in staging. The index says which workload that is."""
    released(cli, shop)
    (name,) = (each.name for each in cli.memory.bundles.list("shop/staging/") if each.name.endswith("index.json"))
    index = json.loads(cli.memory.bundles.read(name).data)
    kinds = ("Deployment", "ConfigMap")
    index["parts"]["manifests"]["objects"] = [[kind, "shop-staging", "shop", "e" * 64] for kind in kinds]
    index["parts"]["manifests"]["pinned"] = [f"{IMAGE}@sha256:{'d' * 64}"]
    cli.memory.bundles.delete(name)
    cli.memory.bundles.create(NewObject(name=name, data=json.dumps(index).encode()))
    return "sha256:" + "d" * 64


def test_what_is_live_as_it_was_rolled_out_has_no_drift(cli: Any, shop: Any) -> None:
    digest = rolled_out(cli, shop)
    balancer = Balancer(
        name="service shop", account="local", namespace="shop-staging", server_groups=("replicaSet shop-1",)
    )
    more = {"balancers": (balancer,), "firewalls": (("shop-staging", "networkPolicy shop"),)}
    found = live(cli, group("replicaSet shop-1", digest, load_balancers=("service shop",)), **more)
    assert (found["sequence"], found["drift"]) == (1, [])
    assert (found["server_groups"][0]["up"], found["firewalls"]) == (2, ["networkPolicy shop"])
    assert [each["name"] for each in found["load_balancers"]] == ["service shop"]
    text = cli.run("status", "shop", "--live").stdout
    for line in (
        "replicaSet shop-1",
        f"shop@{digest[:14]}",
        "2/2",
        "service shop in shop-staging: in front of replicaSet shop-1",
        "firewalls: networkPolicy shop in shop-staging",
        "no drift: what is live is what was rolled out",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("groups", "drift"),
    [
        ([], [("deployment shop", "is not there")]),
        ([{"digest": "sha256:" + "e" * 64}], [("replicaSet shop-1", "runs sha256:" + "e" * 64)]),
        ([{"up": 1}], [("replicaSet shop-1", "1 of 2 up")]),
        (
            [{}, {"name": "replicaSet by-hand", "manager": None, "cluster": "x"}],
            [("replicaSet by-hand", "is not of this")],
        ),
        ([{"disabled": True}], [("deployment shop", "is not there")]),
        ([{}, {"name": "replicaSet shop-0", "desired": 0, "total": 0, "up": 0, "digest": "sha256:" + "0" * 64}], []),
    ],
)
def test_drift_is_marked(cli: Any, shop: Any, groups: list[dict[str, Any]], drift: list[tuple[str, str]]) -> None:
    digest = rolled_out(cli, shop)
    made = []
    for each in groups:
        given = dict(each)
        made.append(group(given.pop("name", "replicaSet shop-1"), given.pop("digest", digest), **given))
    found = live(cli, *made)["drift"]
    assert [each["what"] for each in found] == [name for name, _ in drift]
    assert all(text in each["is"] for each, (_, text) in zip(found, drift, strict=True))
    last = cli.run("status", "shop", "--live").stdout.splitlines()[-1]
    assert last.startswith(f"drift: {len(drift)}" if drift else "no drift")


def test_an_environment_without_a_release_shows_what_is_there(cli: Any, shop: Any) -> None:
    cli.settings["DOWNWIND_DECK_URL"] = "https://deck.acme.example"
    found = live(cli, group("replicaSet shop-1", "sha256:" + "a" * 64))
    assert (found["sequence"], found["drift"], len(found["server_groups"])) == (None, [], 1)


def test_every_command_of_the_how_to_runs(cli: Any, shop: Any) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/spinnaker.md").read_text()
    commands = [line for line in page.splitlines() if line.startswith("downwind ")]
    assert len(commands) > 8
    released(cli, shop)
    for line in commands:
        known = line.replace("01ARZ3NDEKTSV4RRFFQ69G5FAV", shop.executions("staging")[-1]["id"])
        done = cli.run(*shlex.split(known)[1:])
        assert done.exit_code == (1 if " verify" in line else 0), line + done.output
