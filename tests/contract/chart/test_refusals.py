"""What the chart refuses to render, and that it says what to do instead."""

import pytest
from tests.contract.chart.helm import SETS, Helm, RefusedError

TRIAL = "trial"
REFUSALS = {
    "a version with known holes": (TRIAL, ["version=2026.2.3"], "version 2026.2.3 is below 2026.2.4"),
    "the other line too": (TRIAL, ["version=2026.1.2"], "version 2026.1.2 is below 2026.1.3"),
    "a version that it does not know": (TRIAL, ["version=2025.4.4"], "'2025.4.4' does not match pattern"),
    "one that is no version": (TRIAL, ["version=latest"], "'latest' does not match pattern"),
    "a tag": (TRIAL, ["images.gate.digest=2026.2.4"], "/images/gate/digest"),
    "a tag in the repository": (TRIAL, ["images.gate.repository=ghcr.io/spinnaker/gate:1"], "/images/gate/repository"),
    "no digest": (TRIAL, ["images.orca.digest="], "images.orca.digest is empty: run scripts/spinnaker-images 2026.2.4"),
    "a value that it does not know": (TRIAL, ["gate.authentification.mode=none"], "additional properties"),
    "no sign-in": (TRIAL, ["gate.authentication.mode=none"], "/gate/authentication/mode"),
    "OAuth2 without a client": (TRIAL, ["gate.authentication.mode=oauth2"], "needs gate.authentication.oauth2.secret"),
    "IAP without an audience": (TRIAL, ["gate.authentication.mode=iap"], "needs gate.authentication.iap.audience"),
    "tokens before 2026.2": (TRIAL, ["version=2026.1.3", "gate.apiTokens=true"], "needs version 2026.2 or later"),
    "no namespace": (TRIAL, ["clouddriver.namespaces=null"], "clouddriver.namespaces is empty"),
    "all and some": (TRIAL, ["clouddriver.allNamespaces=true"], "exclude each other"),
    "a database of a trial for life": (TRIAL, ["size=standard"], "postgresql.mode internal is for a trial"),
    "a Redis of a trial for life": (
        "standard-gke",
        ["redis.mode=internal"],
        "redis.mode internal is for a trial",
    ),
    "a database outside without a secret": (
        TRIAL,
        ["postgresql.mode=external"],
        "postgresql.external.host and .secret",
    ),
    "a database that is cut off": ("standard-gke", ["postgresql.external.cidrs=null"], "would cut the database off"),
    "Redis outside without a secret": ("standard-gke", ["redis.external.secret="], "needs redis.external.secret"),
    "Redis that is cut off": ("standard-gke", ["redis.external.cidrs=null"], "would cut Redis off"),
    "Downwind without a token": (TRIAL, ["downwind.receiveUrl=https://a.example"], "needs downwind.tokenSecret"),
    "a load balancer for all": (TRIAL, ["gate.internalLoadBalancer.enabled=true"], "sourceRanges is empty"),
    "a load balancer for the internet": (
        TRIAL,
        ["gate.internalLoadBalancer.enabled=true", "gate.internalLoadBalancer.sourceRanges={0.0.0.0/0}"],
        "/gate/internalLoadBalancer/sourceRanges/0",
    ),
    "Deck under a path": (TRIAL, ["deck.url=https://a.example/deck"], "/deck/url"),
    "a registry without repositories": (TRIAL, ["google.artifactRegistry.enabled=true"], "address and repositories"),
    "the plugin without its source": (
        TRIAL,
        ["metrics.prometheus.enabled=true"],
        "the plugin's version and repository",
    ),
    "no Orca": (TRIAL, ["components.orca.replicas=0"], "components.orca.replicas is 0"),
    "two that schedule": (TRIAL, ["components.echo.replicas=2"], "cron triggers would start twice"),
    "two schedulers": ("standard-gke", ["components.echo-scheduler.replicas=2"], "set it to 1"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_is_refused(helm: Helm, case: str) -> None:
    name, settings, message = REFUSALS[case]
    with pytest.raises(RefusedError) as refused:
        helm.template(SETS[name], *(word for setting in settings for word in ("--set", setting)))
    assert message in str(refused.value)


def test_a_name_too_long_for_kubernetes_is_refused(helm: Helm) -> None:
    with pytest.raises(RefusedError, match="more than 40 characters"):
        helm.template(SETS[TRIAL], release="a" * 41)


def test_the_floor_itself_passes(helm: Helm) -> None:
    for version in ("2026.1.3", "2026.1.10", "2026.2.4", "2026.2.11"):
        assert version in helm.template(SETS[TRIAL], "--set", f"version={version}")
