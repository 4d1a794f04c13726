"""Every sentence as people read it: one table of facts, one of steps, one of waits."""

from datetime import UTC, datetime
from typing import Any

import pytest

from downwind.model.channels import Channel, Teams
from downwind.reconcile import words
from downwind.reconcile.facts import Fact, NewFact
from downwind.reconcile.steps import (
    Announce,
    Append,
    CancelRollout,
    Compare,
    FindBuilds,
    Judge,
    Notify,
    Observe,
    Record,
    RenderBundle,
    ResolveImage,
    SearchRollout,
    StartBuild,
    Step,
    TriggerRollout,
    Verify,
    Wait,
)

A, B = "a" * 40, "b" * 40
DIGEST = "sha256:" + "d" * 64
SHORT_DIGEST = "sha256:" + "d" * 12
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ENTRY = {"kind": "entry", "environment": "staging", "n": 3, "commit": A}
PUSH = {"kind": "push", "repository": "github.com/acme/shop", "ref": "refs/heads/main"}
ENDED = {"kind": "ended", "execution": "01ABC", "status": "SUCCEEDED", "fence": "passed"}
NOTICE = {"environment": "staging", "n": 3, "channel": "ops", "state": "failed", "epoch": 2, "reason": "503"}

FACTS: list[tuple[dict[str, Any], str]] = [
    (PUSH | {"before": A, "after": B}, "refs/heads/main of github.com/acme/shop was pushed from aaaaaaa to bbbbbbb"),
    (PUSH | {"before": None, "after": B}, "refs/heads/main of github.com/acme/shop was created at bbbbbbb"),
    (PUSH | {"before": A, "after": None}, "refs/heads/main of github.com/acme/shop was deleted at aaaaaaa"),
    (PUSH | {"before": None, "after": None}, "refs/heads/main of github.com/acme/shop was deleted at nothing"),
    ({"kind": "build-event", "build": "b1", "commit": A, "status": "WORKING"}, "build b1 of aaaaaaa is WORKING"),
    (
        {"kind": "build-event", "build": "b1", "commit": A, "status": "SUCCESS", "images": [{"digest": DIGEST}]},
        "build b1 of aaaaaaa is SUCCESS, 1 image",
    ),
    (
        {"kind": "winner", "build": "b1", "commit": A, "images": [{"name": "eu.gcr.io/acme/shop", "digest": DIGEST}]},
        f"build b1 is the first success of aaaaaaa: its images count (shop@{SHORT_DIGEST})",
    ),
    (
        {"kind": "winner", "build": "b1", "commit": A, "images": []},
        "build b1 is the first success of aaaaaaa: it lists no images",
    ),
    (
        {"kind": "build-claim", "commit": A},
        "the start of a build of aaaaaaa was claimed, so that nobody else starts it",
    ),
    ({"kind": "build-started", "build": "b1", "commit": A}, "build b1 of aaaaaaa was started"),
    ({"kind": "seen", "name": "gcr.io/shop", "digest": DIGEST}, f"image gcr.io/shop@{SHORT_DIGEST} is in its registry"),
    (
        {"kind": "image", "name": "gcr.io/shop", "digest": DIGEST, "commit": A, "by": "tag"},
        f"image shop@{SHORT_DIGEST} belongs to aaaaaaa by its tag",
    ),
    (
        {"kind": "completed", "commit": A, "images": {f"gcr.io/{n}": DIGEST for n in "abcdefg"}},
        "release aaaaaaa is complete: " + ", ".join(f"{n}@{SHORT_DIGEST}" for n in "abcde") + ", and 2 more",
    ),
    (
        {"kind": "blocked", "commit": A, "reason": "build b1 ended FAILURE"},
        "release aaaaaaa is blocked: build b1 ended FAILURE",
    ),
    (
        {"kind": "bundle", "commit": A, "environment": "staging", "bundle": B, "parts": ["manifests"]},
        "manifests of aaaaaaa for staging rendered: bundle bbbbbbb",
    ),
    (
        {"kind": "bundle", "commit": A, "environment": "staging", "bundle": B, "parts": ["canary", "full"]},
        "manifests of aaaaaaa for staging rendered: bundle bbbbbbb, parts canary, full",
    ),
    (ENTRY | {"by": "push", "ref": "refs/heads/main"}, "staging 3 is aaaaaaa: the tip of refs/heads/main"),
    (
        ENTRY | {"by": "operator", "verb": "rebase", "commit": None, "who": "sre@acme.example", "why": "INC-42"},
        "staging 3 begins the log anew above what was found, ordered by sre@acme.example, because: INC-42",
    ),
    (
        ENTRY | {"by": "operator", "verb": "rebase", "commit": None},
        "staging 3 begins the log anew above what was found",
    ),
    (
        ENTRY | {"by": "promotion", "upstream": "test", "upstream_sequence": 2},
        "staging 3 is aaaaaaa: test 2 succeeded and was promoted",
    ),
    (
        ENTRY | {"by": "request", "request": "r1", "who": "ci", "why": "CHG-1"},
        "staging 3 is aaaaaaa: ordered by request r1 of ci (as claimed), because: CHG-1",
    ),
    (
        ENTRY | {"by": "request", "request": "r1", "upstream": "test", "upstream_sequence": 2},
        "staging 3 is aaaaaaa: ordered by request r1, promoting test 2",
    ),
    (
        ENTRY | {"by": "operator", "verb": "deploy", "who": "ann", "why": "CHG-1"},
        "staging 3 is aaaaaaa: ordered by ann, because: CHG-1",
    ),
    (
        ENTRY | {"by": "operator", "verb": "rollback", "target": 1, "who": "ann", "why": None},
        "staging 3 is aaaaaaa again, as entry 1 brought it, and holds: ordered by ann",
    ),
    (
        ENTRY | {"by": "on_failure", "verb": "rollback", "target": 1, "why": "staging 2 failed: no"},
        "staging 3 is aaaaaaa again, as entry 1 brought it, and holds by on_failure, because: staging 2 failed: no",
    ),
    (ENTRY | {"by": "operator", "verb": "hold", "commit": None, "who": "ann"}, "staging 3 holds: ordered by ann"),
    (ENTRY | {"by": "operator", "verb": "resume", "commit": None, "who": "ann"}, "staging 3 resumes: ordered by ann"),
    (ENTRY | {"by": "operator", "verb": "cancel", "target": 2, "who": "ann"}, "staging 3 cancels 2: ordered by ann"),
    (ENTRY | {"by": "operator", "verb": "retry", "target": 2, "who": "ann"}, "staging 3 retries 2: ordered by ann"),
    (
        {"kind": "cancel-order", "environment": "staging", "n": 2, "attempt": None, "reason": "cancel ordered by ann"},
        "staging 2 is to end: cancel ordered by ann",
    ),
    (
        {"kind": "retry-order", "environment": "staging", "n": 2, "attempt": 1, "reason": "retry ordered by ann"},
        "staging 2 is to be tried again: retry ordered by ann",
    ),
    (
        {"kind": "judgment", "environment": "staging", "n": 2, "decision": "stop", "who": "ann", "why": "no"},
        "ann answered the judgment of staging 2: stop, because: no",
    ),
    ({"kind": "all-hold", "verb": "hold", "who": "ann", "why": "fire"}, "ann holds everything, because: fire"),
    ({"kind": "all-hold", "verb": "resume", "who": "ann", "why": None}, "ann resumes everything"),
    (
        {
            "kind": "order",
            "by": "operator",
            "id": "r1",
            "verb": "rollback",
            "target": 2,
            "application": "shop",
            "environment": "staging",
            "who": "ann",
        },
        "ann orders: rollback 2 in shop/staging",
    ),
    (
        {
            "kind": "order",
            "by": "operator",
            "verb": "hold",
            "application": "shop",
            "environment": "staging",
            "who": "ann",
        },
        "ann orders: hold in shop/staging",
    ),
    (
        {"kind": "ref", "ref": "refs/heads/main", "n": 0, "commit": A},
        "refs/heads/main stood at aaaaaaa when the catalog was applied: the baseline",
    ),
    (
        {"kind": "ref", "ref": "refs/heads/main", "n": 2, "commit": A, "environment": "staging"},
        "refs/heads/main is at staging 2",
    ),
    (
        {"kind": "tip", "ref": "refs/heads/main", "object": A, "tick": "77"},
        "the repository answered refs/heads/main = aaaaaaa on tick 77",
    ),
    (
        {"kind": "claim", "environment": "staging", "n": 3, "attempt": 0, "epoch": 1},
        "staging 3 claimed for trigger, so that nobody else starts it (epoch 1)",
    ),
    (
        {"kind": "started", "environment": "staging", "n": 3, "attempt": 0, "execution": "01ABC"},
        "staging 3 triggered: execution 01ABC",
    ),
    (
        {"kind": "started", "environment": "staging", "n": 3, "attempt": 1, "execution": "01ABC"},
        "staging 3 (attempt 1) triggered: execution 01ABC",
    ),
    (
        {"kind": "cancel", "execution": "01ABC", "reason": "superseded by 4"},
        "execution 01ABC was cancelled: superseded by 4",
    ),
    (ENDED, "execution 01ABC ended SUCCEEDED, its fence passed"),
    (
        ENDED | {"status": "TERMINAL", "fence": "refused", "message": "sequence 4 stands"},
        "execution 01ABC ended TERMINAL, its fence was refused: sequence 4 stands",
    ),
    (
        ENDED | {"status": "CANCELED", "fence": "open", "canceled_by": "ann", "reason": "no"},
        "execution 01ABC ended CANCELED by ann: no",
    ),
    (
        {"kind": "outcome", "environment": "staging", "n": 3, "status": "failed", "reason": "the fence refused it"},
        "staging 3 failed: the fence refused it",
    ),
    ({"kind": "outcome", "n": 3, "status": "failed", "reason": "no"}, "entry 3 failed: no"),
    (
        {"kind": "order", "id": "r1", "verb": "deploy", "commit": A, "application": "shop", "environment": "staging"},
        "request r1 asks to deploy aaaaaaa into shop/staging",
    ),
    (
        {"kind": "order", "id": "r1", "verb": "promote", "application": "shop", "environment": "staging", "who": "ci"},
        "request r1 of ci (as claimed) asks to promote into shop/staging",
    ),
    (
        {"kind": "raw", "id": "o1", "topic": "operate", "published": "2026-11-24T09:00:00Z", "attempt": None},
        "order o1 came to operate, published 2026-11-24T09:00:00Z",
    ),
    ({"kind": "ordered", "environment": "staging", "n": 3}, "the order was carried out: staging 3"),
    ({"kind": "refused", "reason": "nothing to promote"}, "the request was refused: nothing to promote"),
    ({"kind": "raw", "id": "m1", "topic": "gcr"}, "message m1 came on topic gcr"),
    ({"kind": "raw", "id": "CHG-1", "topic": "operate"}, "order CHG-1 came to operate"),
    (
        {"kind": "raw", "id": "m1", "topic": "gcr", "published": "2026-11-24T09:00:00Z", "attempt": 3},
        "message m1 came on topic gcr, published 2026-11-24T09:00:00Z, delivery attempt 3",
    ),
    ({"kind": "recorded", "applications": ["shop"], "reasons": [], "facts": ["a"]}, "recorded for shop: 1 fact"),
    (
        {"kind": "recorded", "applications": ["cart", "shop"], "reasons": ["no ref"], "facts": []},
        "recorded for cart, shop: 0 facts (no ref)",
    ),
    ({"kind": "ignored", "reasons": ["nobody names it", "no ref"]}, "ignored: nobody names it; no ref"),
    ({"kind": "parked", "reason": "not JSON"}, "parked: not JSON"),
    (
        {"kind": "replayed", "became": "recorded", "applications": ["shop"], "facts": ["a", "b"], "who": "ann"},
        "replayed by order of ann: recorded for shop: 2 facts",
    ),
    (
        {"kind": "replayed", "became": "recorded", "event": "0f" * 32, "applications": ["shop"], "facts": ["a"]},
        "replayed: recorded as event 0f0f0f0 for shop: 1 fact",
    ),
    (
        {"kind": "replayed", "became": "duplicate", "event": "0f" * 32, "applications": [], "facts": []},
        "replayed: it had been recorded before as event 0f0f0f0",
    ),
    (
        {"kind": "replayed", "became": "ignored", "applications": [], "facts": [], "reasons": ["a ping"]},
        "replayed: ignored (a ping)",
    ),
    ({"kind": "announced"}, "announced on deliveries"),
    ({"kind": "announced", "type": "dev.downwind.x.v1"}, "announced on deliveries: dev.downwind.x.v1"),
    (
        NOTICE | {"kind": "notice-claim"},
        "word of staging 3 (failed) to ops claimed, so that nobody else sends it (epoch 2)",
    ),
    (NOTICE | {"kind": "notice-sent"}, "ops was told of staging 3: failed"),
    (NOTICE | {"kind": "notice-failed"}, "ops did not take word of staging 3 (failed): 503"),
    (NOTICE | {"kind": "notice-dropped"}, "ops is not told of staging 3 (failed): 503"),
    ({"kind": "pointer"}, "a pointer from one name to another"),
    ({"kind": "rollforward"}, "a fact of kind rollforward, which this version does not know"),
    ({"kind": "push"}, "a fact of kind push, in a form that this version does not know"),
    ({"kind": "started", "n": 3, "attempt": 1}, "a fact of kind started, in a form that this version does not know"),
    ({}, "a fact of kind None, which this version does not know"),
]

