"""What `receive` publishes on `executions` for each event of Spinnaker's Echo: the execution's id, and nothing else.

The data is empty; attributes are `source` = `spinnaker` and `execution` = an id as Orca makes them (a ULID; a UUID for
old runs).
"""

import re

from downwind.errors import Refused
from downwind.model.event import Event, Execution, Ignored, Message

EXECUTION_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", re.ASCII)


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    if message.attributes.get("source") != "spinnaker":
        raise Refused("attribute source is not spinnaker", field="source", fix="let `receive` publish on this topic")
    execution = message.attributes.get("execution", "")
    if not EXECUTION_ID.fullmatch(execution):
        raise Refused("attribute execution is not the id of an execution", field="execution")
    return (Execution(execution=execution),)
