"""The catalog: which applications an event names, and each of them as values."""

import json
from collections.abc import Iterable, Sequence

from downwind.errors import PermanentError
from downwind.model.catalog import Registered
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


def find(catalog: Store, events: Iterable[Event]) -> tuple[Registered, ...]:
    """The applications that these events name, by name. Two calls one after another, whatever their number."""
    wanted = {event.application for event in events if isinstance(event, Request)}
    prefixes = tuple(dict.fromkeys(prefix for event in events for prefix in index_prefixes(event)))
    for prefix, listed in zip(prefixes, catalog.list_all(prefixes) if prefixes else [], strict=True):
        wanted.update(each.name.removeprefix(prefix) for each in listed)
    return read(catalog, sorted(wanted))


def read(catalog: Store, application_names: Sequence[str]) -> tuple[Registered, ...]:
    """Raises PermanentError that names the file when a stored one is not valid. An unknown name is left out."""
    stored = catalog.read_all([names.application(name) for name in application_names])
    return tuple(registered(each) for each in stored if each is not None)


def registered(stored: StoredObject) -> Registered:
    try:
        documents = read_documents(stored.name, stored.data or b"")
        if len(documents) != 1:
            raise PermanentError("it must hold one document")
        application = read_application(documents[0])
    except PermanentError as error:
        raise PermanentError(f"catalog {stored.name} (generation {stored.generation}): {error}") from error
    resolved = json.loads(stored.metadata.get("resolved", "{}"))
    return Registered(application=application, generation=stored.generation, trigger_id=resolved.get("trigger"))


def all_names(catalog: Store) -> list[str]:
    listed = catalog.list("application/")
    return [each.name.removeprefix("application/").removesuffix(".yaml") for each in listed]
