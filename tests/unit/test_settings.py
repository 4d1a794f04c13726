"""What an installation decides: read once, every error at once, and no word of it invented."""

from dataclasses import fields

import pytest

from downwind.settings import Settings, SettingsError, read_settings
from downwind.timing import CLOUD_TIMING, LOCAL_TIMING, Timing

LEAST = {
    "DOWNWIND_PROJECT": "acme",
    "DOWNWIND_LEDGER_BUCKET": "acme-ledger",
    "DOWNWIND_WORK_BUCKET": "acme-work",
    "DOWNWIND_CATALOG_BUCKET": "acme-catalog",
    "DOWNWIND_BUNDLES_BUCKET": "acme-bundles",
    "DOWNWIND_GATE_URL": "https://gate.acme.example",
}
SENDERS = {
    "DOWNWIND_PUSH_AUDIENCE": "https://functions.acme.example",
    "DOWNWIND_PUSH_EMAIL": "push@acme.iam.gserviceaccount.com",
}
CLOUD = LEAST | SENDERS
LOCAL_ONLY = ("CERTS_URL", "CLOUD_BUILD_ENDPOINT", "PUBSUB_ENDPOINT", "REGISTRY_MIRROR", "PERSON")


def problems(environment: dict[str, str], *, receives: bool = True) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environment, receives=receives)
    return str(caught.value).split("; ")


def test_the_least_that_a_cloud_installation_says() -> None:
    found = read_settings({**CLOUD, "PATH": "/bin", "DOWNWINDY": "not ours"})
    assert (found.project, found.gate_url) == ("acme", "https://gate.acme.example")
    buckets = (found.ledger_bucket, found.work_bucket, found.catalog_bucket, found.bundles_bucket)
    assert buckets == ("acme-ledger", "acme-work", "acme-catalog", "acme-bundles")
    assert (found.push_audience, found.push_email) == tuple(SENDERS.values())
    assert (found.topic_prefix, found.github_secrets, found.echo_secret) == ("", None, None)
    assert (found.local, found.timing) == (False, CLOUD_TIMING)


@pytest.mark.parametrize(
    "name", [field.name for field in fields(Settings) if field.name not in {"local", "timing", "senders_checked_by"}]
)
def test_each_setting_has_a_variable_of_its_name(name: str) -> None:
    value = "token" if name == "gate_sign_in" else "the value"
    both = {"DOWNWIND_GATE_SIGN_IN": "token", "DOWNWIND_GATE_SECRET": "gate"} if name.startswith("gate_s") else {}
    environment = {**LEAST, **both, "DOWNWIND_LOCAL": "1", f"DOWNWIND_{name.upper()}": f" {value} "}
    assert getattr(read_settings(environment), name) == value


@pytest.mark.parametrize("name", CLOUD)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_or_blank_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in CLOUD.items() if key != name} | (
        {name: value} if value is not None else {}
    )
    (problem,) = problems(environment)
    assert problem.startswith(f"{name} is missing")


def test_all_problems_come_at_once() -> None:
    found = problems({"DOWNWIND_LEDGER_BUKET": "typo", "DOWNWIND_CERTS_URL": "http://localhost"})
    missing = [f"{name} is missing" for name in LEAST]
    unproved = [f"{name} is missing: without it a sender cannot be checked" for name in SENDERS]
    assert found == [
        *missing,
        *unproved,
        "DOWNWIND_CERTS_URL is for the local world (DOWNWIND_LOCAL=1) only",
        "DOWNWIND_LEDGER_BUKET is not a setting",
    ]


@pytest.mark.parametrize("name", LOCAL_ONLY)
def test_what_would_let_anybody_answer_for_google_is_for_the_local_world_only(name: str) -> None:
    variable = f"DOWNWIND_{name}"
    value = {variable: "http://127.0.0.1:1"}
    assert problems(CLOUD | value) == [f"{variable} is for the local world (DOWNWIND_LOCAL=1) only"]
    found = read_settings({**LEAST, **value, "DOWNWIND_LOCAL": "1"})
    assert getattr(found, name.lower()) == "http://127.0.0.1:1"


@pytest.mark.parametrize("value", ["0", "true", "", "yes"])
def test_only_1_makes_the_world_local(value: str) -> None:
    assert len(problems({**LEAST, "DOWNWIND_LOCAL": value})) == len(SENDERS)


def test_the_local_world_is_refused_on_cloud_run_where_it_would_let_anybody_in() -> None:
    assert problems({**LEAST, "DOWNWIND_LOCAL": "1", "K_SERVICE": "on-push"}) == [
        "DOWNWIND_LOCAL=1 lets calls in without a token: never on Cloud Run"
    ]
    assert not read_settings({**CLOUD, "K_SERVICE": "on-push"}).local


def test_the_local_world_checks_no_senders_and_ticks_faster() -> None:
    found = read_settings({**LEAST, "DOWNWIND_LOCAL": "1"})
    assert (found.local, found.push_audience, found.timing) == (True, None, LOCAL_TIMING)


def test_who_only_asks_and_publishes_needs_no_senders() -> None:
    assert read_settings(LEAST, receives=False).push_email is None


@pytest.mark.parametrize("timing", [CLOUD_TIMING, LOCAL_TIMING], ids=["cloud", "local"])
def test_the_times_of_the_protocol_fit_into_each_other(timing: Timing) -> None:
    assert timing.drop + timing.effect < timing.lease, "a dropped effect is over before anybody takes it over"
    assert timing.tick <= timing.lease
    assert timing.tick <= timing.look_first <= timing.look_every < timing.wait


def test_the_cloud_runs_by_the_numbers_of_the_design() -> None:
    found = (CLOUD_TIMING.tick, CLOUD_TIMING.lease, CLOUD_TIMING.drop, CLOUD_TIMING.effect, CLOUD_TIMING.wait)
    assert found == (60, 60, 30, 20, 86_400)
    assert (CLOUD_TIMING.look_first, CLOUD_TIMING.look_every) == (120, 600)


def test_who_checks_senders_is_cloud_run_on_cloud_run_or_nobody() -> None:
    behind = {**CLOUD, "DOWNWIND_SENDERS_CHECKED_BY": "cloud-run"}
    assert read_settings({**behind, "K_SERVICE": "on-push"}).senders_checked_by == "cloud-run"
    assert problems(behind) == [
        "DOWNWIND_SENDERS_CHECKED_BY=cloud-run is for Cloud Run only: elsewhere nobody has checked"
    ]
    assert problems({**CLOUD, "DOWNWIND_SENDERS_CHECKED_BY": "me", "K_SERVICE": "on-push"}) == [
        "DOWNWIND_SENDERS_CHECKED_BY is cloud-run, or left out"
    ]
