"""Who may order: the catalog's `operators` of an environment, or those of the installation for a hold over everything."""

from collections.abc import Sequence

from downwind import logs
from downwind.errors import DownwindError
from downwind.ports import Groups

GROUP = "group:"


def may_order(operators: Sequence[str], email: str, groups: Groups) -> bool:
    """Nobody, where none is listed. Addresses are compared without regard to case, as Google does. A group that does not
    answer lets nobody in, and keeps nobody out whom another line lists."""
    person = email.lower()
    if person in {each.lower() for each in operators if not each.startswith(GROUP)}:
        return True
    return any(
        _is_member(each.removeprefix(GROUP).lower(), person, groups) for each in operators if each.startswith(GROUP)
    )


def _is_member(group: str, person: str, groups: Groups) -> bool:
    try:
        return groups.has(group, person)
    except DownwindError as error:
        logs.error(f"operators: {error}", group=group)
        return False
