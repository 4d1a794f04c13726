"""Google groups, by Cloud Identity's REST routes groups:lookup and memberships:checkTransitiveMembership.

The second exists in Workspace Enterprise and Cloud Identity Premium only; the function's account must be allowed to see the
group's members (a role of a groups reader, or membership in the group).
"""

import re
from typing import Any

from downwind.adapters.google_rest import GoogleApi
from downwind.errors import TransientError

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
        self._api = GoogleApi("Cloud Identity", url, "cloud-identity.groups.readonly", _FIX, timeout, session)

    def has(self, group: str, email: str) -> bool:
        if not _EMAIL.fullmatch(email) or not _EMAIL.fullmatch(group):
            return False  # the query below is an expression: nothing else may stand in its quotes
        found = self._api.get("groups:lookup", {"groupKey.id": group}, f"group {group}")
        name = found.get("name")
        if not isinstance(name, str) or not _GROUP.fullmatch(name):
            raise TransientError("Cloud Identity gave no name of the group")
        query = {"query": f"member_key_id == '{email}'"}
        answer = self._api.get(f"{name}/memberships:checkTransitiveMembership", query, f"group {group}")
        return answer.get("hasMembership") is True
