"""What a release gives to an environment, without writing anything: the function's own way, for people who look."""

from collections.abc import Mapping

from downwind.errors import Refused, TransientError
from downwind.model.catalog import Application, Environment, Registered
from downwind.perform import bundles, ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import decode_body
from downwind.reconcile.log import LogEntry, read_entry

_LOOK_BACK = 500


def preview(
    world: World, registered: Registered, environment: Environment, commit: str | None, images: Mapping[str, str]
) -> tuple[str, bundles.Made]:
    """The commit and what it renders to. `commit`: whole, or the beginning of one that the environment's log has; None: of its
    newest release. `images`: name to digest, before what the ledger knows.

    Refused: there is no such release, or a digest that nobody knows.
    """
    application = registered.application
    entry = _entry(world, application, environment, commit)
    whole = entry.commit if entry else str(commit)
    known = {**_known(world, application, whole), **dict(entry.images or {} if entry else {}), **images}
    wanted = {rule.name for rule in application.images}
    for name in sorted(wanted - known.keys()):
        raise Refused(f"no digest of {name} is known for {whole[:7]}", fix=f"give it: --image {name}@sha256:…")
    for name in sorted(images.keys() - wanted):
        raise Refused(f"{name} is no image of {application.name}", fix=f"its images are: {', '.join(sorted(wanted))}")
    manifests = entry.manifests_commit if entry else _manifests_commit(world, application, environment)
    found = {name: known[name] for name in sorted(wanted)}
    return whole, bundles.make(world, registered, environment, whole, manifests or whole, found)


def _entry(world: World, application: Application, environment: Environment, commit: str | None) -> LogEntry | None:
    facts = ledger.page(world.ledger, names.log(application.name, environment.name), limit=_LOOK_BACK)
    entries = [entry for entry in map(read_entry, facts) if entry.release and entry.commit]
    found = next((entry for entry in entries if commit is None or entry.commit.startswith(commit)), None)
    if found is None and (commit is None or len(commit) not in {40, 64}):
        where = f"{application.name} {environment.name}"
        what = f"no release {commit} in the log of {where}" if commit else f"nothing was released to {where} yet"
        raise Refused(what, fix="give a whole commit id with --commit")
    return found


def _known(world: World, application: Application, commit: str) -> Mapping[str, str]:
    stored = world.ledger.read(f"{names.release(application.name, commit)}completed")
    if stored is None or stored.data is None:
        return {}
    return dict(decode_body(stored.name, stored.data)["images"])


def _manifests_commit(world: World, application: Application, environment: Environment) -> str | None:
    """Of manifests elsewhere, for a commit that is no entry: what their ref is now."""
    manifests = application.manifests_of(environment)
    if manifests.repository is None or manifests.ref is None:
        return None
    tip = world.repository.tips(manifests.repository.address, manifests.repository.credentials).get(manifests.ref)
    if tip is None:
        raise TransientError(f"{manifests.repository.address} has no {manifests.ref} to take manifests from")
    return tip.commit
