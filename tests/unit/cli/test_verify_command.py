"""`downwind verify` and `downwind ledger rebase` as a person sees them; what they find is tested where it is found."""

import copy
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from downwind.adapters.memory_cluster import MemoryCluster
from downwind.cli.main import main
from downwind.errors import TransientError
from downwind.local.cluster_policy import SEQUENCE_POLICY, denial, refuse_write
from downwind.model.pipeline_file import fill
from downwind.reconcile import names
from downwind.shipped import admission_policy, shipped
from downwind.soundness.read_pipeline import read_pipeline


def reviewed(new: Any, old: Any) -> str | None:
    refusal = refuse_write(new, old)
    return None if refusal is None else denial(SEQUENCE_POLICY, refusal)


class People:
    """The command line on the shop, beside a cluster."""

    def __init__(self, cli: Any, shop: Any) -> None:
        self.cli = cli
        self.shop = shop
        self.asked: list[str | None] = []
        cli.spinnaker.save_application({"name": "shop", "email": "sre@acme.example"})
        cli.settings |= {"DOWNWIND_GATE_SIGN_IN": "token", "DOWNWIND_GATE_SECRET": "gate"}
        namespaces = {name: {"kubernetes.io/metadata.name": name} for name in ("shop-staging", "shop")}
        self.cluster = MemoryCluster(name="lab", review=reviewed, namespaces=namespaces)
        self.cluster.objects.extend(copy.deepcopy(list(admission_policy())))
        for environment, namespace in (("staging", "shop-staging"), ("production", "shop")):
            name = "judgment.yaml" if environment == "production" else "rolling.yaml"
            document = fill(
                read_pipeline(name, shipped(f"pipelines/{name}").read_bytes()),
                application="shop",
                environment=environment,
                bundles_bucket="acme-bundles",
                namespace=namespace,
                account="lab",
            )
            shop.memory.pipelines.save(document | {"application": "shop", "name": f"deploy-{environment}"})

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        session = self.cli.session()

        def make(_settings: Any, context: str | None) -> MemoryCluster:
            self.asked.append(context)
            return self.cluster

        session.make_cluster = make
        return CliRunner().invoke(main, list(arguments), obj=session, input=answer)


@pytest.fixture
def people(cli: Any, shop: Any) -> People:
    return People(cli, shop)


def test_a_sound_installation_is_called_so(people: People) -> None:
    done = people.run("verify")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "checked  cluster lab: admission policies and bindings, as shipped",
        "checked  cluster lab: a lower sequence of shop/staging is tried in shop-staging",
        "checked  cluster lab: a lower sequence of shop/production is tried in shop",
        "checked  pipeline shop/deploy-staging: precondition, fence, bundle",
        "checked  pipeline shop/deploy-production: precondition, fence, bundle",
        "checked  Gate: Spinnaker 2026.2.4",
        "checked  Gate: it takes us for downwind@acme.example, signed in by token",
        "checked  accounts: local",
        "checked  applications that the catalog names",
        "checked  Echo: no end to compare with yet",
        "sound: 10 checks",
    ]
    assert people.asked == [None]


def test_each_finding_has_its_place_and_what_to_do(people: People) -> None:
    people.cluster.objects[1]["spec"]["validationActions"] = ["Audit"]
    done = people.run("verify", "shop", "--context", "lab")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-3:] == [
        (
            "WRONG    cluster lab, ValidatingAdmissionPolicyBinding sequence.downwind.dev: its validationActions are "
            "[Audit], without Deny: a refusal is only noted"
        ),
        "         to do: kubectl --context lab apply --filename infra/admission/sequence-policy.yaml",
        "not sound: 1 finding",
    ]
    assert people.asked == ["lab"]


def test_the_json_has_the_names_of_the_reference(people: People) -> None:
    people.cluster.review = lambda _new, _old: None
    found = json.loads(people.run("verify", "-o", "json").stdout)
    assert set(found) == {"sound", "clusters", "applications", "checked", "findings"}
    assert [set(each) for each in found["findings"]] == [{"where", "what", "fix"}] * 2
    assert "was taken: an older rollout would be let in" in found["findings"][0]["what"]


