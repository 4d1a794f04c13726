"""The catalog: which applications an event names, and each of them as values."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

from downwind.errors import PermanentError
from downwind.model.catalog import Application, Registered
from downwind.model.event import Build, Event, Execution, Image, Push, Request
from downwind.model.patterns import repository_key
from downwind.model.read_catalog import read_application
from downwind.ports import Store, StoredObject
from downwind.reconcile import names
from downwind.render.yaml_reader import read_documents


def index_prefixes(event: Event) -> tuple[str, ...]:
    """The lists that name the applications of one event; none for an execution, which names its own."""
    match event:
        case Push():
            keys = dict.fromkeys(repository_key(name) for name in (event.repository, *event.also))
            return tuple(names.repository_index(key) for key in keys)
        case Build():
            if event.trigger is None or event.project is None:
                return ()
            return (names.trigger_index(event.project, event.location, event.trigger),)
        case Image():
            return (names.image_index(event.image.name),)
        case Request() | Execution():
            return ()


def trigger_places(catalog: Store) -> tuple[tuple[str, str], ...]:
    """(project, location) of every trigger that the catalog names."""
    places = (each.metadata for each in catalog.list("index/trigger/"))
    return tuple(sorted({(place["project"], place["location"]) for place in places if "location" in place}))


def find(
    catalog: Store, events: Iterable[Event], owners: Iterable[str] = ()
) -> tuple[tuple[Registered, ...], list[str]]:
    """The applications that these events name, and `owners`, by name; and why any of them can't be read. Two calls one after
    another, whatever their number."""
    wanted = {*owners, *(event.application for event in events if isinstance(event, Request))}
    prefixes = tuple(dict.fromkeys(prefix for event in events for prefix in index_prefixes(event)))
    for prefix, listed in zip(prefixes, catalog.list_all(prefixes) if prefixes else [], strict=True):
        wanted.update(each.name.removeprefix(prefix) for each in listed)
    return readable(catalog, sorted(wanted))


def readable(catalog: Store, application_names: Sequence[str]) -> tuple[tuple[Registered, ...], list[str]]:
    """Those that can be read, and why others can't: one bad file stops only its own application."""
    found, problems = [], []
    for stored in catalog.read_all([names.application(each) for each in application_names]):
        try:
            found += [registered(stored)] if stored is not None else []
        except PermanentError as error:
            problems.append(str(error))
    return tuple(found), problems


def read(catalog: Store, application_names: Sequence[str]) -> tuple[Registered, ...]:
    """Raises PermanentError that names the file when a stored one is not valid. An unknown name is left out."""
    stored = catalog.read_all([names.application(name) for name in application_names])
    return tuple(registered(each) for each in stored if each is not None)


def registered(stored: StoredObject) -> Registered:
    try:
        application = _parsed(stored.name, stored.data or b"")
    except PermanentError as error:
        raise PermanentError(f"catalog {stored.name} (generation {stored.generation}): {error}") from error
    resolved = json.loads(stored.metadata.get("resolved", "{}"))
    return Registered(
        application=application,
        generation=stored.generation,
        trigger_id=resolved.get("trigger"),
        silent_up_to=resolved.get("silent_up_to", {}),
    )


@lru_cache(maxsize=256)
def _parsed(name: str, data: bytes) -> Application:
    """One instance meets the same file again and again."""
    documents = read_documents(name, data)
    if len(documents) != 1:
        raise PermanentError("it must hold one document")
    return read_application(documents[0])


def all_names(catalog: Store) -> list[str]:
    listed = catalog.list("application/")
    return [each.name.removeprefix("application/").removesuffix(".yaml") for each in listed]
