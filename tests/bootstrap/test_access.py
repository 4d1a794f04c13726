"""Who may do what: the whole matrix, and what the design says that nobody may."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.bootstrap.conftest import NAMES, make_plan

from downwind.bootstrap.audit import findings
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.wanted import Grant, Resource
from downwind.cli.bootstrap_apply import check_sound
from downwind.errors import Refused

CREATE, VIEW, USE = "roles/storage.objectCreator", "roles/storage.objectViewer", "roles/storage.objectUser"
PUBLISH, SUBSCRIBE, INVOKE = "roles/pubsub.publisher", "roles/pubsub.subscriber", "roles/run.invoker"
SECRET, READ_IMAGE, WRITE_IMAGE = (
    "roles/secretmanager.secretAccessor",
    "roles/artifactregistry.reader",
    "roles/artifactregistry.writer",
)
ACT, SIGN = "roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator"
START = "projects/acme-delivery/roles/downwindStartBuilds"
PROJECT = "project/acme-delivery"

RECONCILER: Mapping[str, set[str]] = {
    "bucket/ledger": {CREATE, VIEW},
    "bucket/work": {CREATE, VIEW},
    "bucket/catalog": {VIEW},
    "bucket/bundles": {CREATE, VIEW},
    "registry/images": {READ_IMAGE},
    "topic/deliveries": {PUBLISH},
    "account/build": {ACT},
    "secret/gate-token": {SECRET},
    "secret/git-shop": {SECRET},
    PROJECT: {START},
}
MATRIX: Mapping[str, Mapping[str, set[str]]] = {
    "receive": {"topic/repo-pushes": {PUBLISH}, "topic/executions": {PUBLISH}, "secret/echo": {SECRET}},
    "reconcile": RECONCILER,
    "tick": {**RECONCILER, "bucket/work": {USE}, "subscription/dead-letters": {SUBSCRIBE}},
    "operate": RECONCILER,
    "push": {f"function/on-{each}": {INVOKE} for each in ("push", "build", "image", "request", "execution", "tick")},
    "build": {
        "registry/images": {WRITE_IMAGE},
        "connection/github": {"roles/cloudbuild.readTokenAccessor"},
        PROJECT: {"roles/logging.logWriter"},
    },
    "package": {
        "bucket/source": {VIEW},
        "registry/functions": {WRITE_IMAGE},
        PROJECT: {"roles/logging.logWriter", VIEW},
    },
    "deploy": {
        **{f"account/{each}": {ACT} for each in ("reconcile", "tick", "operate", "receive", "package")},
        **{f"bucket/{each}": {VIEW} for each in ("ledger", "catalog")},
        **{f"subscription/{each}": {SUBSCRIBE} for each in ("verify", "verify-executions")},
        "bucket/source": {CREATE, VIEW},
        "registry/functions": {WRITE_IMAGE},
        "topic/repo-pushes": {PUBLISH},
        "secret/verify-token": {SECRET},
        "connection/github": {"roles/cloudbuild.readTokenAccessor"},
        PROJECT: {"projects/acme-delivery/roles/downwindDeploy", "roles/logging.logWriter"},
    },
    "spinnaker": {"bucket/bundles": {VIEW}, "registry/images": {READ_IMAGE}},
    "nodes": {"registry/images": {READ_IMAGE}, PROJECT: {"roles/container.defaultNodeServiceAccount"}},
}


def matrix(plan: Plan) -> dict[str, dict[str, set[str]]]:
    """Roles by member and resource; accounts of ours by their short names."""
    short = {plan.values.member(each.id): each.id for each in plan.resources if each.kind == "account"}
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for resource in plan.resources:
        for grant in resource.grants:
            for member in grant.members:
                found[short.get(member, member)][resource.id].add(grant.role)
    return {who: dict(rights) for who, rights in found.items()}


def test_the_standard_matrix_is_exactly_this(standard: Plan) -> None:
    found = matrix(standard)
    assert {who: found.pop(who) for who in MATRIX} == MATRIX
    number = standard.values.number
    assert found == {
        f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com": {
            "topic/dead-letters": {PUBLISH},
            "account/push": {SIGN},
            **{
                f"subscription/{each}": {SUBSCRIBE}
                for each in ("repo-pushes", "cloud-builds", "gcr", "rollout-requests", "executions")
            },
        },
        f"serviceAccount:service-{number}@gcp-sa-cloudbuild.iam.gserviceaccount.com": {"secret/github-token": {SECRET}},
        "serviceAccount:acme-delivery.svc.id.goog[spinnaker/spinnaker-clouddriver]": {
            "account/spinnaker": {"roles/iam.workloadIdentityUser"}
        },
        "group:sre@acme.example": {"function/operate": {INVOKE}},
        "allUsers": {"function/receive": {INVOKE}},
    }


REPLACES = {
    "roles/storage.objectUser",
    "roles/storage.objectAdmin",
    "roles/storage.admin",
    "roles/storage.legacyBucketOwner",
}
"""Roles that may delete or overwrite an object."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bucket", ["ledger", "bundles", "catalog"])
def test_nobody_may_replace_or_delete_a_fact_a_bundle_or_the_catalog(name: str, bucket: str) -> None:
    for who, rights in matrix(make_plan(name)).items():
        assert not rights.get(f"bucket/{bucket}", set()) & REPLACES, who


@pytest.mark.parametrize("name", NAMES)
def test_only_the_tick_may_delete_markers_and_take_dead_letters(name: str) -> None:
    found = matrix(make_plan(name))
    assert [who for who, rights in found.items() if rights.get("bucket/work", set()) & REPLACES] == ["tick"]
    assert [who for who, rights in found.items() if SUBSCRIBE in rights.get("subscription/dead-letters", set())] == [
        "tick"
    ]


