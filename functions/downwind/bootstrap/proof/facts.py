"""A fact stands for ever: the ledger takes it neither a second time nor anew. Tried on this proof's own push and with the very
same bytes, so that what should be refused changes nothing that is read if it is not."""

from collections.abc import Callable, Iterator

from downwind.bootstrap.proof.doors import GROUP
from downwind.bootstrap.proof.result import Result, State
from downwind.bootstrap.proof.site import Site
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError
from downwind.ports import NewObject, StoredObject

_TWICE = "a fact created a second time"
_ANEW = "a fact overwritten"


def checks(site: Site, name: str | None) -> Iterator[Callable[[], Result]]:
    """`name`: of a fact that this proof has made; None: it made none."""
    yield lambda: _tried(site, _TWICE, name, _twice)
    yield lambda: _tried(site, _ANEW, name, _anew)


def _tried(
    site: Site,
    what: str,
    name: str | None,
    attempt: Callable[[Site, StoredObject, NewObject], tuple[State, str, str | None]],
) -> Result:
    if name is None:
        return _result(what, "not applicable", "it is tried on the push of the canary, and none was made")
    try:
        standing = site.world.ledger.read(name)
        if standing is None or standing.data is None:
            return _result(what, "unreachable", f"{name} is not in the ledger")
        new = NewObject(name=name, data=standing.data, metadata=standing.metadata)
        return _result(what, *attempt(site, standing, new))
    except DownwindError as error:
        return _result(what, "unreachable", str(error), "ask for the right to read and write the ledger")


def _twice(site: Site, standing: StoredObject, new: NewObject) -> tuple[State, str, str | None]:
    if site.world.ledger.create(new) is None:
        return "ok", f"the bucket holds {standing.name} already, and did not take it again", None
    return (
        "failed",
        f"the bucket took {standing.name} again although it was to be created only",
        "this is no Cloud Storage: it ignores ifGenerationMatch; every promise rests on that",
    )


def _anew(site: Site, standing: StoredObject, new: NewObject) -> tuple[State, str, str | None]:
    """With the right generation, so that rights and retention alone can refuse."""
    try:
        taken = site.world.ledger.replace(new, generation=standing.generation)
    except (Misconfigured, Refused) as error:
        if getattr(error, "status", None) == 403:
            return "ok", "403: your rights or the bucket's retention forbid it", None
        raise
    if taken is None:
        raise TransientError(f"{standing.name} moved meanwhile")
    return (
        "failed",
        f"{standing.name} was written anew: the bucket has no retention, and you may overwrite",
        "downwind bootstrap plan: the ledger's retention, and roles/storage.objectCreator as the most that anybody has",
    )


def _result(what: str, state: State, why: str, fix: str | None = None) -> Result:
    return Result(group=GROUP, what=what, state=state, why=why, fix=fix)
