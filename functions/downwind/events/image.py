"""Registry notifications on topic `gcr`: `{action, digest?, tag?}`, digest and tag as full references.

Source of the shape: "Configuring Pub/Sub notifications" of Artifact Registry and of Container Registry, whose gcr.io
repositories Artifact Registry now serves under the same topic. There are no attributes, no event id and no time inside.
"""

from downwind.errors import Refused
from downwind.events import fields, reference
from downwind.events.limits import PUBSUB_LIMIT, load_json
from downwind.model.event import Event, Ignored, Image, ImageReference, Message


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    """One `Image`. INSERT and DELETE are what registries send; other actions are kept as text."""
    body = fields.obj(load_json(message.data, limit=PUBSUB_LIMIT), "the message")
    action = fields.word(body.get("action"), "action")
    if action is None:
        raise Refused("action is missing: this is no registry notification", field="action")
    return (Image(action=action, image=_image(body.get("digest"), body.get("tag"))),)


def _image(digest: object, tag: object) -> ImageReference:
    by_digest = reference.split(digest, "digest") if digest else None
    by_tag = reference.split(tag, "tag") if tag else None
    if by_digest and by_digest.digest is None:
        raise Refused("digest names no digest", field="digest")
    if by_tag and by_tag.tag is None:
        raise Refused("tag names no tag", field="tag")
    if by_digest and by_tag:
        if by_digest.name != by_tag.name:
            raise Refused("digest and tag name two different images", field="tag")
        return ImageReference(name=by_digest.name, digest=by_digest.digest, tag=by_tag.tag)
    found = by_digest or by_tag
    if found is None:
        raise Refused("neither digest nor tag is there", field="digest")
    return found
