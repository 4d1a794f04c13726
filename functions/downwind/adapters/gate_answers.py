"""What an answer of Gate means: the one place that decides between done, refused for good, and unknown (look first).

Facts: Gate has three shapes of error body (its own, RFC 7807, the servlet container's); it passes the status of Orca and
Front50 on; it redirects to a login page where credentials are missing; a read that failed behind it is an empty 200.

| answer | of a call with an effect | of a read |
| --- | --- | --- |
| 2xx, as JSON where a body is needed | done | the body |
| 4xx in one of Gate's shapes | Refused: for good | Refused |
| 401, 403, a redirect, a web page, a 404 of no such route | Misconfigured: nothing happened, people must act | the same |
| 429, 503 | TransientError: it asked for patience; whoever tries again looks first | TransientError |
| 408, other 5xx, 2xx without what was promised, no or half an answer | UnknownOutcome: look first | TransientError |
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome

_MESSAGE_LIMIT = 500
_BODY_LIMIT = 64 * 1024 * 1024
_NO_ROUTE = "No static resource"
CREDENTIALS = (
    "give the functions credentials that Gate accepts: DOWNWIND_GATE_SIGN_IN and DOWNWIND_GATE_SECRET "
    "(X-Spinnaker-Token or Authorization)"
)
ADDRESS = "correct DOWNWIND_GATE_URL: Gate's own address, with its base path where it has one"


@dataclass(frozen=True, slots=True)
class Answer:
    """`html`: it says that it is a web page."""

    status: int
    html: bool
    data: bytes

    def json(self) -> Any:
        """None where the body is no JSON."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            return None

    @property
    def message(self) -> str:
        """Gate's own word, from any of its three error bodies."""
        body = self.json()
        keys = ("message", "detail", "error")
        found = next((body[key] for key in keys if body.get(key)), "") if isinstance(body, Mapping) else ""
        return str(found or f"HTTP status {self.status}")[:_MESSAGE_LIMIT]

    @property
    def closed(self) -> bool:
        """It did not let us in."""
        return 300 <= self.status < 400 or self.status in {401, 403}


def check_change(answer: Answer) -> None:
    """Returns for a call that was done; else raises as the table says."""
    if answer.status in {429, 503}:
        raise TransientError(f"Gate: {answer.message}")
    if answer.status >= 500 or answer.status == 408:
        raise UnknownOutcome(f"Gate: {answer.message}")
    _refuse_unless_good(answer)


def read_body(answer: Answer, missing: str | None = None) -> Any:
    """The JSON of a read; None for the 404 whose text has `missing` in it."""
    if answer.status == 404 and missing is not None and missing in answer.message:
        return None
    if answer.status >= 500 or answer.status in {408, 429}:
        raise TransientError(f"Gate: {answer.message}")
    _refuse_unless_good(answer)
    if not answer.data.strip():
        raise TransientError("Gate answered nothing: Orca failed behind it")
    body = answer.json()
    if body is None:
        raise TransientError("Gate answered something that is no JSON")
    return body


def bounded(chunks: Iterable[bytes]) -> bytes:
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > _BODY_LIMIT:
            raise UnknownOutcome(f"Gate's answer is larger than {_BODY_LIMIT // 1024 // 1024} MiB")
    return bytes(found)


def _refuse_unless_good(answer: Answer) -> None:
    if 300 <= answer.status < 400:
        raise Misconfigured("Gate redirected to a login page; it did not accept our credentials", fix=CREDENTIALS)
    if answer.status in {401, 403}:
        raise Misconfigured(f"Gate did not accept our credentials: {answer.message}", fix=CREDENTIALS)
    if answer.html:
        raise Misconfigured(
            "Gate's address answered with a web page, not with JSON", fix=f"{CREDENTIALS}, or {ADDRESS}"
        )
    if answer.status == 404 and answer.message.startswith(_NO_ROUTE):
        raise Misconfigured(f"there is no Gate at this address: {answer.message}", fix=ADDRESS)
    if answer.status >= 400:
        raise Refused(f"Gate: {answer.message}")
