"""How the small adapters ask Google's REST APIs: one GET, as this service's account; an answer is JSON or one of our errors."""

from typing import Any

from downwind.errors import Misconfigured, TransientError


class GoogleApi:
    """`service`: its name in errors. `fix`: what people must do where it lets us not in. `session`: instead of one with this
    account's credentials, for `scope`."""

    def __init__(self, service: str, url: str, scope: str, fix: str, timeout: float, session: Any = None) -> None:
        self._service = service
        self._url = url
        self._fix = fix
        self._timeout = timeout
        self._session = session if session is not None else self._signed_in(scope)

    def get(self, path: str, query: dict[str, str], what: str) -> dict[str, Any]:
        """`what` is asked for, for errors. Misconfigured: 4xx that does not mean "later"; TransientError: whatever else is no
        JSON object with status 200."""
        from google.auth.exceptions import GoogleAuthError

        try:
            answer = self._session.get(self._url + path, params=query, timeout=self._timeout)
        except OSError as error:  # requests' errors are OSErrors
            raise TransientError(f"{self._service} did not answer") from error
        except GoogleAuthError as error:
            raise TransientError(f"no token to ask {self._service} with: {type(error).__name__}") from error
        if 400 <= answer.status_code < 500 and answer.status_code not in {408, 429}:
            raise Misconfigured(f"{what} can't be read ({answer.status_code})", fix=self._fix)
        if answer.status_code != 200:
            raise TransientError(f"{self._service} answered {answer.status_code}")
        try:
            found = answer.json()
        except ValueError as error:
            raise TransientError(f"{self._service} answered what is no JSON") from error
        if not isinstance(found, dict):
            raise TransientError(f"{self._service} answered what is no JSON object")
        return found

    def _signed_in(self, scope: str) -> Any:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
        from google.auth.transport.requests import AuthorizedSession

        try:
            credentials, _project = google.auth.default(scopes=[f"https://www.googleapis.com/auth/{scope}"])
        except DefaultCredentialsError as error:
            raise Misconfigured(f"there are no credentials for {self._service}", fix=self._fix) from error
        return AuthorizedSession(credentials)
