"""Which parser reads which source, for those who go by name."""

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
