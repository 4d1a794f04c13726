"""Topic `repo-pushes`: what `receive` published has attribute `source`, Cloud Source Repositories has none."""

from downwind.errors import Refused
from downwind.events import github, source_repositories
from downwind.model.event import Event, Ignored, Message


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    source = message.attributes.get("source")
    if source is None:
        return source_repositories.parse(message)
    if source == "github":
        return github.parse(message)
    raise Refused("attribute source names no sender that is known here", field="source", fix="known: github")
