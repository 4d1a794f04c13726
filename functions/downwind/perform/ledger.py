"""Facts to ledger objects and back. A small fact's whole body stands in the object's metadata too, so a list is enough."""

import json
from collections.abc import Mapping, Sequence

from downwind.model.event import Message
from downwind.ports import NewObject, Store, StoredObject
from downwind.reconcile.facts import Fact, NewFact, Snapshot, decode_body, encode_body
from downwind.reconcile.wanted import Query

METADATA_LIMIT = 6000
"""Cloud Storage allows 8 KiB of custom metadata an object, names and nonce included."""
ATTRIBUTES_LIMIT = 4000


def to_object(fact: NewFact) -> NewObject:
    data = encode_body(fact.body)
    metadata = {"fact": data.decode()} if len(data) <= METADATA_LIMIT else {}
    return NewObject(name=fact.name, data=data, metadata=metadata)


def create(store: Store, facts: Sequence[NewFact]) -> list[Fact | None]:
    """Side by side; None where a fact of that name stands already."""
    created = store.create_all([to_object(fact) for fact in facts])
    return [
        None if stored is None else Fact(name=fact.name, body={"v": 1, **fact.body}, created=stored.created)
        for fact, stored in zip(facts, created, strict=True)
    ]


def record(store: Store, snapshot: Snapshot, *facts: NewFact) -> list[bool]:
    """Create facts side by side, in the snapshot too. One that stands already is read again: another worker got there first."""
    if not facts:
        return []
    created = create(store, facts)
    snapshot.add(fact for fact in created if fact is not None)
    for fact, new in zip(facts, created, strict=True):
        if new is None:
            snapshot.forget(fact.name)
    return [new is not None for new in created]


def load(store: Store, queries: Sequence[Query]) -> list[tuple[list[Fact], bool]]:
    """For each query its facts, ascending, and whether the list was cut at its limit."""
    listed = store.list_all([query.prefix for query in queries], limit=[query.limit for query in queries])
    facts = {fact.name: fact for fact in read_listed(store, [each for objects in listed for each in objects])}
    return [
        ([facts[each.name] for each in objects], len(objects) >= query.limit)
        for query, objects in zip(queries, listed, strict=True)
    ]


def page(store: Store, prefix: str, *, limit: int, start: str | None = None) -> list[Fact]:
    """Facts of one list, ascending, from the name `start` on."""
    return read_listed(store, store.list(prefix, limit=limit, start=start))


def read_listed(store: Store, listed: Sequence[StoredObject]) -> list[Fact]:
    """The facts of a list; those that are too large for its metadata are read."""
    large = [each.name for each in listed if "fact" not in each.metadata]
    bodies = dict(zip(large, store.read_all(large), strict=True)) if large else {}
    return [_fact(each, bodies.get(each.name)) for each in listed]


def read_fact(stored: StoredObject) -> Fact:
    """One that was read with its data."""
    return _fact(stored, stored)


def _fact(listed: StoredObject, read: StoredObject | None) -> Fact:
    data = listed.metadata.get("fact") or (read.data if read is not None else None) or b"{}"
    return Fact(name=listed.name, body=decode_body(listed.name, data), created=listed.created)


def _fitting(attributes: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = ATTRIBUTES_LIMIT
    for key in sorted(attributes, key=lambda key: (len(key) + len(attributes[key]), key)):
        value = attributes[key][:512]
        room -= len(json.dumps([key, value]))
        if room < 0:
            break
        kept[key] = value
    return kept


def raw_object(prefix: str, message: Message) -> NewObject:
    """What came, as it came, for `why`, `parked` and replay. Attributes beyond reason are counted, not kept: the description
    has to fit the metadata, since the data is the sender's."""
    kept = _fitting(message.attributes)
    about = NewFact(
        name=prefix + "raw",
        body={
            "kind": "raw",
            "id": message.id,
            "topic": message.topic,
            "published": message.published,
            "attempt": message.attempt,
            "token": message.token,
            "attributes": kept,
            "left_out": len(message.attributes) - len(kept),
        },
    )
    return NewObject(
        name=about.name,
        data=message.data,
        metadata=to_object(about).metadata,
        content_type="application/octet-stream",
    )
