"""Fourteen ways in which gcloud or Google's APIs do otherwise than one thinks (each was seen with the real gcloud), and what the
engine does about each."""

import json
from typing import Any

import pytest
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite, Site

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.cloud import Cloud, Conflict, NotYet
from downwind.bootstrap.gcloud import _reason, make_session
from downwind.bootstrap.kinds.policies import AS_READ
from downwind.bootstrap.plan import Plan, Step
from downwind.bootstrap.shell import grants
from downwind.bootstrap.write import Request
from downwind.errors import PermanentError, Refused, TransientError, UnknownOutcome


def step_of(site: Site, key: str) -> Step:
    return next(each for each in steps_now(site.plan, site.cloud()) if each.resource.key == key)


def lines(plan: Plan) -> list[tuple[str, ...]]:
    """gcloud's."""
    found = [write.command for step in plan.offline() for write in step.writes if write.command is not None]
    return [each for each in found if each[0] == "gcloud"]


def test_1_an_update_of_a_push_sends_its_token_with_it(make_site: MakeSite) -> None:
    """`subscriptions update --push-endpoint` drops the token: the whole group goes, by REST."""
    site = make_site("smallest", applied=True)
    push = site.google.state.resources["pubsub", "projects/acme-small/subscriptions/gcr"]
    push["pushConfig"]["pushEndpoint"] = "https://elsewhere.example/"
    (write,) = step_of(site, "subscription/gcr").writes
    assert write.command is None
    assert write.request.body["updateMask"] == "pushConfig"
    assert set(write.request.body["subscription"]["pushConfig"]) == {"pushEndpoint", "oidcToken"}
    site.apply()
    assert "oidcToken" in push["pushConfig"]


