"""Orders of other systems on topic `rollout-requests`: `deploy` and `promote`.

Schema: schemas/rollout-request.schema.json. The body is the request itself, or a structured CloudEvent around it; a
binary CloudEvent has its `ce-*` attributes on the message. The request's id makes a repeat harmless: the body's own,
else the CloudEvent's source and id, else the messageId.
"""

import base64
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, cast

from downwind.errors import Refused
from downwind.events import fields, reference
from downwind.events.limits import PUBSUB_LIMIT, load_json
from downwind.model.event import Event, Ignored, Message, Request

FIELDS = ("id", "verb", "application", "environment", "commit", "build", "images", "who", "why")
OPERATORS = frozenset({"rollback", "hold", "resume", "cancel", "retry", "approve", "reject"})
ID_LIMIT, WHO_LIMIT, WHY_LIMIT, IMAGES_LIMIT = 256, 256, 2000, 100
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    """One `Request`. Refused, with the field and what to write instead, for anything that the schema does not have."""
    body = load_json(message.data, limit=PUBSUB_LIMIT)
    if not isinstance(body, dict):
        raise Refused("the request is no JSON object")
    attributes: Mapping[str, Any] = message.attributes
    event = (attributes.get("ce-source"), attributes.get("ce-id"))
    if "specversion" in body:
        event = (body.get("source"), body.get("id"))
        body = _event_data(body)
    return (_request(body, _event_id(*event) or message.id),)


def _event_data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data")
    if "data_base64" in event:
        try:
            data = load_json(base64.b64decode(event["data_base64"], validate=True), limit=PUBSUB_LIMIT)
        except (TypeError, ValueError):
            raise Refused("data_base64 is not base64", field="data_base64") from None
    if not isinstance(data, dict):
        raise Refused("the CloudEvent's data is no JSON object", field="data", fix="put the request into data")
    return data


def _event_id(source: Any, event: Any) -> str | None:
    """A CloudEvent's id is unique only together with its source."""
    found = fields.text(event, "ce-id", limit=ID_LIMIT)
    where = fields.text(source, "ce-source")
    return f"{where} {found}" if found and where else found


def _request(body: Mapping[str, Any], otherwise: str) -> Request:
    for each in body:
        if each not in FIELDS:
            near = get_close_matches(each[:40], FIELDS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known fields: {', '.join(FIELDS)}"
            raise Refused(f"unknown field {fields.shown(each)}", field=fields.shown(each), fix=fix)
    verb = _verb(body.get("verb"))
    commit = fields.text(body.get("commit"), "commit")
    if commit is not None and not fields.COMMIT.fullmatch(commit):
        raise Refused(
            "commit is not 40 lower case hex digits", field="commit", fix="write the full id: git rev-parse REF"
        )
    if verb == "deploy" and commit is None:
        raise Refused("commit is missing", field="commit", fix="deploy needs the commit to deploy")
    for field in ("build", "images"):
        if verb == "promote" and body.get(field):
            raise Refused(f"promote takes no {field}", field=field, fix="leave it out: what upstream runs is promoted")
    return Request(
        id=fields.text(body.get("id"), "id", limit=ID_LIMIT) or otherwise,
        verb=verb,
        application=name(body.get("application"), "application"),
        environment=name(body.get("environment"), "environment"),
        commit=commit,
        build=fields.word(body.get("build"), "build"),
        images=images(body.get("images")),
        who=fields.text(body.get("who"), "who", limit=WHO_LIMIT),
        why=why(body.get("why")),
    )


def _verb(value: Any) -> Literal["deploy", "promote"]:
    verb = fields.required(value, "verb")
    if verb in OPERATORS:
        raise Refused(
            f"{verb} is an operator's verb", field="verb", fix="send it to `operate` over HTTPS; here: deploy, promote"
        )
    if verb not in {"deploy", "promote"}:
        raise Refused("verb is neither deploy nor promote", field="verb", fix="write deploy or promote")
    return cast("Literal['deploy', 'promote']", verb)


def name(value: Any, field: str) -> str:
    found = fields.required(value, field)
    if not fields.NAME.fullmatch(found):
        fix = "lower case letters, digits and -, first and last not -, at most 63"
        raise Refused(f"{field} is not a name", field=field, fix=fix)
    return found


def images(value: Any) -> dict[str, str]:
    found = fields.obj(value, "images")
    if len(found) > IMAGES_LIMIT:
        raise Refused(f"images holds more than {IMAGES_LIMIT} entries", field="images")
    for each, digest in found.items():
        image = reference.split(each, "images")
        if image.tag or image.digest:
            raise Refused("a name in images has a tag or digest", field="images", fix="write NAME: sha256:…")
        if not isinstance(digest, str) or not fields.DIGEST.fullmatch(digest):
            raise Refused(
                "a value in images is no digest", field="images", fix="write sha256: and 64 hex digits, no tag"
            )
    return dict(found)


def why(value: Any) -> str | None:
    """Free text: lines and tabs are welcome, other control characters are not."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or _NOT_TEXT.search(value):
        raise Refused("why is not text", field="why")
    if len(value) > WHY_LIMIT:
        raise Refused(f"why has more than {WHY_LIMIT} characters", field="why", fix="say it shorter, or link to it")
    return value
