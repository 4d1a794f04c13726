"""What comes out on a topic, on a subscription that exists for proofs alone and forgets after ten minutes (decision 0077)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from downwind.perform.world import World

DELIVERIES, EXECUTIONS = "verify", "verify-executions"
TYPES = ("dev.downwind.release.completed.v1", "dev.downwind.rollout.started.v1", "dev.downwind.rollout.ended.v1")
_AT_ONCE = 100
_ROUNDS = 20


@dataclass
class Heard:
    """`word` says what a message means to this proof; None: it is another's, stays, and comes again ten seconds later."""

    world: World
    subscription: str
    word: Callable[[Mapping[str, str], bytes], str | None]
    words: set[str] = field(default_factory=set)

    def look(self) -> None:
        for _ in range(_ROUNDS):
            pulled = self.world.publisher.pull(self.subscription, _AT_ONCE)
            mine = [(ack_id, word) for ack_id, attributes, data in pulled if (word := self.word(attributes, data))]
            self.words.update(word for _, word in mine)
            self.world.publisher.acknowledge(self.subscription, [ack_id for ack_id, _ in mine])
            if len(pulled) < _AT_ONCE:
                return


def cloud_events(world: World, application: str, commit: str) -> Heard:
    """The types of one commit's CloudEvents."""

    def word(attributes: Mapping[str, str], data: bytes) -> str | None:
        try:
            body = json.loads(data)
        except ValueError:
            return None
        mine = isinstance(body, dict) and (body.get("application"), body.get("commit")) == (application, commit)
        return attributes.get("ce-type") if mine else None

    return Heard(world, DELIVERIES, word)


def execution_events(world: World, execution: str) -> Heard:
    """That Echo told of one execution."""
    return Heard(
        world,
        EXECUTIONS,
        lambda attributes, _data: attributes["execution"] if attributes.get("execution") == execution else None,
    )
