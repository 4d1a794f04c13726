"""Topics and subscriptions: create, get, list, update, delete, as the Publisher and Subscriber services have them."""

from typing import Any

from downwind.local.pubsub import rules
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.wire import exists, invalid, message_class, not_found

DELETED_TOPIC = "_deleted-topic_"
_TOPIC_CHANGES = {"labels", "message_retention_duration"}
_SUBSCRIPTION_CHANGES = {
    "push_config",
    "ack_deadline_seconds",
    "retain_acked_messages",
    "message_retention_duration",
    "labels",
    "expiration_policy",
    "dead_letter_policy",
    "retry_policy",
}


class Resources:
    """Requests and answers are google.pubsub.v1 protobuf."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- topics ---------------------------------------------------------------------------------------------------

    def create_topic(self, request: Any) -> Any:
        rules.check_name(request.name, "topics")
        rules.complete_topic(request)
        with self._state.transaction():
            if request.name in self._state.topics:
                raise exists(request.name)
            return self._keep_topic(request)

    def get_topic(self, request: Any) -> Any:
        with self._state.lock:
            return self.topic(request.topic)

    def update_topic(self, request: Any) -> Any:
        with self._state.transaction():
            changed = merge(self.topic(request.topic.name), request.topic, request.update_mask, _TOPIC_CHANGES)
            rules.complete_topic(changed)
            return self._keep_topic(changed)

    def delete_topic(self, request: Any) -> Any:
        """Its subscriptions keep what they have, under the topic `_deleted-topic_`."""
        with self._state.transaction() as db:
            self.topic(request.topic)
            for live in self._state.subscriptions.values():
                if live.resource.topic == request.topic:
                    live.resource.topic = DELETED_TOPIC
                    self._keep_subscription(live)
            db.execute("DELETE FROM topic WHERE name = ?", (request.topic,))
            del self._state.topics[request.topic]
        return None

    def list_topics(self, request: Any) -> Any:
        with self._state.lock:
            names = [name for name in self._state.topics if name.startswith(f"{request.project}/")]
            shown, token = page(names, request)
            topics = [self._state.topics[name] for name in shown]
        return message_class("ListTopicsResponse")(topics=topics, next_page_token=token)

    def list_topic_subscriptions(self, request: Any) -> Any:
        with self._state.lock:
            self.topic(request.topic)
            lives = self._state.subscriptions.values()
            shown, token = page([live.name for live in lives if live.resource.topic == request.topic], request)
        return message_class("ListTopicSubscriptionsResponse")(subscriptions=shown, next_page_token=token)

    def topic(self, name: str) -> Any:
        rules.check_name(name, "topics")
        if name not in self._state.topics:
            raise not_found(name)
        return self._state.topics[name]

    # -- subscriptions --------------------------------------------------------------------------------------------

    def create_subscription(self, request: Any) -> Any:
        rules.check_name(request.name, "subscriptions")
        rules.complete_subscription(request)
        with self._state.transaction():
            if request.name in self._state.subscriptions:
                raise exists(request.name)
            self._check_topics(request)
            live = Live(request, self._state.microseconds(), self._state.lock)
            self._keep_subscription(live)
            self._state.subscriptions[live.name] = live
        return self._shown(live)

    def get_subscription(self, request: Any) -> Any:
        with self._state.lock:
            return self._shown(self.subscription(request.subscription))

    def update_subscription(self, request: Any) -> Any:
        with self._state.transaction():
            live = self.subscription(request.subscription.name)
            changed = merge(live.resource, request.subscription, request.update_mask, _SUBSCRIPTION_CHANGES)
            rules.complete_subscription(changed)
            if "dead_letter_policy" in request.update_mask.paths:
                self._check_dead_letter_topic(changed)
            live.resource = changed
            self._keep_subscription(live)
        return self._shown(live)

    def modify_push_config(self, request: Any) -> Any:
        """An empty config makes it a pull subscription."""
        rules.complete_push(request.push_config)
        with self._state.transaction():
            live = self.subscription(request.subscription)
            live.resource.push_config.CopyFrom(request.push_config)
            self._keep_subscription(live)
        return None

    def delete_subscription(self, request: Any) -> Any:
        with self._state.transaction() as db:
            live = self.subscription(request.subscription)
            db.execute("DELETE FROM delivery WHERE subscription = ?", (live.name,))
            db.execute("DELETE FROM subscription WHERE name = ?", (live.name,))
            live.deleted = True
            del self._state.subscriptions[live.name]
            self._state.changed(live)
        return None

    def list_subscriptions(self, request: Any) -> Any:
        with self._state.lock:
            names = [name for name in self._state.subscriptions if name.startswith(f"{request.project}/")]
            shown, token = page(names, request)
            resources = [self._shown(self._state.subscriptions[name]) for name in shown]
        return message_class("ListSubscriptionsResponse")(subscriptions=resources, next_page_token=token)

    def subscription(self, name: str) -> Live:
        rules.check_name(name, "subscriptions")
        if name not in self._state.subscriptions:
            raise not_found(name)
        return self._state.subscriptions[name]

    # -- inside ---------------------------------------------------------------------------------------------------

    def _keep_topic(self, topic: Any) -> Any:
        with self._state.transaction() as db:
            db.execute("REPLACE INTO topic (name, resource) VALUES (?, ?)", (topic.name, topic.SerializeToString()))
            self._state.topics[topic.name] = topic
        return topic

    def _keep_subscription(self, live: Live) -> None:
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO subscription (name, resource, created) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET resource = excluded.resource",
                (live.name, live.resource.SerializeToString(), live.created),
            )
            self._state.changed(live)

    def _shown(self, live: Live) -> Any:
        """A copy with `push_config`, which the service always gives, and the topic's retention where there is one."""
        shown = type(live.resource)()
        shown.CopyFrom(live.resource)
        shown.push_config.SetInParent()
        topic = self._state.topics.get(shown.topic)
        if topic is not None and topic.HasField("message_retention_duration"):
            shown.topic_message_retention_duration.CopyFrom(topic.message_retention_duration)
        return shown

    def _check_topics(self, resource: Any) -> None:
        self.topic(resource.topic)
        self._check_dead_letter_topic(resource)

    def _check_dead_letter_topic(self, resource: Any) -> None:
        if resource.HasField("dead_letter_policy"):
            self.topic(resource.dead_letter_policy.dead_letter_topic)


def merge(standing: Any, new: Any, mask: Any, changeable: set[str]) -> Any:
    """The resource after an update: exactly the masked fields come from `new`, absent ones fall back to their default."""
    if not mask.paths:
        raise invalid("The update_mask in the request must be set, and must contain a non-empty paths list.")
    if not mask.IsValidForDescriptor(standing.DESCRIPTOR):
        raise invalid(f"Invalid update_mask provided in the request: {', '.join(mask.paths)}")
    for path in mask.paths:
        if path.split(".")[0] not in changeable:
            raise invalid(f"Invalid update_mask provided in the request: {path} can't be changed.")
    merged = type(standing)()
    merged.CopyFrom(standing)
    mask.MergeMessage(new, merged, replace_message_field=True, replace_repeated_field=True)
    return merged


def page(names: list[str], request: Any) -> tuple[list[str], str]:
    """Names after the request's token, at most its page size (default 1,000), and the next token ("" at the end)."""
    names = sorted(name for name in names if name > request.page_token)
    size = request.page_size or 1000
    return names[:size], names[size - 1] if len(names) > size else ""
