"""One HTTP request whose refusal is the hoped-for answer: no retries, no redirects, and a status is an answer whatever it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from downwind.errors import TransientError

SECONDS = 20
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`text`: the beginning of the body, for a person."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
    """Raises TransientError where nobody answers, or the answer is none of the door's (429, 5xx)."""
    import requests
    from urllib3.exceptions import HTTPError

    try:
        with requests.request(
            method, url, headers=dict(headers or {}), data=body, timeout=SECONDS, allow_redirects=False, stream=True
        ) as answer:
            text = answer.raw.read(_SHOWN, decode_content=True).decode(errors="replace")
    except (
        OSError,
        HTTPError,
    ) as error:  # requests' errors are OSErrors; of a body that breaks off urllib3 tells, whose are not
        raise TransientError(f"{url} does not answer from here: {type(error).__name__}") from error
    if answer.status_code == 429 or answer.status_code >= 500:
        raise TransientError(f"{url} answered {answer.status_code}, which says nothing about its lock")
    return Answer(status=answer.status_code, text=text, headers=answer.headers)
