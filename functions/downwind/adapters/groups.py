"""Google groups, by Cloud Identity's REST routes groups:lookup and memberships:checkTransitiveMembership.

The second exists in Workspace Enterprise and Cloud Identity Premium only; the function's account must be allowed to see the
group's members (a role of a groups reader, or membership in the group).
"""

import re
from typing import Any

from downwind.errors import Misconfigured, TransientError

_URL = "https://cloudidentity.googleapis.com/v1/"
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_GROUP = re.compile(r"groups/[A-Za-z0-9_-]+")
_FIX = (
    "give a group's address after group:, enable cloudidentity.googleapis.com, and let the functions' account read the group "
    "(Workspace Enterprise or Cloud Identity Premium)"
)


class CloudIdentityGroups:
    """Asks each time: who has left a group must not order for another hour."""

    def __init__(self, timeout: float = 20, session: Any = None, url: str = _URL) -> None:
        self._session = session if session is not None else _google_session()
        self._timeout = timeout
        self._url = url

    def has(self, group: str, email: str) -> bool:
        if not _EMAIL.fullmatch(email) or not _EMAIL.fullmatch(group):
            return False  # the query below is an expression: nothing else may stand in its quotes
        found = self._get("groups:lookup", {"groupKey.id": group}, group)
        name = found.get("name")
        if not isinstance(name, str) or not _GROUP.fullmatch(name):
            raise TransientError("Cloud Identity gave no name of the group")
        query = {"query": f"member_key_id == '{email}'"}
        answer = self._get(f"{name}/memberships:checkTransitiveMembership", query, group)
        return answer.get("hasMembership") is True

    def _get(self, path: str, query: dict[str, str], group: str) -> dict[str, Any]:
        from google.auth.exceptions import GoogleAuthError

        try:
            answer = self._session.get(self._url + path, params=query, timeout=self._timeout)
        except OSError as error:  # requests' errors are OSErrors
            raise TransientError("Cloud Identity did not answer") from error
        except GoogleAuthError as error:
            raise TransientError(f"no token to ask Cloud Identity with: {type(error).__name__}") from error
        if 400 <= answer.status_code < 500 and answer.status_code not in {408, 429}:
            raise Misconfigured(f"group {group} can't be read ({answer.status_code})", fix=_FIX)
        if answer.status_code != 200:
            raise TransientError(f"Cloud Identity answered {answer.status_code}")
        found = answer.json()
        return found if isinstance(found, dict) else {}


def _google_session() -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _project = google.auth.default(
            scopes=["https://www.googleapis.com/auth/cloud-identity.groups.readonly"]
        )
    except DefaultCredentialsError as error:
        raise Misconfigured("there are no credentials for Cloud Identity", fix=_FIX) from error
    return AuthorizedSession(credentials)
