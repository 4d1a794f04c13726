"""Google groups in memory: the twin of `adapters.groups`."""

from collections.abc import Mapping

from downwind.adapters.memory_faults import Faults
from downwind.errors import Misconfigured


class MemoryGroups(Faults):
    """`members` maps a group to its members, of which some may be groups."""

    def __init__(self, members: Mapping[str, frozenset[str]] | None = None) -> None:
        super().__init__()
        self.members = dict(members or {})

    def has(self, group: str, email: str) -> bool:
        self.check("has")
        if group not in self.members:
            raise Misconfigured(f"group {group} can't be read (404)", fix="write its address as it is")
        seen, open_groups = {group}, [group]
        while open_groups:
            direct = self.members[open_groups.pop()]
            if email in direct:
                return True
            inner = {each for each in direct if each in self.members} - seen
            seen |= inner
            open_groups += sorted(inner)
        return False
