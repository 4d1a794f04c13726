"""The program gcloud: it writes, and its account is the one that reads too."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from downwind.bootstrap.cloud import Cloud, Conflict, Held, NotYet
from downwind.bootstrap.write import NEWEST, Request, Write
from downwind.errors import Misconfigured, PermanentError, Refused, TransientError, UnknownOutcome

if TYPE_CHECKING:
    from downwind.bootstrap.programs import Helm

_QUIET = {
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    "CLOUDSDK_CORE_SHOULD_PROMPT_TO_ENABLE_API": "false",
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
}
LIMIT = 1800.0
"""Seconds for one command: a function's build is the longest of those that gcloud waits for."""


SIGN_IN = "gcloud auth login"
_NO_NETWORK = ("Max retries exceeded", "network connectivity issues")
_GOOD = timedelta(minutes=30)
"""How long a token of gcloud's is used, unless Google takes it no more: a metadata server's may have five minutes left."""
_TOGETHER = 10.0
"""Seconds in which one token is enough for whoever asks: threads begin, and find that it has ended, at once."""


class Writer:
    """Does one write: by gcloud where there is a command for it, by REST else, or always (`gcloud` None). Helm's by Helm."""

    def __init__(self, cloud: Cloud, gcloud: "Gcloud | None", helm: "Helm | None" = None) -> None:
        self.cloud = cloud
        self.gcloud = gcloud
        self.helm = helm

    def do(self, write: Write) -> None:
        if NEWEST in str(write.command) or NEWEST in str(write.request.body):
            raise PermanentError("a secret's version that was not read is never written")
        if write.request.api == "helm":
            if self.helm is None or write.command is None:
                raise Misconfigured("there is no Helm", fix="PATH=$(scripts/helm):$PATH")
            self.helm.run(write.command)
            return
        if write.command is not None and self.gcloud is not None:
            self.gcloud.run(write.command)
            return
        if write.empties:
            self._empty(write.request)
        self.cloud.send(write.request)

    def take_away(self, write: Write) -> None:
        """What is gone already is gone: the run before may have ended just after it."""
        with _unless_gone():
            self.do(write)

    def _empty(self, bucket: Request) -> None:
        path = f"{bucket.path}/o"
        found = self.cloud.read(
            Request(
                api="storage", path=path, query={"versions": "true", "fields": "items(name,generation),nextPageToken"}
            )
        )
        for each in (found or {}).get("items", ()):
            name = quote(each["name"], safe="")  # names of ours hold %2F themselves
            query = {"generation": str(each["generation"])}
            with _unless_gone():
                self.cloud.send(Request(api="storage", method="DELETE", path=f"{path}/{name}", query=query))


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if not any(each in str(error) for each in (" 404 ", "NOT_FOUND", "not found", "status=[404]")):
            raise


class Gcloud:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, **_QUIET}

    @staticmethod
    def there() -> bool:
        return shutil.which("gcloud") is not None

    def run(self, command: Sequence[str]) -> str:
        """Its standard output. What it prints on the other one is read for the reason alone when it ends badly."""
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except OSError as error:
            raise Misconfigured(f"gcloud cannot be started: {error.strerror}", fix="install it") from error
        except subprocess.TimeoutExpired as error:
            raise UnknownOutcome(f"{' '.join(command[:4])} … did not end within {LIMIT:.0f} s") from error
        if done.returncode == 0:
            return done.stdout
        raise _reason(command, done.stderr)


def _reason(command: Sequence[str], errors: str) -> Exception:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "failed")
    text = f"{' '.join(command[:5])} …: {said}"[:600]
    if "gcloud auth login" in errors:  # nobody is signed in, or has to sign in again
        return Misconfigured(text.rstrip("."), fix=SIGN_IN)
    if "gcloud crashed" in errors:
        return UnknownOutcome(text)
    if "ALREADY_EXISTS" in errors or "already exists" in errors or "ABORTED" in errors or _says(errors, "409"):
        return Conflict(text)
    if (
        "SERVICE_DISABLED" in errors
        or "has not been used in project" in errors
        or "does not exist" in errors
        or "is not ready" in errors
    ):
        return NotYet(text)
    if "is already being used by" in errors:
        return Held(text)
    if "UNAVAILABLE" in errors or _says(errors, "429|503") or any(each in errors for each in _NO_NETWORK):
        return TransientError(text)
    return Refused(text)


def _says(errors: str, status: str) -> bool:
    """As a word of its own: the number of a project may hold the same digits."""
    return re.search(rf"\b(?:{status})\b", errors) is not None


def make_session(environment: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic) -> Any:
    """An AuthorizedSession of gcloud's account; without gcloud, of the application default credentials."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.credentials import Credentials
    from requests.adapters import HTTPAdapter

    token = environment.get("CLOUDSDK_AUTH_ACCESS_TOKEN")
    if token:
        credentials: Any = Credentials(token=token)
    elif Gcloud.there():
        credentials = Credentials(token=None, refresh_handler=_Tokens(environment, clock))
    else:
        try:
            credentials, _project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        except DefaultCredentialsError as error:
            raise Misconfigured("there are no credentials", fix="gcloud auth application-default login") from error
    session = AuthorizedSession(credentials)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=16))
    return session


class _Tokens:
    """google-auth's `refresh_handler`, which is called when there is no token, when it ends, and when Google has answered 401:
    then gcloud is asked, once for all threads. An answer that nobody is signed in stands for the life of this program: each call
    would find the same, a second later."""

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._gcloud = Gcloud(environment)
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = 0.0
        self._known: tuple[str, datetime] | None = None
        self._nobody: Misconfigured | None = None

    def __call__(self, _request: Any, **_more: Any) -> tuple[str, datetime]:
        with self._lock:
            if self._nobody is not None:
                raise self._nobody
            if self._known is None or self._clock() - self._asked > _TOGETHER:
                try:
                    token = self._gcloud.run(("gcloud", "auth", "print-access-token")).strip()
                except Misconfigured as error:
                    self._nobody = error
                    raise
                ends = datetime.now(UTC).replace(tzinfo=None) + _GOOD  # as google-auth has its times
                self._known, self._asked = (token, ends), self._clock()
            return self._known


def environment_of(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    return dict(os.environ if variables is None else variables)
