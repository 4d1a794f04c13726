"""What a catalog document means; and that any other document is Invalid, never another error."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from downwind.model.catalog import (
    Application,
    BuildRule,
    Environment,
    Freeze,
    ImageRule,
    Manifests,
    RepositoryAddress,
)
from downwind.model.fields import Invalid
from downwind.model.read_catalog import read_application


@pytest.fixture
def document(catalog_text: str) -> Any:
    return yaml.safe_load(catalog_text)


def test_a_whole_document_becomes_values(document: Any) -> None:
    assert read_application(document) == Application(
        name="shop",
        repository=RepositoryAddress(
            address="https://github.com/acme/shop.git",
            also=("projects/acme/repos/github_acme_shop",),
            credentials="git-shop",
        ),
        paths=("services/shop/**",),
        build=BuildRule(trigger="projects/acme/locations/us-central1/triggers/shop", start=True),
        images=(
            ImageRule(name="us-central1-docker.pkg.dev/acme/apps/shop", tag="v-{short_commit}"),
            ImageRule(name="localhost:5000/sidecar"),
        ),
        manifests=Manifests(path="deploy/{environment}"),
        environments=(
            Environment(
                name="staging",
                namespace="shop-staging",
                pipeline_application="shop",
                pipeline="deploy-staging",
                refs=("refs/heads/main", "refs/tags/v*"),
                on_failure="hold",
            ),
            Environment(
                name="production",
                namespace="shop",
                pipeline_application="shop",
                pipeline="deploy-production",
                account="gke-production",
                artifact_account="bundles",
                after="staging",
                promotion="request",
                on_newer="queue",
                on_failure="rollback",
                requests="topic",
                operators=("sre@acme.example",),
                freeze=(
                    Freeze(cron="0 16 * * FRI", lasts=64 * 3600, timezone="Europe/Vienna"),
                    Freeze(cron="0 0 24 12 *", lasts=3 * 86400, timezone="UTC"),
                ),
                manifests=Manifests(
                    parts={"canary": "deploy/canary", "full": "deploy/{environment}"},
                    repository=RepositoryAddress(address="http://localhost:8080/acme/manifests.git"),
                    ref="refs/heads/main",
                ),
            ),
        ),
    )


def test_what_may_be_left_out_has_the_safe_meaning(document: Any) -> None:
    document["environments"] = document["environments"][:1]
    for name in ("paths", "build"):
        del document[name]
    for name in ("also", "credentials"):
        del document["repository"][name]
    del document["environments"][0]["on_failure"]
    found = read_application(document)
    assert (found.paths, found.build) == (("**",), None)
    assert (found.repository.also, found.repository.credentials) == ((), None)
    (staging,) = found.environments
    choices = (staging.promotion, staging.on_newer, staging.on_failure, staging.requests)
    assert choices == ("automatic", "cancel_waiting", "nothing", "operators")
    assert (staging.operators, staging.freeze, staging.manifests, staging.after) == ((), (), None, None)


def test_a_soak_time_is_read_in_seconds(document: Any) -> None:
    document["environments"][1] |= {"promotion": "automatic", "for": "30m"}
    assert [each.soak for each in read_application(document).environments] == [0, 1800]


def test_an_application_answers_by_environment_ref_and_path(document: Any) -> None:
    found = read_application(document)
    staging, production = found.environments
    assert found.environment("production") is production
    assert found.environment("test") is None
    assert found.fed_by("refs/tags/v1") == (staging,)
    assert found.fed_by("refs/heads/other") == ()
    assert found.manifests_of(staging).paths("staging") == {"manifests": "deploy/staging"}
    assert found.manifests_of(production).paths("production") == {
        "canary": "deploy/canary",
        "full": "deploy/production",
    }
    assert Manifests().paths("staging") == {"manifests": ""}
    assert found.build is not None
    assert (found.build.project, found.build.location) == ("acme", "us-central1")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@given(JSON)
def test_any_json_is_read_or_invalid(value: Any) -> None:
    with pytest.raises(Invalid):
        read_application(value)


def damage(value: Any, draw: Any) -> None:
    """Up to three values anywhere in the document are replaced, removed or added."""
    for _ in range(draw(st.integers(1, 3))):
        at: Any = value
        while True:
            keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and draw(st.booleans()):
                at = at[key]
                continue
            action = draw(st.sampled_from(["replace", "drop", "add"]))
            if action == "drop":
                del at[key]
            elif action == "add" and isinstance(at, dict):
                at[draw(st.text(max_size=8) | st.integers())] = draw(JSON)
            else:
                at[key] = draw(JSON | st.sampled_from(["staging", "refs/heads/main", "0 0 * * *", "{commit}"]))
            break


@given(data=st.data())
def test_a_damaged_document_is_read_or_every_problem_has_a_place_and_a_fix(
    catalog_text: str, data: st.DataObject
) -> None:
    value = yaml.safe_load(catalog_text)
    damage(value, data.draw)
    try:
        assert isinstance(read_application(value), Application)
    except Invalid as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message
            assert problem.fix
