"""plan → apply → plan, on the fake of Google's APIs with our own requests: nothing left to do, nothing written twice, and a run
that ends after any of its writes is gone on with by another one."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from tests.bootstrap.conftest import NAMES
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.cloud import Conflict
from downwind.bootstrap.gcloud import Writer
from downwind.errors import DownwindError, Misconfigured, TransientError


@pytest.mark.parametrize("name", NAMES)
def test_after_apply_the_plan_is_empty_and_another_apply_writes_nothing(make_site: MakeSite, name: str) -> None:
    site = make_site(name)
    outcome = site.apply()
    assert outcome.failed == {}
    assert len(outcome.done) == len(site.plan.resources)
    assert site.due() == []
    site.google.state.log.clear()
    assert site.apply().done == []
    assert site.google.state.writes() == []
    assert site.google.escaped == []


def test_every_request_carries_credentials(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.wire = True
    assert site.apply().failed == {}
    assert site.due() == []
    assert all(each["authorized"] for each in site.google.state.log)


@pytest.mark.parametrize(
    "name", ["standard", *(pytest.param(each, marks=pytest.mark.long) for each in ("smallest", "existing"))]
)
def test_destroyed_with_its_data_nothing_is_left_and_all_is_to_be_created(make_site: MakeSite, name: str) -> None:
    site = make_site(name, applied=True)
    site.destroy(with_data=True)
    left = {key for key in site.google.state.dump() if "/roles/" not in key}
    shared = {f"pubsub projects/{site.plan.values.project}/topics/{each}" for each in ("gcr", "cloud-builds")}
    assert left == shared
    kept = {"apis", "agent", "topic", "application"}  # an application of Spinnaker's may hold what others made
    actions = {
        each.resource.key: each.action for each in steps_now(site.plan, site.cloud()) if each.resource.kind not in kept
    }
    assert set(actions.values()) == {"create"}, actions
    site.put_secrets_in()
    assert site.apply().failed == {}
    assert site.due() == []


@pytest.mark.parametrize("name", ["event/1/raw", "ref/https%3A%2F%2Fgit.example%2Fshop/main", "a b+c?d#e"])
def test_a_bucket_goes_with_every_object_whatever_its_name(make_site: MakeSite, name: str) -> None:
    site = make_site("smallest", applied=True)
    bucket = site.plan.values.resource_name("bucket", "ledger")
    site.google.state.resources["object", f"{bucket}/{name}"] = {"bucket": bucket, "name": name, "generation": "7"}
    site.destroy(with_data=True)
    assert not [each for each in site.google.state.resources if str(bucket) in each[1]]


def test_an_object_that_is_gone_meanwhile_ends_no_emptying(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    bucket = site.plan.values.resource_name("bucket", "work")
    for name in ("a", "b"):
        site.google.state.resources["object", f"{bucket}/{name}"] = {"bucket": bucket, "name": name, "generation": "7"}
    site.google.state.faults.append(Fault("storage", "DELETE", "/o/a$", 404, 1, "notFound"))
    with pytest.raises(Conflict, match="not empty"):  # the fake keeps what it says is gone
        site.destroy(with_data=True)
    sent = [each["path"] for each in site.google.state.log if each["method"] == "DELETE"]
    assert sent[-3:] == [f"/storage/v1/b/{bucket}/o/a", f"/storage/v1/b/{bucket}/o/b", f"/storage/v1/b/{bucket}"]


def test_destroyed_without_a_word_on_data_the_data_stays(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    site.destroy(with_data=False)
    left = site.google.state.dump()
    for name in ("ledger", "work", "catalog", "bundles"):
        assert f"storage b/acme-delivery-downwind-{name}" in left
    assert "storage b/acme-delivery-downwind-source" not in left
    assert "container projects/acme-delivery/locations/europe-west1/clusters/downwind" in left
    assert not [each for each in left if "/functions/" in each]
    # The cluster's nodes act as an account, by a network; without them it would stay in name only.
    assert [each.rpartition("/")[2] for each in left if "serviceAccounts/" in each] == [
        "downwind-nodes@acme-delivery.iam.gserviceaccount.com"
    ]
    assert {each.rpartition("/")[2] for each in left if each.startswith("compute")} == {
        "downwind",
        "downwind-nodes",
        "downwind-out",
    }
    members = {
        member for key, each in left.items() if key.startswith("policy") for _, held, _ in each for member in held
    }
    assert members == {"serviceAccount:downwind-nodes@acme-delivery.iam.gserviceaccount.com"}, "no other right is left"


def test_what_others_own_is_neither_changed_nor_taken_away(make_site: MakeSite) -> None:
    site = make_site("smallest")
    state = site.google.state
    state.services.add("storage.googleapis.com")
    theirs = {"name": "acme-small-downwind-work", "location": "EUROPE-WEST1", "metageneration": "1"}
    state.resources["storage", "b/acme-small-downwind-work"] = dict(theirs)
    before = next(each for each in steps_now(site.plan, site.cloud()) if each.resource.key == "bucket/work")
    assert before.action == "foreign"
    assert "adopt: [bucket/work]" in before.why
    site.apply()
    assert state.resources["storage", "b/acme-small-downwind-work"] == theirs
    site.destroy(with_data=True)
    assert state.resources["storage", "b/acme-small-downwind-work"] == theirs


def test_what_is_adopted_becomes_ours(make_site: MakeSite) -> None:
    site = make_site("smallest", adopt=["bucket/work"])
    state = site.google.state
    state.services.add("storage.googleapis.com")
    state.resources["storage", "b/acme-small-downwind-work"] = {"location": "EUROPE-WEST1", "metageneration": "1"}
    assert "change bucket/work" in site.due()
    assert site.apply().failed == {}
    assert state.resources["storage", "b/acme-small-downwind-work"]["labels"] == {"downwind": "downwind"}
    assert site.due() == []


def test_the_topics_of_google_may_be_there_already(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.services.add("pubsub.googleapis.com")
    name = "projects/acme-small/topics/gcr"
    site.google.state.resources["pubsub", name] = {"name": name}
    outcome = site.apply()
    assert outcome.failed == {}
    assert site.google.state.resources["pubsub", name] == {"name": name}
    assert site.due() == []


DRIFT: dict[str, tuple[str, Callable[[dict[str, Any]], object], str]] = {
    "a token taken off a push": (
        "pubsub projects/acme-small/subscriptions/gcr",
        lambda each: each["pushConfig"].pop("oidcToken"),
        "change subscription/gcr",
    ),
    "an idle subscription that expires": (
        "pubsub projects/acme-small/subscriptions/ticks",
        lambda each: each.update(expirationPolicy={"ttl": "2678400s"}),
        "change subscription/ticks",
    ),
    "a filter of somebody's": (
        "pubsub projects/acme-small/subscriptions/gcr",
        lambda each: each.update(filter="attributes:x"),
        "replace subscription/gcr",
    ),
    "a bucket without its retention": (
        "storage b/acme-small-downwind-ledger",
        lambda each: each.pop("retentionPolicy"),
        "change bucket/ledger",
    ),
    "a bucket that may become public": (
        "storage b/acme-small-downwind-ledger",
        lambda each: each["iamConfiguration"].update(publicAccessPrevention="inherited"),
        "change bucket/ledger",
    ),
    "a variable that nobody planned": (
        "cloudfunctions projects/acme-small/locations/europe-west1/functions/downwind-on-push",
        lambda each: each["serviceConfig"]["environmentVariables"].update(DOWNWIND_LOCAL="1"),
        "change function/on-push",
    ),
    "an older source": (
        "cloudfunctions projects/acme-small/locations/europe-west1/functions/downwind-on-tick",
        lambda each: each["labels"].update({"downwind-source": "old"}),
        "change function/on-tick",
    ),
    "a door opened": (
        "cloudfunctions projects/acme-small/locations/europe-west1/functions/downwind-on-push",
        lambda each: each["serviceConfig"].update(ingressSettings="ALLOW_ALL"),
        "change function/on-push",
    ),
    "a wider role": (
        "iam projects/acme-small/roles/downwindStartBuilds",
        lambda each: each["includedPermissions"].append("cloudbuild.builds.update"),
        "change role/start-builds",
    ),
}


@pytest.mark.parametrize("name", DRIFT)
def test_drift_is_seen_and_put_right(make_site: MakeSite, name: str) -> None:
    key, spoil, expected = DRIFT[name]
    site = make_site("smallest", applied=True)
    api, _, path = key.partition(" ")
    good = site.google.state.dump()
    spoil(site.google.state.resources[api, path])
    assert expected in site.due()
    assert site.apply().failed == {}
    assert site.due() == []
    assert site.google.state.dump() == good


def test_what_an_answer_leaves_out_is_false_or_empty(make_site: MakeSite) -> None:
    """So a repository whose tags may move needs no second write after gcloud has made it."""
    site = make_site("existing", applied=True)
    repository = "projects/acme-shared/locations/us-central1/repositories/apps"
    del site.google.state.resources["artifactregistry", repository]["dockerConfig"]
    assert site.due() == []


def test_rights_of_ours_that_nobody_planned_and_of_everybody_go_and_others_stay(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    policy = site.google.state.policies["storage", "b/acme-small-downwind-ledger"]
    ours = "serviceAccount:downwind-reconcile@acme-small.iam.gserviceaccount.com"
    policy["bindings"] += [
        {"role": "roles/storage.objectAdmin", "members": [ours, "user:ann@acme.example"]},
        {"role": "roles/storage.objectViewer", "members": ["allUsers"]},
    ]
    assert site.due() == ["change policy/bucket/ledger"]
    site.apply()
    held = {
        (each["role"], member)
        for each in site.google.state.policies["storage", "b/acme-small-downwind-ledger"]["bindings"]
        for member in each["members"]
    }
    assert ("roles/storage.objectAdmin", "user:ann@acme.example") in held
    assert ("roles/storage.objectAdmin", ours) not in held
    assert "allUsers" not in {member for _, member in held}


@pytest.mark.parametrize("status", [503, *(pytest.param(each, marks=pytest.mark.long) for each in (429, 500))])
def test_what_passes_is_tried_again(make_site: MakeSite, status: int) -> None:
    site = make_site("smallest")
    site.google.state.faults = [
        Fault("pubsub", "PUT", "topics/ticks", status, 2),
        Fault("storage", "POST", "", status, 2),
        Fault("iam", "GET", "", status, 2),
    ]
    assert site.apply().failed == {}
    assert site.due() == []


def test_a_refusal_says_what_is_done_what_is_not_and_how_to_go_on(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.faults = [Fault("storage", "POST", "/storage/v1/b$", 403, 1, "PERMISSION_DENIED")]
    outcome = site.apply()
    assert list(outcome.failed) == ["bucket/ledger"]
    assert "403" in outcome.failed["bucket/ledger"]
    assert "account/reconcile" in outcome.done
    assert "job/tick" in outcome.left
    assert site.apply().failed == {}
    assert site.due() == []


@pytest.mark.parametrize("turn", [1, -1])
def test_what_people_have_to_put_right_decides_the_exit_code_in_whatever_order_steps_end(
    make_site: MakeSite, turn: int
) -> None:
    site = make_site("smallest")
    applying = Applying(site.plan, Writer(site.cloud(), None), site.told.append)
    steps = [each for each in site.plan.offline() if each.resource.kind == "topic"]
    errors: list[DownwindError] = [TransientError("503"), Misconfigured("403", fix="a right"), TransientError("429")]
    for step, error in [*zip(steps, errors, strict=False)][::turn]:
        future: Future[None] = Future()
        future.set_exception(error)
        applying._ended(step, future, set())
    assert len(applying.outcome.failed) == 3
    assert not applying.outcome.passing
    assert applying.outcome.lasting == {steps[1].resource.key}


def test_it_waits_by_asking_for_operations_that_are_not_done(make_site: MakeSite) -> None:
    site = make_site("standard")
    site.google.state.polls = 2
    assert site.apply().failed == {}
    assert site.due() == []


def test_a_cluster_that_failed_and_a_function_that_failed_are_told(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    cluster = site.google.state.resources[
        "container", "projects/acme-delivery/locations/europe-west1/clusters/downwind"
    ]
    cluster.update(status="ERROR", statusMessage="no quota")
    del cluster["releaseChannel"]
    outcome = site.apply()
    assert "no quota" in outcome.failed["cluster/autopilot"]


def test_an_empty_secret_stops_what_needs_it_and_says_the_line(make_site: MakeSite) -> None:
    site = make_site("standard")
    for key in [each for each in site.google.state.resources if "github-token/versions" in each[1]]:
        del site.google.state.resources[key]
    outcome = site.apply()
    assert "gcloud secrets versions add github-token --data-file=-" in outcome.failed["connection/github"]
    site.put_secrets_in()
    assert site.apply().failed == {}


def test_what_holds_data_is_not_replaced_without_a_word(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    site.google.state.resources["storage", "b/acme-small-downwind-ledger"]["location"] = "US"
    assert site.due() == ["replace bucket/ledger"]
    outcome = site.apply()
    assert "apply --replace bucket/ledger" in outcome.failed["bucket/ledger"]
    assert site.google.state.resources["storage", "b/acme-small-downwind-ledger"]["location"] == "US"
    assert site.apply(replace=["bucket/ledger"]).failed == {}
    assert site.due() == []
