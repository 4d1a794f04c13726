"""Snapshots as resources, and seeks that cannot be."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import field_mask_pb2, timestamp_pb2


def snapshot(world: Any, name: str = "snap-one") -> str:
    return f"projects/{world.project}/snapshots/{name}"


def make(world: Any, name: str = "snap-one") -> Any:
    request = {"name": snapshot(world, name), "subscription": world.subscription(), "labels": {"why": "deploy"}}
    return world.subscriber.create_snapshot(request=request)


def test_a_snapshot_is_created_once_found_listed_and_deleted(world: Any) -> None:
    topic = world.create_topic()
    world.subscribe()
    made = make(world)
    assert made.topic == topic
    with pytest.raises(exceptions.AlreadyExists):
        make(world)
    assert world.subscriber.get_snapshot(snapshot=made.name).topic == topic
    assert [found.name for found in world.subscriber.list_snapshots(project=f"projects/{world.project}")] == [made.name]
    world.subscriber.delete_snapshot(snapshot=made.name)
    assert not list(world.subscriber.list_snapshots(project=f"projects/{world.project}"))
    with pytest.raises(exceptions.NotFound):
        world.subscriber.delete_snapshot(snapshot=made.name)


def test_the_snapshots_of_a_topic_are_listed_and_labelled(own_world: Any) -> None:
    own_world.create_topic()
    own_world.create_topic("topic-two")
    own_world.subscribe()
    name = make(own_world).name
    assert dict(own_world.subscriber.get_snapshot(snapshot=name).labels) == {"why": "deploy"}
    changed = {"name": name, "labels": {"why": "test"}}
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    own_world.subscriber.update_snapshot(request={"snapshot": changed, "update_mask": mask})
    assert dict(own_world.subscriber.get_snapshot(snapshot=name).labels) == {"why": "test"}
    listed = own_world.publisher.list_topic_snapshots(request={"topic": own_world.topic()})
    assert list(listed) == [name]
    assert list(own_world.publisher.list_topic_snapshots(request={"topic": own_world.topic("topic-two")})) == []


def test_a_seek_forward_acknowledges_what_is_there(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(b"old")
    later = timestamp_pb2.Timestamp(seconds=4_000_000_000)
    world.subscriber.seek(request={"subscription": world.subscription(), "time": later})
    assert world.nothing()


def test_a_seek_back_gives_nothing_that_was_not_kept(own_world: Any) -> None:
    own_world.create_topic()
    own_world.subscribe()
    own_world.publish(b"gone")
    own_world.ack(*own_world.pull())
    past = timestamp_pb2.Timestamp(seconds=1)
    own_world.subscriber.seek(request={"subscription": own_world.subscription(), "time": past})
    assert own_world.nothing()


def test_a_seek_needs_a_target_that_is_there_and_of_its_topic(own_world: Any) -> None:
    own_world.create_topic()
    own_world.create_topic("topic-two")
    own_world.subscribe()
    other = own_world.subscribe("sub-two", topic="topic-two")
    name = make(own_world).name
    with pytest.raises(exceptions.InvalidArgument):
        own_world.subscriber.seek(request={"subscription": own_world.subscription()})
    with pytest.raises(exceptions.NotFound):
        own_world.subscriber.seek(
            request={"subscription": own_world.subscription(), "snapshot": snapshot(own_world, "absent")}
        )
    with pytest.raises(exceptions.InvalidArgument):
        own_world.subscriber.seek(request={"subscription": other, "snapshot": name})
