"""Images are verified before they are used, where the catalog asks: by registry, Cloud Build's own records, attestations."""

from typing import Any

import pytest
from tests.application import IMAGE, REPOSITORY, digest_for

from downwind.errors import TransientError

BUILDER = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
ACCOUNT = "builder@acme.iam.gserviceaccount.com"


def asking(new_shop: Any, verify: str, repository: str | None = REPOSITORY) -> Any:
    shop = new_shop(("\nenvironments:", f"\nverify: {verify}\nenvironments:"))
    shop.memory.builds.repository = repository
    return shop


def reasons(shop: Any, commit: str) -> list[str]:
    return [body["reason"].partition("; ")[0] for body in shop.blocked(commit)]


def test_a_release_that_its_own_build_vouches_for_goes(new_shop: Any) -> None:
    shop = asking(new_shop, "{provenance: build, platforms: [linux/amd64]}")
    shop.build(shop.push())
    assert len(shop.executions("staging")) == 1


def test_an_image_that_its_registry_does_not_have_is_blocked_by_policy(new_shop: Any) -> None:
    shop = asking(new_shop, "{}")
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    body = shop.memory.builds.set(build, "SUCCESS", {f"{IMAGE}:{commit}": digest_for(commit)})
    shop.send("build", body, {"buildId": build, "status": "SUCCESS"})
    assert reasons(shop, commit) == [
        f"blocked by policy: image {IMAGE}@{digest_for(commit)} is not in its registry (verify)"
    ]
    assert shop.executions("staging") == []


def test_a_platform_that_is_missing_blocks(new_shop: Any) -> None:
    shop = asking(new_shop, "{platforms: [linux/amd64, linux/arm64]}")
    commit = shop.push()
    shop.build(commit)
    (reason,) = reasons(shop, commit)
    assert reason.endswith("is not there for linux/arm64 (verify.platforms)")


@pytest.mark.parametrize(
    ("repository", "says"),
    [
        ("https://github.com/acme/shop-evil.git", "names https://github.com/acme/shop-evil.git"),
        ("https://github.com/evil/https://github.com/acme/shop.git", "names https://github.com/evil/https"),
        (None, "names no repository"),
    ],
)
def test_a_build_of_another_repository_vouches_for_nothing(new_shop: Any, repository: str | None, says: str) -> None:
    shop = asking(new_shop, "{provenance: build}", repository)
    commit = shop.push()
    shop.build(commit)
    (reason,) = reasons(shop, commit)
    assert reason.startswith(f"blocked by policy: no build of {commit[:7]} by projects/acme/")
    assert says in reason


def test_a_build_by_another_account_vouches_for_nothing(new_shop: Any) -> None:
    shop = asking(new_shop, f"{{provenance: build, builders: [{ACCOUNT}]}}")
    commit = shop.push()
    shop.build(commit)
    (reason,) = reasons(shop, commit)
    assert "ran as an account that it does not name" in reason


def test_a_message_alone_vouches_for_nothing(new_shop: Any) -> None:
    """Whoever may publish on the topic says that the build made another image: Cloud Build itself says otherwise."""
    shop = asking(new_shop, "{provenance: build}")
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    body = shop.memory.builds.set(build, "SUCCESS", {f"{IMAGE}:{commit}": digest_for(commit)})
    evil = digest_for(commit, "evil")
    shop.memory.registry.put(IMAGE, evil)
    told = {**body, "results": {"images": [{"name": f"{IMAGE}:{commit}", "digest": evil}]}}
    shop.send("build", told, {"buildId": build, "status": "SUCCESS"})
    (reason,) = reasons(shop, commit)
    assert f"vouches for {IMAGE}@{evil} (verify.provenance)" in reason


def test_without_a_build_in_the_catalog_nothing_can_vouch(new_shop: Any) -> None:
    shop = new_shop(
        ("\nenvironments:", "\nverify: {provenance: build}\nenvironments:"),
        ("build: {trigger: projects/acme/locations/us-central1/triggers/shop}\n", ""),
    )
    commit = shop.push()
    shop.memory.registry.push(IMAGE, commit)
    shop.tick(2)
    assert reasons(shop, commit) == [
        "blocked by policy: the catalog names no build that could vouch for the images (verify.provenance)"
    ]


def test_while_somebody_is_silent_the_release_waits_and_then_goes(new_shop: Any) -> None:
    shop = asking(new_shop, "{provenance: build}")
    shop.memory.builds.fail(TransientError("Cloud Build is silent"), verb="find")
    commit = shop.push()
    shop.build(commit)
    assert (shop.executions("staging"), reasons(shop, commit)) == ([], [])
    shop.tick(2)
    assert len(shop.executions("staging")) == 1


def test_attestations_are_waited_for_and_have_to_name_builder_repository_and_commit(new_shop: Any) -> None:
    shop = asking(new_shop, f"{{provenance: attestation, builders: ['{BUILDER}']}}")
    commit = shop.push()
    shop.build(commit)
    assert (shop.executions("staging"), reasons(shop, commit)) == ([], [])
    shop.memory.attestations.attest(IMAGE, digest_for(commit), BUILDER, (REPOSITORY, commit))
    shop.tick(2)
    assert len(shop.executions("staging")) == 1


KEYS = r'[{id: keys/1, pem: "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n"}]'


def test_with_keys_only_what_one_of_them_has_signed_counts(new_shop: Any) -> None:
    shop = asking(new_shop, f"{{provenance: attestation, builders: ['{BUILDER}'], keys: {KEYS}}}")
    commit, other = shop.push(), shop.push()
    attest = shop.memory.attestations.attest
    attest(IMAGE, digest_for(commit), BUILDER, (REPOSITORY, commit), signed_by="keys/1")
    shop.build(commit)
    assert reasons(shop, commit) == []
    attest(IMAGE, digest_for(other), BUILDER, (REPOSITORY, other), signed_by="keys/2")
    attest(IMAGE, digest_for(other), BUILDER, ("https://github.com/acme/other.git", other), signed_by="keys/1")
    shop.build(other)
    (reason,) = {body["reason"] for body in shop.blocked(other)}
    assert f"{BUILDER} of {REPOSITORY}@{other}, which none of verify.keys has signed" in reason


@pytest.mark.parametrize(
    ("builder", "repository", "other_commit"),
    [("https://evil.example", REPOSITORY, None), (BUILDER, f"{REPOSITORY}x", None), (BUILDER, REPOSITORY, "e" * 40)],
    ids=["builder", "repository", "commit"],
)
def test_an_attestation_of_something_else_blocks(
    new_shop: Any, builder: str, repository: str, other_commit: str | None
) -> None:
    shop = asking(new_shop, f"{{provenance: attestation, builders: ['{BUILDER}']}}")
    commit = shop.push()
    shop.memory.attestations.attest(IMAGE, digest_for(commit), builder, (repository, other_commit or commit))
    shop.build(commit)
    (reason,) = reasons(shop, commit)
    assert reason.startswith(f"blocked by policy: {IMAGE}@{digest_for(commit)} was built by {builder} of {repository}@")
