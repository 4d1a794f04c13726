"""What is in the cluster and in Spinnaker: made, put right, waited for, taken away; and what others own stays. On our own cluster
store and local Gate, with Helm's twin."""

import gzip
import time
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest
from tests.bootstrap.fake.apis import secret_text
from tests.bootstrap.fake.helm import record
from tests.bootstrap.site import Killed, MakeSite, Site

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.destroy import steps_back
from downwind.bootstrap.kinds.objects import INSTALLATION
from downwind.bootstrap.kinds.releases import DEAD, LIMIT, Releases
from downwind.bootstrap.plan import Step
from downwind.bootstrap.wanted import IN_CLUSTER
from downwind.errors import Refused

POLICY = "ValidatingAdmissionPolicy"
GUARD = "sequence.downwind.dev"
WITHIN = {*IN_CLUSTER, "application", "pipeline", "catalog"}


def step_of(site: Site, key: str) -> Step:
    return next(each for each in steps_now(site.plan, site.cloud()) if each.resource.key == key)


def test_killed_after_each_write_in_the_cluster_another_run_ends_the_same(make_site: MakeSite) -> None:
    whole = make_site("standard", applied=True)
    site = make_site("standard", applied=True, cluster=False)
    due = {each.split()[1].split("/")[0] for each in site.due()}
    assert due == WITHIN
    within = [each for each in site.plan.resources if each.kind in WITHIN]
    keys = {each.key for each in within}
    site.plan.resources = [
        replace(each, after=each.after & keys) for each in within
    ]  # the rest stands: it is not read again
    writes = 0
    for _ in range(40):
        try:
            site.apply(limit=1)
        except Killed:
            writes += 1
            continue
        break
    assert writes == len(within)
    assert site.due() == []
    assert site.objects() == whole.objects()
    assert site.pipelines() == whole.pipelines()


def test_nothing_is_asked_of_a_cluster_that_is_not_there_yet(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True, cluster=False)
    name = "projects/acme-delivery/locations/europe-west1/clusters/downwind"
    del site.google.state.resources["container", name]
    actions = {each.resource.kind: each.action for each in steps_now(site.plan, site.cloud())}
    assert {kind: actions[kind] for kind in WITHIN} == dict.fromkeys(WITHIN, "create")


def test_what_is_there_is_ours_by_its_label_and_restricted(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in site.gate.cluster.list(kind="Namespace")}
    enforced = {name: each["pod-security.kubernetes.io/enforce"] for name, each in labels.items()}
    assert enforced == {"spinnaker": "restricted", "shop-staging": "baseline", "shop": "restricted"}
    assert {each[INSTALLATION] for each in labels.values()} == {"downwind"}
    bindings = site.gate.cluster.list(kind=f"{POLICY}Binding")
    assert [each["spec"]["validationActions"] for each in bindings] == [["Deny", "Audit"]] * 2