def test_another_policy_that_refuses_is_no_proof_of_ours(people: People) -> None:
    people.cluster.review = lambda _new, _old: "ValidatingAdmissionPolicy 'other' denied request: no ConfigMaps here"
    found = json.loads(people.run("verify", "-o", "json").stdout)["findings"]
    assert "was refused, but not by sequence.downwind.dev: ValidatingAdmissionPolicy 'other'" in found[0]["what"]


def test_a_cluster_that_does_not_answer_is_no_verdict(people: People) -> None:
    def silent(_new: Any, _old: Any) -> str:
        raise TransientError("cluster lab did not answer: ConnectTimeoutError")

    people.cluster.review = silent
    done = people.run("verify")
    assert done.exit_code == 3
    assert "try again" in done.stderr


def test_an_application_that_nobody_knows(people: People) -> None:
    for arguments in (("verify", "other"), ("ledger", "rebase", "other")):
        done = people.run(*arguments)
        assert done.exit_code == 1
        assert "downwind app list" in done.stderr


def test_a_file_of_the_catalog_that_cannot_be_read_is_not_sound(people: People, shop: Any) -> None:
    from downwind.ports import NewObject

    shop.memory.catalog.create(NewObject(name=names.application("bad"), data=b"name: ["))
    done = people.run("verify")
    assert done.exit_code == 1
    assert "application/bad.yaml" in done.stderr


def lost(people: People) -> None:
    marks = {"downwind.dev/owner": "shop/staging", "downwind.dev/sequence": "7"}
    about = {"name": "downwind.shop.staging", "namespace": "shop-staging", "annotations": marks}
    people.cluster.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
    people.shop.commit()
    for each in list(people.shop.memory.ledger.list("")):
        people.shop.memory.ledger.delete(each.name)


def test_a_rebase_is_shown_and_asked_for(people: People) -> None:
    lost(people)
    refused = people.run("ledger", "rebase", "shop", answer="n\n")
    assert refused.exit_code == 1
    assert people.shop.memory.ledger.list("") == []
    done = people.run("ledger", "rebase", "shop", "--why", "INC-42", answer="y\n")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "written; the next push rolls out"
    (entry,) = people.shop.entries("staging")
    assert (entry["n"], entry["verb"], entry["why"]) == (8, "rebase", "INC-42")
    assert people.shop.entries("production") == []


def test_a_dry_run_of_a_rebase_says_all_and_writes_nothing(people: People) -> None:
    lost(people)
    done = people.run("ledger", "rebase", "shop", "--dry-run")
    lines = done.stdout.splitlines()
    assert lines[1].split()[:3] == ["shop", "staging", "8"]
    assert "ledger 0, bundles 0, cluster lab 7" in lines[1]
    assert "refs/heads/main at " in lines[1]
    assert lines[2].split()[:3] == ["shop", "production", "-"]
    assert lines[3] == "nothing was written: --dry-run"
    assert people.shop.memory.ledger.list("") == []


def test_the_json_of_a_rebase(people: People) -> None:
    lost(people)
    found = json.loads(people.run("ledger", "rebase", "shop", "staging", "--yes", "-o", "json").stdout)
    (environment,) = found["environments"]
    assert found["written"]
    assert set(environment) == {"environment", "entry", "found", "promoted", "refs"}
    assert environment["found"] == {"ledger": 0, "bundles": 0, "cluster lab": 7}


def test_many_refs_are_counted(people: People) -> None:
    people.shop.apply(people.shop.catalog.replace("[refs/heads/main]", "['refs/heads/*']"))
    for number in range(4):
        people.shop.commit(f"refs/heads/b{number}")
    lost(people)
    assert "5 refs" in people.run("ledger", "rebase", "shop", "--dry-run").stdout


def test_status_and_why_read_a_log_that_began_anew(people: People) -> None:
    lost(people)
    assert people.run("ledger", "rebase", "shop", "--yes").exit_code == 0
    assert people.run("status", "shop").exit_code == 0
    commit = people.shop.push()
    people.shop.build(commit)
    assert people.run("why", commit).exit_code == 0
    assert people.run("why", "0" * 40).exit_code == 1
    assert f"   9 {commit[:7]}   " in people.run("status", "shop").stdout
    rebased = json.loads(people.run("history", "shop", "staging", "-o", "json").stdout)["entries"][1]
    assert (rebased["verb"], rebased["state"]) == ("rebase", "done")
