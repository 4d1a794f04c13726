"""An event as plain JSON, for people and scripts: `downwind events read` and `downwind why` show it."""

from dataclasses import asdict
from typing import Any

from downwind.model.event import Event


def to_json(event: Event) -> dict[str, Any]:
    """All fields of the event's kind, absent ones as null; images always as a list of {name, digest, tag}.

    A push has `commit` (what the ref holds now) and `deleted` besides.
    """
    found = {"kind": event.kind, **asdict(event)}
    if event.kind == "push":
        found |= {"also": list(event.also), "commit": event.after, "deleted": event.deleted}
    elif event.kind == "build":
        found["images"] = [asdict(image) for image in event.images]
    elif event.kind == "image":
        del found["image"]
        found["images"] = [asdict(event.image)]
    elif event.kind == "request":
        found["images"] = [{"name": name, "digest": digest, "tag": None} for name, digest in event.images.items()]
    return found