def test_the_secret_of_echo_is_copied_and_follows_a_new_version(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    name = "projects/acme-delivery/secrets/downwind-echo/versions"

    def copied() -> str:
        found: Any = site.gate.cluster.get("spinnaker", "Secret", "downwind-receive")
        return b64decode(found["data"]["token"]).decode()

    assert copied() == secret_text(site.google.state, f"{name}/1")
    state = site.google.state
    state.resources["secretmanager", f"{name}/2"] = {"name": f"{name}/2", "state": "ENABLED"}
    state.resources["secret-data", f"{name}/2"] = {"data": "bmV3"}
    assert site.due() == ["change function/receive", "change copy/receive"]
    assert site.apply().failed == {}
    assert copied() == "new"
    assert site.due() == []
    state.resources["secretmanager", f"{name}/2"]["state"] = "DISABLED"
    assert site.due() == ["change function/receive", "change copy/receive"], (
        "whoever takes a version back means the one before"
    )
    assert site.apply().failed == {}
    assert copied() == secret_text(state, f"{name}/1")
    assert site.due() == []


def spoiled(site: Site, kind: str, name: str, change: Any) -> None:
    found: Any = site.gate.cluster.get("", kind, name)
    change(found)
    site.gate.cluster.apply(found)


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        (POLICY, GUARD, lambda each: each["spec"].update(failurePolicy="Ignore")),
        (POLICY, GUARD, lambda each: each["spec"]["matchConstraints"].update(excludeResourceRules=[{"x": "y"}])),
        (f"{POLICY}Binding", GUARD, lambda each: each["spec"].update(validationActions=["Warn"])),
        ("Namespace", "shop", lambda each: each["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce")),
    ],
    ids=["a policy that fails open", "an exception", "a binding that only warns", "a namespace that enforces nothing"],
)
def test_drift_in_the_cluster_is_seen_and_put_right(make_site: MakeSite, kind: str, name: str, change: Any) -> None:
    site = make_site("standard", applied=True)
    good = site.objects()
    spoiled(site, kind, name, change)
    key = f"namespace/{name}" if kind == "Namespace" else f"object/{kind}/{name}"
    assert site.due() == [f"change {key}"]
    assert site.apply().failed == {}
    assert site.objects() == good


def test_what_others_have_in_the_cluster_is_neither_changed_nor_taken_away(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True, cluster=False)
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}}
    site.gate.cluster.apply(theirs)
    policy = site.plan.offline()[[each.key for each in site.plan.resources].index(f"object/{POLICY}/{GUARD}")]
    body = {**policy.writes[0].request.body, "metadata": {"name": GUARD}}
    site.gate.cluster.apply(body)
    before = site.objects()
    assert "adopt: [namespace/shop]" in step_of(site, "namespace/shop").why
    assert site.apply().failed == {}
    assert step_of(site, f"object/{POLICY}/{GUARD}").action == "foreign"
    site.destroy(with_data=True)
    assert {name: each for name, each in site.objects().items() if name in before} == before


def test_a_release_that_a_person_upgraded_otherwise_is_seen(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    cluster = site.gate.cluster
    kind = site.plan.kinds["release"]
    assert isinstance(kind, Releases)
    resource = step_of(site, "release/spinnaker").resource
    values = {**kind.merged(resource), "size": "standard"}
    cluster.apply(record("spinnaker", "spinnaker", 2, "deployed", values, {"downwind": "downwind"}))
    step = step_of(site, "release/spinnaker")
    assert (step.action, step.differs) == ("change", ("values.size is not ours",))
    assert site.apply().failed == {}
    assert site.due() == []


def test_a_release_of_somebody_else_is_foreign(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True, cluster=False)
    site.gate.cluster.apply(record("spinnaker", "spinnaker", 1, "deployed", {}, {}))
    step = step_of(site, "release/spinnaker")
    assert step.action == "foreign"
    assert "adopt: [release/spinnaker]" in step.why


def test_a_killed_helm_is_waited_for_and_then_taken_for_dead(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("standard", applied=True)
    labels = {"downwind": "downwind"}
    kind = site.plan.kinds["release"]
    assert isinstance(kind, Releases)
    values = kind.merged(step_of(site, "release/spinnaker").resource)
    site.gate.cluster.apply(record("spinnaker", "spinnaker", 2, "pending-upgrade", values, labels))
    step = step_of(site, "release/spinnaker")
    assert (step.action, step.waits) == ("keep", True)
    assert "another run of Helm" in step.why
    monkeypatch.setattr(Releases, "clock", staticmethod(lambda: time.time() + DEAD + 1))
    dead = step_of(site, "release/spinnaker")
    assert dead.action == "change"
    assert (dead.writes[0].request.method, dead.writes[1].command and dead.writes[1].command[0]) == ("DELETE", "helm")
    assert site.apply().failed == {}
    assert site.due() == []


def test_a_helm_of_ours_that_still_lives_is_not_taken_for_dead() -> None:
    assert DEAD > LIMIT


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("!", "Error"),
        (b64encode(b"not packed").decode(), "error"),
        (b64encode(gzip.compress(b"{}")[:-9]).decode(), "ValueError"),
        (b64encode(gzip.compress(b"[1]")).decode(), "TypeError"),
        (b64encode(gzip.compress(b"{")).decode(), "JSONDecodeError"),
        (b64encode(gzip.compress(b" " * (65 << 20))).decode(), "ValueError"),
    ],
    ids=["no base64", "not packed", "cut off", "no mapping", "no JSON", "too large"],
)
def test_a_record_of_helms_that_cannot_be_read_is_named_with_the_fix(make_site: MakeSite, data: str, said: str) -> None:
    site = make_site("standard", applied=True)
    found: Any = next(
        each
        for each in site.gate.cluster.list("spinnaker", "Secret")
        if "owner" in (each["metadata"].get("labels") or {})
    )
    found["data"]["release"] = b64encode(data.encode()).decode()
    site.gate.cluster.apply(found)
    with pytest.raises(Refused) as caught:
        step_of(site, "release/spinnaker")
    name = found["metadata"]["name"]
    assert f"secret spinnaker/{name} is not what Helm writes: " in str(caught.value)
    assert said in str(caught.value)
    assert str(caught.value.fix).startswith(f"kubectl --namespace=spinnaker delete secret {name}")


