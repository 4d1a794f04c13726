"""Google's REST APIs, by google-auth: status codes and etags instead of texts. Endpoints are overridden as gcloud's are, by
CLOUDSDK_API_ENDPOINT_OVERRIDES_<API>, so that reads and gcloud's writes go to the same place."""

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from downwind.bootstrap.kinds.policies import AS_READ
from downwind.bootstrap.write import MADE_AT_APPLY, PAIR_MADE_AT_APPLY, Request
from downwind.errors import Misconfigured, PermanentError, Refused, TransientError

PARALLEL = 8
_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_TRIES = 5
OPERATION = 900.0
"""Seconds within which a long-running operation has to be over, where nothing else is known of it."""
OPERATIONS: Mapping[str, float] = {"cloudfunctions": 2400.0}
"""By API: a function is built and its revision has to come up; gcloud itself waits for 33 minutes."""
_DISABLED = ("SERVICE_DISABLED", "has not been used in project")
_NOT_THERE = ("does not exist", "resourceNotReady")
_HELD = ("resourceInUseByAnotherResource", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "is already being used by")
T = TypeVar("T")


class Calls(Protocol):
    """A system that is no API of Google's: the cluster, Gate, the catalog. Errors as of `Cloud`."""

    def read(self, request: Request) -> Any:
        """None where it is not there, or the system itself is not there yet."""

    def send(self, request: Request) -> Any: ...


class Conflict(TransientError):  # noqa: N818 - the name of HTTP status 409
    """409 or 412: the world moved between the read and the write. Read again."""


class NotYet(TransientError):  # noqa: N818 - reads as a statement about the world
    """What was made a moment ago is not known everywhere yet: an API, an identity."""


class Held(TransientError):  # noqa: N818 - reads as a statement about the world
    """Another one stands on it: it goes when that one is gone."""


