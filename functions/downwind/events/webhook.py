"""Webhooks: who sent one, the proof of it, and what `receive` publishes for it.

The order never changes: the proof, then the size, then the parser. Headers are taken in any case.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from downwind.errors import Refused, Unauthorized
from downwind.events import fields
from downwind.events.execution import EXECUTION_ID
from downwind.events.limits import WEBHOOK_LIMIT, check_size, load_json
from downwind.model.event import Ignored

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_EXECUTION = "x-spinnaker-execution-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSecrets:
    """What proves each sender; two at a time while one is being replaced. None: nobody can prove to be that sender."""

    github: Sequence[bytes] = field(default=(), repr=False)
    spinnaker: Sequence[bytes] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to publish. `topic` is its bare name."""

    topic: str
    data: bytes
    attributes: Mapping[str, str]


def receive(headers: Mapping[str, str], raw: bytes, secrets: ReceiveSecrets) -> Outgoing | Ignored:
    """What to publish for a webhook. Unauthorized: unknown or unproved sender. Refused: proved, but not usable."""
    lower = _lower(headers)
    if _is_github(lower):
        verify_github(lower, raw, secrets.github)
        return _github(lower, raw)
    decided = by_headers(lower, secrets)
    return decided if decided is not None else _execution(_execution_in(raw))


def unproved(headers: Mapping[str, str], raw: bytes) -> Outgoing | Ignored:
    """What `receive` would publish if the proof held. Only for looking at a webhook offline."""
    lower = _lower(headers)
    if _is_github(lower):
        return _github(lower, raw)
    return _execution(lower[_EXECUTION] if _EXECUTION in lower else _execution_in(raw))


def by_headers(headers: Mapping[str, str], secrets: ReceiveSecrets) -> Outgoing | Ignored | None:
    """What to publish where the headers alone decide, so that a body of megabytes need not be read: Echo's events.

    None: read the body and call `receive`. Unauthorized when the sender is neither GitHub nor a proved Echo.
    """
    lower = _lower(headers)
    if _is_github(lower):
        return None
    verify_bearer(lower, secrets.spinnaker)
    return _execution(lower[_EXECUTION]) if _EXECUTION in lower else None


def verify_github(headers: Mapping[str, str], raw: bytes, secrets: Sequence[bytes]) -> None:
    """X-Hub-Signature-256 is the HMAC-SHA-256 of the raw bytes under one of the secrets; else Unauthorized."""
    match = _SIGNATURE.fullmatch(_lower(headers).get("x-hub-signature-256", ""))
    if match is None:
        raise Unauthorized("X-Hub-Signature-256 is missing or not sha256= and 64 hex digits")
    _check(
        match[1].encode(), (hmac.new(s, raw, hashlib.sha256).hexdigest().encode() for s in secrets if s), "signature"
    )


def verify_bearer(headers: Mapping[str, str], secrets: Sequence[bytes]) -> None:
    """Authorization is `Bearer` and one of the secrets; else Unauthorized."""
    scheme, _, given = _lower(headers).get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Unauthorized("no sender that is known here, or no bearer token")
    _check(given.encode("utf-8", "surrogatepass"), (secret for secret in secrets if secret), "bearer token")


def _check(given: bytes, valid: Iterable[bytes], what: str) -> None:
    """All are compared, whichever fits, each in constant time."""
    fitting = [expected for expected in valid if hmac.compare_digest(given, expected)]
    if not fitting:
        raise Unauthorized(f"the {what} is not valid")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _is_github(lower: Mapping[str, str]) -> bool:
    return "x-github-event" in lower or "x-hub-signature-256" in lower


def _github(lower: Mapping[str, str], raw: bytes) -> Outgoing:
    """The raw body on `repo-pushes`. Every event goes on: only the parser there says which ones ask nothing of us."""
    check_size(len(raw), WEBHOOK_LIMIT)
    kind = lower.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        fix = "choose content type application/json in the webhook's settings"
        raise Refused("the webhook's content type is not application/json", field="Content-Type", fix=fix)
    event, delivery = (fields.word(lower.get(name), name) for name in ("x-github-event", "x-github-delivery"))
    if event is None or delivery is None:
        raise Refused("X-GitHub-Event or X-GitHub-Delivery is missing", field="X-GitHub-Event")
    fields.obj(load_json(raw, limit=WEBHOOK_LIMIT), "the body")
    return Outgoing(
        topic="repo-pushes", data=raw, attributes={"source": "github", "event": event, "delivery": delivery}
    )


def _execution(execution: str | None) -> Outgoing | Ignored:
    if execution is None:
        return Ignored(reason="an event of Echo that names no execution")
    if not EXECUTION_ID.fullmatch(execution):
        raise Refused("the id of the execution is not one of Spinnaker's", field="X-SPINNAKER-EXECUTION-ID")
    return Outgoing(topic="executions", data=b"", attributes={"source": "spinnaker", "execution": execution})


def _execution_in(raw: bytes) -> str | None:
    """`content.executionId`, or `content.execution.id`, of an event of Echo: `{details, content, eventId}`, plain or wrapped
    (`{eventName, <fieldName>: event}`, the field being `payload` unless Echo is told another), its parts as text where Echo
    flattens them (echo-rest: RestEventListener)."""
    body = fields.obj(load_json(raw, limit=WEBHOOK_LIMIT), "the body")
    if "details" not in body:
        inside = [each for each in body.values() if isinstance(each, dict) and "details" in each]
        body = inside[0] if len(inside) == 1 else body
    if fields.text(fields.obj(_unflattened(body.get("details")), "details").get("type"), "details.type") is None:
        raise Refused("X-GitHub-Event is missing, and the body is no event of Spinnaker's Echo", field="details.type")
    content = fields.obj(_unflattened(body.get("content")), "content")
    inner = fields.obj(content.get("execution"), "content.execution")
    return fields.text(content.get("executionId") or inner.get("id"), "content.executionId")


def _unflattened(value: Any) -> Any:
    return load_json(value.encode("utf-8", "surrogatepass"), limit=WEBHOOK_LIMIT) if isinstance(value, str) else value
