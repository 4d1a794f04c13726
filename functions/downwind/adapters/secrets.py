"""Secret Manager, by its REST route (projects.secrets.versions.access); or files in a folder, as the platform mounts them."""

import base64
import re
from pathlib import Path
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}(/versions/[0-9]{1,18})?")
"""With `/versions/N` it is that version for ever, else the newest."""
_WRONG = "a secret's name holds letters, digits, '-' and '_' only, and may end with /versions/N"


class FolderSecrets:
    """One file for each secret; its text without a final newline. `name/versions/3` is a file of that path."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def read(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise Refused(_WRONG, field="credentials")
        try:
            return (self._folder / name).read_text().rstrip("\n")
        except FileNotFoundError:
            raise Misconfigured(
                f"there is no secret {name}", fix="write it as a file into the folder of secrets"
            ) from None


class SecretManager:
    """The newest version of a secret, or the one that its name ends with; with the function's own identity."""

    def __init__(self, project: str, timeout: float = 20, session: Any = None) -> None:
        if session is None:
            session = _google_session()
        self._session = session
        self._project = project
        self._timeout = timeout

    def read(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise Refused(_WRONG, field="credentials")
        from google.auth.exceptions import GoogleAuthError

        versioned = name if "/" in name else f"{name}/versions/latest"
        url = f"https://secretmanager.googleapis.com/v1/projects/{self._project}/secrets/{versioned}:access"
        try:
            answer = self._session.get(url, timeout=self._timeout)
        except OSError as error:  # requests' errors are OSErrors
            raise TransientError("Secret Manager did not answer") from error
        except GoogleAuthError as error:
            raise TransientError(f"no token to read secret {name} with: {type(error).__name__}") from error
        if answer.status_code in {400, 401, 403, 404}:  # 400: its newest version is disabled or destroyed
            raise Misconfigured(
                f"secret {name} can't be read ({answer.status_code})",
                fix="create it, enable its newest version, and give the functions roles/secretmanager.secretAccessor on it",
            )
        if answer.status_code != 200:
            raise TransientError(f"Secret Manager answered {answer.status_code}")
        return base64.b64decode(answer.json()["payload"]["data"]).decode().rstrip("\n")


def forget(secrets: object, name: str) -> None:
    """Has the secret asked for anew, where `secrets` keeps what it has read."""
    dropped = getattr(secrets, "forget", None)
    if dropped is not None:
        dropped(name)


def _google_session() -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError as error:
        fix = "run the functions as a service account, or set the folder of secrets"
        raise Misconfigured("there are no credentials for Secret Manager", fix=fix) from error
    return AuthorizedSession(credentials)
