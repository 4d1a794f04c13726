"""GitHub webhooks, as `receive` publishes them: the raw body, and attributes `event` and `delivery`.

Source of the shape: "Webhook events and payloads" of GitHub. One ref a delivery; an id of zeros marks its creation or
deletion.
"""

from typing import Any

from downwind.errors import Refused
from downwind.events import fields
from downwind.events.limits import PUBSUB_LIMIT, load_json
from downwind.model.event import Event, Ignored, Message, Push

_IGNORED = {
    "ping": "GitHub says hello: the webhook is set up",
    "create": "a branch or tag was created; the push event of it counts",
    "delete": "a branch or tag was deleted; the push event of it counts",
}


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    """One `Push` for event `push` on a branch or tag; every other event is ignored with its reason."""
    event = fields.word(message.attributes.get("event"), "event")
    if event is None:
        raise Refused("attribute event is missing", field="event", fix="set it to the header X-GitHub-Event")
    if event != "push":
        return Ignored(reason=_IGNORED.get(event, f"GitHub's event {fields.shown(event)} asks nothing of us"))
    body = fields.obj(load_json(message.data, limit=PUBSUB_LIMIT), "the message")
    ref = fields.ref_name(body.get("ref"), "ref")
    if not fields.is_branch_or_tag(ref):
        return Ignored(reason="the ref of this push is neither a branch nor a tag")
    before, after = (fields.object_id(fields.required(body.get(key), key), key) for key in ("before", "after"))
    if before is None and after is None:
        raise Refused("before and after are both zeros", field="after")
    for key, said in (("created", before is None), ("deleted", after is None)):
        if fields.flag(body.get(key), key) and not said:
            raise Refused(f"{key} contradicts before and after", field=key)
    repository, *also = _names(body.get("repository"))
    forced = fields.flag(body.get("forced"), "forced")
    return (Push(repository=repository, also=tuple(also), ref=ref, before=before, after=after, forced=forced),)


def _names(value: Any) -> list[str]:
    """The clone URL first, then the other names of the same repository."""
    repository = fields.obj(value, "repository")
    found = [
        fields.text(repository.get(key), f"repository.{key}", limit=2048)
        for key in ("clone_url", "full_name", "ssh_url")
    ]
    names = [name for name in found if name]
    if not names:
        raise Refused("repository has neither clone_url nor full_name", field="repository")
    return names
