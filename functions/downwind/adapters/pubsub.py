"""Pub/Sub over its REST API v1, with the credentials and the connections that google-cloud-storage has brought already: Google's
client would cost each instance 9 MiB and its messages the same JSON. Publishes at once, one message a call.

Source of the shapes: the reference of `projects.topics.publish`, `projects.subscriptions.pull` and `.acknowledge`.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome

GOOGLES_TOPICS = frozenset({"cloud-builds", "gcr"})
"""Cloud Build and Artifact Registry publish to these very names: they never get the prefix."""
_SCOPE = "https://www.googleapis.com/auth/pubsub"
_CONNECTIONS = 16


class PubsubPublisher:
    """Implements `ports.Publisher` for one project. Topics and subscriptions are bare names, `prefix` goes before them
    (but Google's two topics). Needs `pubsub.topics.publish`, and `pubsub.subscriptions.consume` where it pulls.

    `endpoint`: None is PUBSUB_EMULATOR_HOST where it is set (Google's emulator answers REST there), else Google.
    `timeout`: seconds for one call, its repetitions included.
    """

    def __init__(self, project: str, prefix: str = "", timeout: float = 20, endpoint: str | None = None) -> None:
        import requests
        from google.api_core import exceptions, retry
        from google.auth.exceptions import GoogleAuthError
        from requests.adapters import HTTPAdapter

        emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
        local = endpoint or (f"http://{emulator}" if emulator else None)
        self._url = f"{local or 'https://pubsub.googleapis.com'}/v1/projects/{project}"
        self._prefix = prefix
        self._session: Any = requests.Session() if local else _authorized()
        self._session.mount(self._url, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        self._auth_error = GoogleAuthError
        self._errors: Any = exceptions
        passing = (
            exceptions.GatewayTimeout,
            exceptions.InternalServerError,
            exceptions.BadGateway,
            exceptions.TooManyRequests,
            exceptions.ServiceUnavailable,
            requests.ConnectionError,
            requests.Timeout,
        )
        # The last attempt may begin when half of the time is gone.
        self._attempt = (timeout * 0.15, timeout * 0.35)
        self._retry: Any = retry.Retry(
            retry.if_exception_type(*passing), initial=0.1, maximum=min(5, timeout / 8), timeout=timeout / 2
        )

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        name = topic if topic in GOOGLES_TOPICS else f"{self._prefix}{topic}"
        message = {"data": b64encode(data).decode(), "attributes": dict(attributes)}
        answer = self._post(f"topics/{name}:publish", {"messages": [message]}, f"publish to {name}", UnknownOutcome)
        ids = answer.get("messageIds")
        if not ids:
            raise UnknownOutcome(f"Pub/Sub: publish to {name}: the answer names no message")
        return str(ids[0])

    def pull(self, subscription: str, limit: int) -> Sequence[tuple[str, Mapping[str, str], bytes]]:
        """`returnImmediately` is what "at once" needs; it may miss messages, which the next tick finds."""
        body = {"maxMessages": limit, "returnImmediately": True}
        path = f"subscriptions/{self._prefix}{subscription}:pull"
        answer = self._post(path, body, f"pull from {subscription}", TransientError)
        return [
            (each["ackId"], message.get("attributes", {}), b64decode(message.get("data", "")))
            for each in answer.get("receivedMessages", [])
            for message in [each["message"]]
        ]

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        """Nothing to acknowledge is no call."""
        if ack_ids:
            path = f"subscriptions/{self._prefix}{subscription}:acknowledge"
            self._post(path, {"ackIds": list(ack_ids)}, f"acknowledge on {subscription}", TransientError)

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _post(self, path: str, body: Mapping[str, Any], what: str, passing: type[TransientError]) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            answer = self._session.post(f"{self._url}/{path}", json=body, timeout=self._attempt, allow_redirects=False)
            if answer.status_code != 200:
                raise self._errors.from_http_response(answer)
            found = answer.json()
            return found if isinstance(found, dict) else {}

        try:
            return self._retry(once)()  # type: ignore[no-any-return]  # google.api_core's retry has no type hints
        except self._auth_error as error:
            if error.retryable:
                raise TransientError(f"Pub/Sub: {what}: the token service did not answer") from error
            raise _no_credentials() from error
        except (self._errors.GoogleAPIError, OSError, ValueError) as error:
            # requests' errors are OSErrors, an answer that is no JSON among them.
            raise self._ours(error, f"Pub/Sub: {what}: {type(error).__name__}", passing) from error

    def _ours(self, error: Exception, text: str, passing: type[TransientError]) -> Exception:
        """A right or a topic that is missing is for people; for other 4xx but time-out and quota no repetition helps.
        Everything else may pass; the text stays the vendor's code."""
        cause = error.cause if isinstance(error, self._errors.RetryError) else error
        code = getattr(cause, "code", None)
        if code in {401, 403, 404}:
            return Misconfigured(text, fix="check that it exists and what this service's identity may do with it")
        if code is not None and 400 <= code < 500 and code not in {408, 409, 429, 499}:
            return Refused(f"{text}: {getattr(error, 'message', '')}"[:500])
        return TransientError(text) if code == 429 else passing(text)


def _authorized() -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise _no_credentials() from error
    return AuthorizedSession(credentials)


def _no_credentials() -> Misconfigured:
    fix = "run gcloud auth application-default login, or set PUBSUB_EMULATOR_HOST for the local world"
    return Misconfigured("Pub/Sub: no Google credentials here", fix=fix)