class Cloud:
    """`session` is an AuthorizedSession; `environment` may override endpoints. `others`: by name, what is asked beside Google.
    Safe in many threads."""

    def __init__(
        self,
        session: Any,
        environment: Mapping[str, str],
        *,
        package: bytes = b"",
        timeout: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._package = package
        self._timeout = timeout
        self._wait = sleep
        self.waited = 0.0
        """Seconds in which operations and tries were waited for, of all threads together."""
        self.session = session
        self.others: dict[str, Calls] = {}
        self.endpoints = {
            name.removeprefix(_OVERRIDE).lower(): value.rstrip("/")
            for name, value in environment.items()
            if name.startswith(_OVERRIDE) and value
        }

    def _sleep(self, seconds: float) -> None:
        self._wait(seconds)
        self.waited += seconds

    def read(self, request: Request) -> Any:
        """None where it is not there, or its API is not switched on yet. Follows pages of lists."""
        if request.api in self.others:
            return self.others[request.api].read(request)
        found = self._read(request)
        while found and found.get("nextPageToken"):
            query = {**request.query, "pageToken": found.pop("nextPageToken")}
            more = self._read(Request(api=request.api, path=request.path, query=query)) or {}
            for key, value in more.items():
                found[key] = found.get(key, []) + value if isinstance(value, list) else value
        return found

    def read_all(self, requests: Sequence[Request]) -> list[Any]:
        return self.side_by_side(self.read, requests)

    def side_by_side(self, call: Callable[[T], Any], each: Sequence[T]) -> list[Any]:
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="bootstrap") as pool:
            return list(pool.map(call, each))

    def send(self, request: Request) -> Any:
        """A write. Conflict, NotYet, Refused, Misconfigured or TransientError when it was not taken."""
        if AS_READ in json.dumps(request.body):
            raise PermanentError("a policy that was not read is never written")
        if request.api in self.others:
            return self.others[request.api].send(request)
        return self._done(request, self._answered(request))

    def _read(self, request: Request) -> Any:
        status, body = self._call(request)
        if status == 404 or (status == 403 and any(each in json.dumps(body) for each in _DISABLED)):
            return None
        return self._checked(request, status, body)

    def _answered(self, request: Request) -> Any:
        status, body = self._call(request)
        return self._checked(request, status, body)

    def _done(self, request: Request, answer: Any) -> Any:
        """Waits for a long-running operation, by asking. GKE's are waited for by reading the cluster."""
        version = request.path.split("/", 1)[0]
        pause, waited = 0.2, 0.0
        while isinstance(answer, Mapping) and answer.get("kind") == "compute#operation" and answer["status"] != "DONE":
            waited += self._pause(request, answer, pause, waited)
            pause = min(pause * 1.6, 5)
            place = str(answer["selfLink"]).partition("/projects/")[2]
            answer = self._answered(Request(api=request.api, path=f"compute/v1/projects/{place}"))
        while isinstance(answer, Mapping) and "operations/" in str(answer.get("name")) and not answer.get("done"):
            if request.api == "container":
                break
            waited += self._pause(request, answer, pause, waited)
            pause = min(pause * 1.6, 5)
            answer = self._answered(Request(api=request.api, path=f"{version}/{answer['name']}"))
        if isinstance(answer, Mapping) and answer.get("error"):
            text = f"{request.path}: {answer['error'].get('message', answer['error'])}"[:500]
            raise Held(text) if any(each in text for each in _HELD) else Refused(text)
        return answer

    def _pause(self, request: Request, operation: Mapping[str, Any], seconds: float, waited: float) -> float:
        """`waited`: for it until now. TransientError when that is long enough: it may end well all the same."""
        limit = OPERATIONS.get(request.api, OPERATION)
        if waited > limit:
            what = f"{request.method} {request.path}: operation {operation['name']} is not over after {limit:.0f} s"
            raise TransientError(f"{what}; it goes on without us: run the same command again, which looks first")
        self._sleep(seconds)
        return seconds

    def _call(self, request: Request) -> tuple[int, Any]:
        from google.auth.exceptions import GoogleAuthError

        url = request.url(self.endpoints.get(request.api, f"https://{request.api}.googleapis.com"))
        how: dict[str, Any] = {"timeout": self._timeout, "allow_redirects": False}
        if request.upload:
            how |= {"data": self._package, "headers": {"Content-Type": "application/zip"}}
        elif request.body is not None:
            how["json"] = _with_secrets(request.body)
        for attempt in range(_TRIES):
            if attempt:
                self._sleep(0.5 * 2**attempt)
            try:
                answer = self.session.request(request.method, url, **how)
            except GoogleAuthError as error:
                fix = "gcloud auth login, or gcloud auth application-default login"
                raise Misconfigured(f"Google takes no credentials: {type(error).__name__}", fix=fix) from error
            except OSError as error:  # requests' errors are OSErrors
                if attempt == _TRIES - 1:
                    raise TransientError(f"{request.api} did not answer: {type(error).__name__}") from error
                continue
            if answer.status_code not in _PASSING:
                break
        else:
            raise TransientError(f"{request.api} answered {answer.status_code} {_TRIES} times")
        try:
            return answer.status_code, answer.json() if answer.content else {}
        except ValueError:
            return answer.status_code, {}

    def _checked(self, request: Request, status: int, body: Any) -> Any:
        if 200 <= status < 300:
            return body
        said = body.get("error", {}) if isinstance(body, Mapping) else {}
        text = f"{request.method} {request.path}: {status} {said.get('message', '')}"[:500]
        if status in {409, 412}:
            raise Conflict(text)
        if status == 401:
            raise Misconfigured(text, fix="gcloud auth login")
        whole = json.dumps(said)
        if any(each in whole for each in _DISABLED) or (status == 400 and any(each in whole for each in _NOT_THERE)):
            raise NotYet(text)
        if any(each in whole for each in _HELD):
            raise Held(text)
        if status == 403:
            raise Misconfigured(text, fix="give your account the right that it names (docs/how-to/install.md)")
        raise Refused(text)


def _with_secrets(body: Any) -> Any:
    """The place of a secret filled with one, which nobody else ever sees."""
    if isinstance(body, Mapping):
        return {key: _with_secrets(value) for key, value in body.items()}
    if body in (MADE_AT_APPLY, PAIR_MADE_AT_APPLY):  # it may be a list, which no set takes
        user = "downwind:" if body == PAIR_MADE_AT_APPLY else ""
        return b64encode(f"{user}{secrets.token_urlsafe(32)}".encode()).decode()
    return body
