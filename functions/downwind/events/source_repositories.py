"""Notifications of Cloud Source Repositories: SourceRepoEvent as JSON, several refs in one message, no attributes.

Source of the shape: `source_repo_event.proto` and "Notifications for Cloud Source Repositories". proto3 JSON leaves out
empty strings, so a CREATE has no oldId and a DELETE no newId.
"""

import re
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused
from downwind.events import fields
from downwind.events.limits import PUBSUB_LIMIT, load_json
from downwind.model.event import Event, Ignored, Message, Push

_REPOSITORY = re.compile(r"projects/[^/]+/repos/[^/]+(?:/[^/]+)*")


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    """One `Push` for each branch and tag in the message; other refs (`refs/changes/…`) are left out.

    Ignored when no branch or tag is left, or the repository itself was created or deleted.
    """
    body = fields.obj(load_json(message.data, limit=PUBSUB_LIMIT), "the message")
    name = fields.text(body.get("name"), "name")
    if name is None or not _REPOSITORY.fullmatch(name):
        raise Refused(
            "name is not projects/PROJECT/repos/REPOSITORY",
            field="name",
            fix="a webhook's body goes to `receive`, which marks it with its attributes",
        )
    if "refUpdateEvent" not in body:
        return _other(body)
    updates = fields.obj(fields.obj(body["refUpdateEvent"], "refUpdateEvent").get("refUpdates"), "refUpdates")
    url = fields.text(body.get("url"), "url", limit=2048)
    refs = {key: _ref(key, update) for key, update in updates.items()}
    pushes = tuple(
        _push(name, (url,) if url else (), ref, fields.obj(updates[key], "refUpdates"))
        for key, ref in refs.items()
        if fields.is_branch_or_tag(ref)
    )
    return pushes or Ignored(reason=f"none of the {len(refs)} refs of this push is a branch or a tag")


def _other(body: Mapping[str, Any]) -> Ignored:
    if "createRepoEvent" in body:
        return Ignored(reason="a repository was created; its first push will say what is in it")
    if "deleteRepoEvent" in body:
        return Ignored(reason="a repository was deleted; nothing is undeployed")
    raise Refused("none of refUpdateEvent, createRepoEvent and deleteRepoEvent is there", field="refUpdateEvent")


def _ref(key: str, update: Any) -> str:
    ref = fields.ref_name(key, "refUpdates")
    said = fields.text(fields.obj(update, "refUpdates").get("refName"), "refName")
    if said not in {None, ref}:
        raise Refused("refName differs from the key that it stands under", field="refName")
    return ref


def _push(repository: str, also: tuple[str, ...], ref: str, update: Mapping[str, Any]) -> Push:
    kind = fields.word(update.get("updateType"), "updateType")
    before = None if kind == "CREATE" else fields.object_id(update.get("oldId"), "oldId")
    after = None if kind == "DELETE" else fields.object_id(update.get("newId"), "newId")
    if after is None and before is None:
        raise Refused("neither oldId nor newId is there", field="newId")
    if after is None and kind not in {"DELETE", None}:
        raise Refused("newId is missing", field="newId")
    return Push(
        repository=repository,
        also=also,
        ref=ref,
        before=before,
        after=after,
        forced=kind == "UPDATE_NON_FAST_FORWARD",
    )
