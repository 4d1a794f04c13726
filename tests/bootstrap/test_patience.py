"""Nothing is waited for without end: each wait has a limit, and who reaches it is told what it was and how to go on."""

import pytest
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.cloud import OPERATION, OPERATIONS
from downwind.bootstrap.kinds.compute import Clusters
from downwind.bootstrap.write import Request
from downwind.errors import TransientError


@pytest.mark.parametrize("api", ["artifactregistry", "compute", "cloudfunctions"])
def test_an_operation_that_does_not_end_is_told_and_the_next_run_goes_on(make_site: MakeSite, api: str) -> None:
    site = make_site("standard", applied=True)
    place = f"projects/{site.plan.values.project}"
    path, body = {
        "artifactregistry": (f"v1/{place}/locations/europe-west1/repositories", {"format": "DOCKER"}),
        "compute": (f"compute/v1/{place}/global/networks", {"name": "another"}),
        "cloudfunctions": (f"v2/{place}/locations/europe-west1/functions/downwind-on-push", {"labels": {}}),
    }[api]
    site.google.state.polls = 10**6
    method = "PATCH" if api == "cloudfunctions" else "POST"
    request = Request(api=api, method=method, path=path, query={"repositoryId": "another"}, body=body)
    cloud = site.cloud()
    with pytest.raises(TransientError) as caught:
        cloud.send(request)
    limit = OPERATIONS.get(api, OPERATION)
    assert f"{path}: operation " in str(caught.value)
    assert f"is not over after {limit:.0f} s" in str(caught.value)
    assert "run the same command again" in str(caught.value)
    assert limit < cloud.waited < limit + 10


def test_a_cluster_may_take_longer_than_half_an_hour() -> None:
    assert Clusters.patience > 1800