def test_it_waits_until_every_deployment_is_available_and_says_for_which(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    asked = 0

    def unready(available: int) -> None:
        found: Any = site.gate.cluster.get("spinnaker", "Deployment", "spinnaker-orca")
        found["status"]["availableReplicas"] = available
        site.set_status(found)

    unready(0)
    step = step_of(site, "release/spinnaker")
    assert (step.action, step.waits) == ("keep", True)

    def sleep(_: float) -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            unready(1)

    outcome = site.apply(sleep=sleep)
    assert outcome.failed == {}
    assert outcome.done == ["release/spinnaker"]
    assert asked == 3
    said = [each for each in site.told if "waiting" in each]
    assert len(said) == 1
    assert "until all is available: spinnaker-orca 0 of 1" in said[0]


def test_a_pipeline_that_somebody_changed_is_shown_and_saved_over(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    gate: Any = site.cloud().others["gate"]
    pipelines = gate._reach().pipelines
    standing = pipelines.config("shop", "deploy-staging")
    pipelines.replace({**standing.document, "description": "mine"}, standing)
    step = step_of(site, "pipeline/shop/deploy-staging")
    assert (step.action, step.differs) == ("change", ("description",))
    back = {each.resource.key: each.action for each in steps_back(site.plan, site.cloud(), with_data=True)}
    assert back["pipeline/shop/deploy-staging"] == "foreign", "what somebody changed is not ours to delete"
    assert back["pipeline/shop/deploy-production"] == "delete"
    assert site.apply().failed == {}
    assert site.due() == []
    site.destroy(with_data=True)
    assert pipelines.config("shop", "deploy-staging") is None


def test_what_people_make_of_the_sample_stays(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    stored = site.google.state.resources["object", "acme-delivery-downwind-catalog/application/shop.yaml"]
    stored["generation"] = "99"
    assert step_of(site, "catalog/shop").action == "keep"


def test_destroy_keeps_namespaces_without_a_word_on_data_and_takes_the_rest(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    site.destroy(with_data=False)
    kinds = {name.split()[0] for name in site.objects()}
    assert kinds == {"Namespace", "Secret"}
    secrets = [name for name in site.objects() if name.startswith("Secret")]
    assert not [name for name in secrets if "downwind-receive" in name or "helm.release" in name]
    site.destroy(with_data=True)
    assert not [name for name in site.objects() if name.startswith("Namespace")]