@pytest.mark.parametrize("name", ["standard", "existing"])
def test_receive_reads_and_writes_nothing_but_its_topics_and_secrets(name: str) -> None:
    rights = matrix(make_plan(name))["receive"]
    assert {each.partition("/")[0] for each in rights} == {"topic", "secret"}


@pytest.mark.parametrize("name", NAMES)
def test_no_function_may_write_the_catalog_or_call_another_one(name: str) -> None:
    found = matrix(make_plan(name))
    for who in {"receive", "reconcile", "tick", "operate"} & set(found):
        assert found[who].get("bucket/catalog", set()) <= {VIEW}
        assert not [each for each, roles in found[who].items() if INVOKE in roles]


@pytest.mark.parametrize("name", NAMES)
def test_builds_cannot_touch_the_ledger_and_nobody_acts_as_any_other_account(name: str) -> None:
    found = matrix(make_plan(name))
    assert not [each for each in found.get("build", {}) if each.startswith("bucket/")]
    others = {who: rights for who, rights in found.items() if who != "deploy"}
    acting = {each for rights in others.values() for each, roles in rights.items() if ACT in roles}
    assert acting == {"account/build"}


@pytest.mark.parametrize("name", NAMES)
def test_who_deploys_calls_no_function_acts_as_none_but_theirs_and_is_there_only_if_asked_for(name: str) -> None:
    """What it deploys can do what the functions can; by itself it can write no fact and give nobody a right."""
    plan = make_plan(name)
    found = matrix(plan)
    assert ("deploy" in found) == bool(plan.values.config["deploy"])
    rights = found.get("deploy", {})
    assert not [each for each, roles in rights.items() if INVOKE in roles]
    assert not {"account/push", "account/build", "account/nodes", "account/spinnaker"} & set(rights)
    assert rights.get("bucket/ledger", set()) <= {VIEW}
    assert "bucket/bundles" not in rights
    for resource in plan.resources:
        if resource.key == "role/deploy":
            assert not [
                each
                for each in resource.body["includedPermissions"]
                if each.endswith((".create", ".delete", "setIamPolicy"))
            ]


def test_without_a_canary_nobody_listens_for_a_proof() -> None:
    plan = make_plan("standard", verify=None)
    assert not [each.key for each in plan.resources if "verify" in each.key]


@pytest.mark.parametrize("name", NAMES)
def test_only_pubsub_may_call_the_handlers(name: str) -> None:
    for who, rights in matrix(make_plan(name)).items():
        called = {each for each, roles in rights.items() if INVOKE in roles and each.startswith("function/on-")}
        assert not called or who == "push"


def test_the_smallest_installation_is_open_to_nobody_and_hears_no_webhook() -> None:
    found = matrix(make_plan("smallest"))
    assert not {who for who in found if who.startswith("all")}
    assert "receive" not in found
    assert "operate" not in found


def test_no_plan_holds_what_none_may_hold(plan: Plan) -> None:
    assert findings(plan.values, plan.resources, plan.offline()) == []


BAD = {
    "bucket/ledger": (Grant(role="roles/editor", members=("user:a@b.example",)), "primitive"),
    "project/acme-delivery": (Grant(role="roles/logging.viewer", members=("user:a@b.example",)), "without a reason"),
    "function/operate": (Grant(role=INVOKE, members=("allUsers",)), "nobody asked for"),
    "function/on-push": (Grant(role=INVOKE, members=("allAuthenticatedUsers",)), "nobody asked for"),
    "function/receive": (Grant(role="roles/run.admin", members=("allUsers",)), "nobody asked for"),
    "bucket/bundles": (Grant(role=VIEW, members=("allUsers",)), "nobody asked for"),
}


@pytest.mark.parametrize("place", BAD)
def test_what_none_may_hold_is_found(standard: Plan, place: str) -> None:
    grant, what = BAD[place]
    resources = [
        replace(each, grants=(*each.grants, grant)) if each.key == f"policy/{place}" else each
        for each in standard.resources
    ]
    (finding,) = findings(standard.values, resources, ())
    assert what in finding


@pytest.mark.parametrize("name", ["receive", "operate", "on-push"])
def test_an_ingress_that_nobody_asked_for_is_found(standard: Plan, name: str) -> None:
    def opened(each: Resource) -> Resource:
        service = {**each.body["serviceConfig"], "ingressSettings": "ALLOW_ALL"}
        return replace(each, body={**each.body, "serviceConfig": service})

    resources = [opened(each) if each.key == f"function/{name}" else each for each in standard.resources]
    assert findings(standard.values, resources, ()) == [
        f"function/{name}: takes calls from the internet, which nobody asked for"
    ]


@pytest.mark.parametrize(("section", "field", "answer"), [("hear", "webhooks", True), ("operate", "ingress", "all")])
def test_an_ingress_that_was_asked_for_is_none(standard: Plan, section: str, field: str, answer: object) -> None:
    changed = {**standard.values.config[section], field: answer}
    plan = make_plan("standard", **{section: changed})
    opened = [each for each in plan.resources if each.kind == "function" and "ALLOW_ALL" in str(each.body)]
    assert len(opened) == 1
    assert findings(plan.values, plan.resources, plan.offline()) == []


def test_a_key_in_a_step_is_found(standard: Plan) -> None:
    step = next(each for each in standard.offline() if each.resource.key == "account/push")
    command = ("gcloud", "iam", "service-accounts", "keys", "create", "key.json")
    bad = replace(step, writes=(replace(step.writes[0], command=command),))
    assert findings(standard.values, standard.resources, [bad]) == ["account/push: makes a key"]
    with pytest.raises(Refused, match="may not be applied: account/push: makes a key"):
        check_sound(standard, [bad])
    check_sound(standard, [step])