STEPS: list[tuple[Step, str]] = [
    (
        Record(fact=NewFact(name="x", body={"kind": "blocked", "commit": A, "reason": "no"})),
        "to be written down: release aaaaaaa is blocked: no",
    ),
    (
        Append(environment="staging", entry=NewFact(name="x", body=ENTRY | {"by": "push", "ref": "refs/heads/main"})),
        "to be appended: staging 3 is aaaaaaa: the tip of refs/heads/main",
    ),
    (Verify(environment="staging", bundle=B), "the registry is to be asked for the images of bundle bbbbbbb"),
    (
        Judge(environment="staging", n=3, execution="e", stage="s", decision="stop", order="o", who="ann", why=None),
        "the judgment of staging 3 is to be answered: stop",
    ),
    (Compare(before=A, after=B), "did a path of the application change from aaaaaaa to bbbbbbb?"),
    (
        StartBuild(commit=A, prefix="p", trigger="t1", attempt=0, epoch=1, search=False),
        "a build of aaaaaaa is to be started",
    ),
    (FindBuilds(commit=A), "Cloud Build is to be asked for builds of aaaaaaa"),
    (ResolveImage(commit=A, image="gcr.io/shop", tag="v1"), "the registry is to be asked for gcr.io/shop:v1"),
    (
        RenderBundle(environment="staging", commit=A, manifests_commit=A, images={}, inputs="i"),
        "manifests of aaaaaaa for staging are to be rendered",
    ),
    (
        TriggerRollout(
            environment="staging",
            n=3,
            attempt=0,
            epoch=1,
            commit=A,
            bundle="b",
            parts=(),
            namespace="shop-staging",
            pipeline=("shop", "deploy-staging"),
            search=False,
            by="push",
        ),
        "staging 3 is to be triggered",
    ),
    (
        CancelRollout(environment="staging", n=3, attempt=0, execution="01ABC", reason="superseded by 4"),
        "staging 3 is to be cancelled: superseded by 4",
    ),
    (
        SearchRollout(environment="staging", n=3, attempt=0, application="shop", claimed=NOW),
        "Gate is to be asked whether staging 3 was ever started",
    ),
    (Observe(execution="01ABC"), "Spinnaker is to be asked for execution 01ABC"),
    (
        Announce(type="dev.downwind.x.v1", fact=Fact(name="x", body={}, created=NOW)),
        "dev.downwind.x.v1 is to be announced",
    ),
    (
        Notify(
            environment="staging",
            n=3,
            channel=Channel(name="ops", target=Teams()),
            prefix="p",
            phase="ended",
            state="failed",
            epoch=1,
            fields={},
        ),
        "ops is to be told of staging 3: failed",
    ),
]

WAITS = [
    (Wait(what="a manual judgment", environment="staging", n=3), "staging 3 waits for a manual judgment"),
    (Wait(what="the repository", environment="staging"), "staging waits for the repository"),
    (Wait(what="a build", commit=A, n=3), "release aaaaaaa waits for a build"),
    (Wait(what="better weather"), "waits for better weather"),
]


@pytest.mark.parametrize(("body", "said"), FACTS)
def test_a_fact_is_one_sentence(body: dict[str, Any], said: str) -> None:
    assert words.of_fact(Fact(name="any", body=body, created=NOW)) == said


@pytest.mark.parametrize(("step", "said"), STEPS)
def test_a_step_says_what_is_due(step: Step, said: str) -> None:
    assert words.of_step(step) == said


def test_every_step_has_its_words() -> None:
    assert {type(step) for step, _ in STEPS} == set(Step.__args__)


@pytest.mark.parametrize(("wait", "said"), WAITS)
def test_a_wait_says_who_waits_and_for_what(wait: Wait, said: str) -> None:
    assert words.of_wait(wait) == said
