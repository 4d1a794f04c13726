"""One call to Cloud Storage: the client it goes through, the time it may take, and what its failure means to us."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from downwind.errors import DownwindError, Misconfigured, Refused, TransientError

T = TypeVar("T")
# Four buckets with 16 workers each, and the callers' own threads: fewer and urllib3 throws connections away.
_CONNECTIONS = 96
_PATIENCE = frozenset({408, 429})


def gcs_client(project: str | None = None, credentials: Any = None) -> Any:
    """A google-cloud-storage client for all buckets of a process; obeys STORAGE_EMULATOR_HOST. Its maker closes it.
    `credentials`: None for the application default ones."""
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage import Client
    from requests.adapters import HTTPAdapter

    try:
        client = Client(project=project, credentials=credentials)
    except GoogleAuthError as error:
        raise Misconfigured(
            "there are no credentials for Cloud Storage", fix="run `gcloud auth application-default login`"
        ) from error
    for scheme in ("https://", "http://"):
        client._http.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=_CONNECTIONS))
    client._http.hooks["response"].append(_read_errors)
    return client


def _read_errors(response: Any, **_: Any) -> None:
    """The client streams downloads and leaves the answer to a failed one unread, and with it a connection open."""
    if not response.ok:
        response.content  # noqa: B018 - reading is what gives the connection back


class Budget:
    """The seconds that a round of calls may take, from now on; each call takes what the earlier ones have left."""

    def __init__(self, seconds: float) -> None:
        self._attempt = seconds / 2
        self._end = time.monotonic() + seconds

    def options(self) -> dict[str, Any]:
        """`timeout` and `retry` of one call, so that its last attempt ends within the budget."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        left = self._end - time.monotonic()
        if left < 0.05:
            raise TransientError("Cloud Storage: the time for this call is used up")
        attempt = min(self._attempt, left)
        retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=2).with_timeout(left - attempt)
        return {"timeout": (attempt * 0.3, attempt * 0.7), "retry": retry}


class NotDone(DownwindError):  # noqa: N818 - what is true of the call, as with those two
    """A status below 500 that asks for no patience: one of the two below, by what a person has to do about it."""

    status: int


class RefusedByStore(NotDone, Refused):
    """It is the request: no such object, a precondition, a name."""

    def __init__(self, bucket: str, status: int) -> None:
        super().__init__(f"Cloud Storage answered {status} for gs://{bucket}")
        self.status = status


class ClosedStore(NotDone, Misconfigured):
    """It is the installation: who we are, what we may do, or the bucket."""

    def __init__(self, bucket: str, status: int) -> None:
        fixes = {
            401: "check this service's identity and its token",
            403: f"check this service's rights on gs://{bucket}, and the bucket's retention policy",
            404: f"check that gs://{bucket} exists and that the settings name it rightly",
        }
        super().__init__(f"Cloud Storage answered {status} for gs://{bucket}", fix=fixes[status])
        self.status = status


def _not_done(bucket: str, status: int, message: str) -> NotDone:
    no_bucket = status == 404 and "bucket does not exist" in message
    return ClosedStore(bucket, status) if no_bucket or status in {401, 403} else RefusedByStore(bucket, status)


def ask(bucket: str, call: Callable[[], T]) -> T:
    """Makes the call; whatever the vendor raises becomes TransientError, Misconfigured or NotDone."""
    import urllib3.exceptions
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    try:
        return call()
    except GoogleAPICallError as error:
        status = error.code or 500
        if status in _PATIENCE or status >= 500:
            raise TransientError(f"Cloud Storage answered {int(status)} for gs://{bucket}") from error
        raise _not_done(bucket, int(status), str(error)) from error
    except GoogleAuthError as error:
        if error.retryable or _is_network(error.args[:1]):
            raise TransientError(f"no token for gs://{bucket}: the token service did not answer") from error
        raise Misconfigured(
            f"no token for gs://{bucket}: the token service refused", fix="check this service's identity"
        ) from error
    except (RetryError, DataCorruption, OSError, urllib3.exceptions.HTTPError) as error:
        # requests' errors are OSErrors, and so are broken connections and time-outs.
        raise TransientError(f"Cloud Storage did not answer for gs://{bucket}: {type(error).__name__}") from error


def _is_network(causes: tuple[object, ...]) -> bool:
    return any(isinstance(cause, OSError) for cause in causes)
