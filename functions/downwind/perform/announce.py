"""CloudEvents on the topic `deliveries`, one for each fact that others want to hear of; the id is the fact's name."""

from collections.abc import Sequence

from downwind import logs
from downwind.errors import DownwindError
from downwind.ports import Publisher
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, NewFact
from downwind.reconcile.steps import Announce

SOURCE = "//downwind.dev"
TOPIC = "deliveries"


def publish(publisher: Publisher, event_type: str, fact: Fact) -> bool:
    """In CloudEvents' binary form for Pub/Sub (attributes `ce-…`). False when it could not be sent: the tick tries again."""
    # The package is a vendor's, and an event that announces nothing should not pay for its import.
    from cloudevents.conversion import to_binary
    from cloudevents.http import CloudEvent

    attributes = {
        "type": event_type,
        "source": SOURCE,
        "id": fact.name,
        "time": fact.created.isoformat(),
        "subject": _subject(fact),
        "datacontenttype": "application/json",
    }
    headers, body = to_binary(CloudEvent(attributes, {key: value for key, value in fact.body.items() if key != "v"}))
    try:
        publisher.publish(TOPIC, body if isinstance(body, bytes) else str(body).encode(), headers)
    except DownwindError as error:
        logs.warning(f"announcement of {fact.name} was not taken: {error}")
        return False
    return True


def publish_all(publisher: Publisher, steps: Sequence[Announce]) -> list[NewFact]:
    """What is to be written beside the facts that could be published."""
    return [
        NewFact(name=names.announced(step.fact.name), body={"kind": "announced", "type": step.type})
        for step in steps
        if publish(publisher, step.type, step.fact)
    ]


def _subject(fact: Fact) -> str:
    body = fact.body
    pieces = [body.get("application"), body.get("environment"), body.get("n") or body.get("commit")]
    return "/".join(str(piece) for piece in pieces if piece is not None) or fact.name
