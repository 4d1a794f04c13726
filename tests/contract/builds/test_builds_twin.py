"""What tests may order of the in-memory Cloud Build, beyond the port."""

import pytest

from downwind.adapters.memory_builds import MemoryBuilds
from downwind.errors import UnknownOutcome

NAME = "projects/demo/locations/us-central1/triggers/shop"


def test_a_run_whose_answer_is_lost_has_taken_effect() -> None:
    builds = MemoryBuilds()
    trigger = builds.add_trigger(NAME)
    builds.lose_answers()
    with pytest.raises(UnknownOutcome):
        builds.run(trigger, "1" * 40)
    assert builds.runs == [(trigger.id, "1" * 40)]
    assert len(builds.find(trigger, "1" * 40)) == 1
    builds.run(trigger, "1" * 40)


def test_a_build_of_a_push_names_its_ref_and_ends_when_it_is_told_to() -> None:
    builds = MemoryBuilds()
    trigger = builds.add_trigger(NAME, trigger_id="t1")
    build = builds.start(trigger, "1" * 40, "refs/tags/v1")
    body = builds.set(build, "SUCCESS", {"gcr.io/p/shop:1": "sha256:aa"})
    assert body == builds.get("demo", "us-central1", build)
    assert (body["status"], body["substitutions"]["TAG_NAME"]) == ("SUCCESS", "v1")
    assert body["results"] == {"images": [{"name": "gcr.io/p/shop:1", "digest": "sha256:aa"}]}
    assert (
        builds.set(builds.start(trigger, "2" * 40, "refs/heads/main"), "FAILURE")["substitutions"]["REF_NAME"] == "main"
    )
