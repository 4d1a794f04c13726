"""Secret Manager, by its REST route (projects.secrets.versions.access); or files in a folder, as the platform mounts them."""

import base64
import re
from pathlib import Path
from typing import Any

from downwind.errors import Refused, TransientError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class FolderSecrets:
    """One file for each secret; its text without a final newline."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def read(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise Refused("a secret's name holds letters, digits, '-' and '_' only", field="credentials")
        try:
            return (self._folder / name).read_text().rstrip("\n")
        except FileNotFoundError:
            raise Refused(f"there is no secret {name}", fix="write it as a file into the folder of secrets") from None


class SecretManager:
    """The newest version of a secret, with the function's own identity."""

    def __init__(self, project: str, timeout: float = 20, session: Any = None) -> None:
        if session is None:
            import google.auth
            from google.auth.transport.requests import AuthorizedSession

            scopes = ["https://www.googleapis.com/auth/cloud-platform"]
            session = AuthorizedSession(google.auth.default(scopes=scopes)[0])
        self._session = session
        self._project = project
        self._timeout = timeout

    def read(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise Refused("a secret's name holds letters, digits, '-' and '_' only", field="credentials")
        url = f"https://secretmanager.googleapis.com/v1/projects/{self._project}/secrets/{name}/versions/latest:access"
        try:
            answer = self._session.get(url, timeout=self._timeout)
        except OSError as error:  # requests' errors are OSErrors
            raise TransientError("Secret Manager did not answer") from error
        if answer.status_code in {401, 403, 404}:
            raise Refused(
                f"secret {name} can't be read ({answer.status_code})",
                fix="create it, and let the functions' identity read it (roles/secretmanager.secretAccessor)",
            )
        if answer.status_code != 200:
            raise TransientError(f"Secret Manager answered {answer.status_code}")
        return base64.b64decode(answer.json()["payload"]["data"]).decode().rstrip("\n")