def test_1_an_update_of_one_delay_sends_both(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    push = site.google.state.resources["pubsub", "projects/acme-small/subscriptions/gcr"]
    push["retryPolicy"]["minimumBackoff"] = "1s"
    site.apply()
    assert push["retryPolicy"] == {"minimumBackoff": "10s", "maximumBackoff": "600s"}


def test_2_no_plan_locks_a_retention_and_no_exit_code_is_believed(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gcloud aborts a lock with exit code 0. A step is done when it can be read, whatever was said."""
    site = make_site("smallest")
    assert "lock" not in json.dumps([list(each) for each in lines(site.plan)]).replace("block", "")
    kind = site.plan.kinds["topic"]
    monkeypatch.setattr(kind, "patience", 0.0, raising=False)
    cloud = site.cloud()
    site.google.state.services.add("pubsub.googleapis.com")
    from downwind.bootstrap.apply import Applying
    from downwind.bootstrap.gcloud import Writer

    class Liar(Writer):
        def do(self, write: Any) -> None:
            """Says that all went well."""

    step = step_of(site, "topic/ticks")
    from dataclasses import replace

    alone = replace(step, resource=replace(step.resource, after=frozenset()))
    outcome = Applying(site.plan, Liar(cloud, None), lambda _: None, sleep=lambda _: None).run([alone])
    assert "is not there after" in outcome.failed["topic/ticks"]


def test_3_and_4_every_policy_line_of_the_script_names_its_condition(standard: Plan) -> None:
    """Without one gcloud asks where a policy holds any condition; a condition with commas needs another delimiter."""
    for resource in standard.resources:
        if resource.kind == "policy" and resource.id.startswith(("project/", "bucket/", "account/", "secret/")):
            for line in grants(standard, resource):
                (condition,) = [each for each in line if each.startswith("--condition=")]
                assert condition == "--condition=None" or condition.startswith("--condition=^:^title=")


def test_5_a_policy_that_moved_meanwhile_is_read_and_merged_again(make_site: MakeSite) -> None:
    site = make_site("smallest")
    moved = [
        Fault("cloudresourcemanager", "POST", ":setIamPolicy", 409, 2, "ABORTED"),
        Fault("storage", "PUT", "/iam", 412, 1),
    ]
    site.google.state.faults = moved
    assert site.apply().failed == {}
    assert site.due() == []


def test_5_each_policy_is_one_write_with_the_etag_of_what_was_read(make_site: MakeSite) -> None:
    site = make_site("standard")
    site.apply()
    sent = [
        each
        for each in site.google.state.log
        if each["path"].endswith((":setIamPolicy", "/iam")) and each["method"] != "GET"
    ]
    paths = [each["path"] for each in sent]
    assert len(paths) == len(set(paths)) == sum(1 for each in site.plan.resources if each.kind == "policy")
    assert all((each["body"].get("policy") or each["body"])["etag"] for each in sent)


def test_5_a_policy_that_was_not_read_is_never_sent(make_site: MakeSite) -> None:
    site = make_site("smallest")
    policy = next(each for each in site.plan.offline() if each.resource.key == "policy/bucket/ledger")
    assert AS_READ in json.dumps(policy.writes[0].request.body)
    with pytest.raises(PermanentError, match="never written"):
        site.cloud().send(policy.writes[0].request)


@pytest.mark.parametrize("status", [429, pytest.param(503, marks=pytest.mark.long)])
def test_6_what_gcloud_does_not_repeat_we_do(make_site: MakeSite, status: int) -> None:
    site = make_site("smallest")
    site.google.state.faults = [Fault("pubsub", "PUT", "topics/", status, 3)]
    assert site.apply().failed == {}


def test_6_a_403_is_not_repeated_but_told(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.faults = [Fault("iam", "POST", "/roles$", 403, 1, "PERMISSION_DENIED")]
    assert "give your account the right" in site.apply().failed["role/start-builds"]


def test_7_missing_is_a_status_and_not_a_text(make_site: MakeSite) -> None:
    cloud = make_site("smallest", applied=True).cloud()
    assert cloud.read(Request(api="pubsub", path="v1/projects/acme-small/topics/none")) is None
    assert cloud.read(Request(api="storage", path="storage/v1/b/none")) is None


def test_8_what_doubles_silently_is_looked_for_first(make_site: MakeSite) -> None:
    """Secret versions, builds of functions, objects: a second apply makes no second one."""
    site = make_site("standard", applied=True)
    versions = [name for _, name in site.google.state.resources if "downwind-echo/versions/" in name]
    site.apply()
    assert [name for _, name in site.google.state.resources if "downwind-echo/versions/" in name] == versions
    assert site.google.state.writes() == []


def test_9_operations_are_waited_for_by_asking(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.polls = 1
    assert site.apply().failed == {}


def test_10_a_crash_of_gcloud_is_an_unknown_outcome_and_not_a_refusal() -> None:
    error = _reason(("gcloud", "x"), "ERROR: gcloud crashed (AttributeError): no field")
    assert isinstance(error, UnknownOutcome)


def test_11_what_gcloud_prints_decides_nothing_but_the_kind_of_an_error() -> None:
    texts: dict[str, type[Exception]] = {
        "ERROR: (gcloud) ALREADY_EXISTS: x": Conflict,
        "ERROR: (gcloud) Service account x does not exist.": NotYet,
        "ERROR: (gcloud) UNAVAILABLE: x": TransientError,
        "ERROR: (gcloud.x) unrecognized arguments: --y": Refused,
    }
    for text, kind in texts.items():
        assert isinstance(_reason(("gcloud", "x"), f"\x1b[1mWARNING: noise\n{text}\n"), kind)


def test_12_order_etag_and_version_of_a_policy_mean_nothing(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    for policy in site.google.state.policies.values():
        policy["bindings"] = [{**each, "members": each["members"][::-1]} for each in policy["bindings"][::-1]]
        policy.update(etag="another", version=1)
    assert site.due() == []


def test_13_nothing_makes_a_bucket_that_nobody_planned(plan: Plan) -> None:
    for line in lines(plan):
        text = " ".join(line)
        assert "run deploy" not in text
        assert "builds submit" not in text
        if line[1:3] == ("functions", "deploy"):
            (source,) = [each for each in line if each.startswith("--source=")]
            assert source.startswith(f"--source=gs://{plan.values.resource_name('bucket', 'source')}/functions/")


def test_14_an_agent_is_made_before_a_right_is_given_to_it(plan: Plan) -> None:
    seen: set[str] = set()
    for resource in plan.resources:
        for member in [member for grant in resource.grants for member in grant.members if "@gcp-sa-" in member]:
            agent = member.split("@gcp-sa-")[1].split(".")[0]
            assert f"agent/{agent}" in seen, (resource.key, member)
        seen.add(resource.key)


def test_an_api_or_identity_that_is_not_known_yet_is_waited_for(make_site: MakeSite) -> None:
    site = make_site("smallest")
    gone = site.google.state.services
    cloud = Cloud(make_session(site.environment), site.environment)
    with pytest.raises(NotYet):
        cloud.send(Request(api="pubsub", method="PUT", path="v1/projects/acme-small/topics/x", body={}))
    assert "pubsub.googleapis.com" not in gone
