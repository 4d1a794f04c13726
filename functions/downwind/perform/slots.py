"""A sixtieth of what is named by a hash, each minute: a round over all of it costs one list a minute."""

from downwind.ports import Store, StoredObject

SLOTS = 60
"""Ticks in one round."""
_KEYS = 1 << 32
_PAGE = 1000
_GOLDEN = 0.618033988749895
"""Multiples of it, without their whole part, come ever closer to every number between 0 and 1."""


def in_slot(store: Store, prefix: str, tick_id: int, limit: int) -> list[StoredObject]:
    """Objects `<prefix><hex…>` of this tick's slot, at most `limit`; where there are more, others in each round."""
    slot = tick_id % SLOTS
    return some(store, prefix, limit, tick_id, (_bound(slot), _bound(slot + 1)))


def some(
    store: Store, prefix: str, limit: int, tick_id: int, between: tuple[int, int] = (0, _KEYS)
) -> list[StoredObject]:
    """Objects `<prefix><hex…>` whose first 32 bits lie between two numbers (the second exclusive); at most `limit`, as above."""
    low, high = between
    found = _listed(store, prefix, low, high, limit)
    if len(found) < limit:
        return found
    turn = tick_id // SLOTS * _GOLDEN % 1
    return _listed(store, prefix, low + int((high - low) * turn), high, limit)


def _bound(slot: int) -> int:
    return -(-slot * _KEYS // SLOTS)


def _listed(store: Store, prefix: str, low: int, high: int, limit: int) -> list[StoredObject]:
    end = f"{prefix}{high:08x}" if high < _KEYS else None
    found: list[StoredObject] = []
    start = f"{prefix}{low:08x}"
    while len(found) < limit:
        size = min(_PAGE, limit - len(found) + 1)
        page = store.list(prefix, start=start, limit=size)
        last = page[-1].name if page else start
        found += [each for each in page if each.name != (found[-1].name if found else None)]
        if len(page) < size or (end is not None and last >= end):
            break
        start = last
    return [each for each in found if end is None or each.name < end][:limit]
