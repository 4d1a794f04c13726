"""Which parser reads which source, and which topic brings it, for those who go by name."""

from collections.abc import Callable

from downwind.events import cloud_build, execution, image, repo_push, request
from downwind.model.event import Event, Ignored, Message

Parser = Callable[[Message], tuple[Event, ...] | Ignored]

PARSERS: dict[str, Parser] = {
    "push": repo_push.parse,
    "build": cloud_build.parse,
    "image": image.parse,
    "request": request.parse,
    "execution": execution.parse,
}

TOPICS = {
    "push": "repo-pushes",
    "build": "cloud-builds",
    "image": "gcr",
    "request": "rollout-requests",
    "execution": "executions",
}


def kind_of(topic: str) -> str | None:
    """The source that a topic brings; also by the name of a subscription, which ends with its topic's or its function's name.
    A prefix before it, or the rest of a resource name, does not matter."""
    name = topic.replace("_", "-")
    return next((kind for kind, known in TOPICS.items() if name.endswith((known, f"on-{kind}"))), None)
