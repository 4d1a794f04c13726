"""The body of Gate's trigger, from saved pipelines that people may have left in any shape."""

from typing import Any

import pytest

from downwind.errors import Refused
from downwind.perform.bundles import trigger_of
from downwind.ports import PipelineConfig
from downwind.reconcile.steps import TriggerRollout

NAME = "gs://bundles/shop/staging"
MATCH = {"type": "gcs/object", "name": NAME, "artifactAccount": "gcs"}
STEP = TriggerRollout(
    environment="staging",
    n=7,
    attempt=0,
    epoch=1,
    commit="a" * 40,
    bundle="b" * 64,
    parts=("all",),
    namespace="shop",
    pipeline=("shop", "deploy"),
    search=False,
    by="downwind",
)


def body(expected: Any) -> dict[str, Any]:
    config = PipelineConfig(id="1", name="deploy", application="shop", document={"expectedArtifacts": expected})
    return trigger_of(config, "shop", "staging", STEP, "id", [{"type": "gcs/object", "name": NAME}])


def test_the_artifact_is_bound_to_what_the_pipeline_expects() -> None:
    found = body([{"id": "other"}, {"id": "bundle", "matchArtifact": MATCH}])
    assert found["expectedArtifactIds"] == ["bundle"]
    assert found["artifacts"] == [MATCH]


@pytest.mark.parametrize(
    "expected",
    [
        None,
        {"id": "bundle"},
        "bundle",
        ["bundle", None],
        [{"id": "bundle", "matchArtifact": NAME}],
        [{"id": "bundle", "matchArtifact": {"name": [NAME]}}],
        [{"matchArtifact": MATCH}],
        [{"id": "one", "matchArtifact": MATCH}, {"id": "two", "matchArtifact": MATCH}],
    ],
)
def test_what_is_not_bound_is_refused_and_never_a_crash(expected: Any) -> None:
    """A crash after the claim would leave the entry open at each tick, and say nothing."""
    with pytest.raises(Refused, match="pipeline 'deploy'"):
        body(expected)
