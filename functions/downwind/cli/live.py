"""`downwind status --live`: what Spinnaker sees in the clusters, beside the release that we think is there."""

from collections.abc import Iterator, Sequence
from typing import Any

from downwind.cli.context import Session
from downwind.cli.sheet import Row, Sheet
from downwind.cli.watch import Look
from downwind.model.catalog import Registered
from downwind.model.live import ServerGroup
from downwind.perform.look import views
from downwind.perform.spinnaker import Seen, look_live
from downwind.reconcile.links import clusters_page
from downwind.reconcile.words import short

_HEADINGS = ("APPLICATION", "ENVIRONMENT", "RELEASE", "SERVER GROUP", "UP", "IMAGE", "BEHIND", "DRIFT")


def look(session: Session, found: Sequence[Registered], unreadable: Sequence[str]) -> Look:
    seen = [
        (view.registered, each)
        for view in views(session.world, found, session.now())
        for each in look_live(session.world, session.spinnaker, view)
    ]
    rows = tuple(row for registered, each in seen for row in _rows(registered, each))
    return Look(
        document={"environments": [_json(session, registered, each) for registered, each in seen]},
        sheet=Sheet(
            headings=_HEADINGS, key=4, rows=rows, notes=tuple(_notes(session, seen)), gone="is not there any more"
        ),
        problems=unreadable,
    )


def _rows(registered: Registered, seen: Seen) -> Iterator[Row]:
    release = f"{seen.n} {short(seen.commit)}" if seen.n is not None and seen.commit else None
    place = (registered.application.name, seen.environment.name, release)
    named = {each.name for each in seen.groups}
    for group in seen.groups:
        drift = "; ".join(what for name, what in seen.drift if name == group.name)
        state = "disabled" if group.disabled else f"{group.up}/{group.desired}"
        behind = ", ".join(group.load_balancers)
        yield (*place, group.name, state, ", ".join(map(_image, group.images)), behind, drift or None)
    for name, what in seen.drift:
        if name not in named:
            yield (*place, name or None, None, None, None, what)
    if not seen.groups and not seen.drift:
        yield (*place, None, None, None, None, None)


def _image(reference: str) -> str:
    """Short enough for a table: the last part of the name, and the beginning of its digest."""
    name, at, digest = reference.rpartition("/")[2].partition("@")
    return f"{name}{at}{digest[:14]}" if at else name


def _notes(session: Session, seen: Sequence[tuple[Registered, Seen]]) -> Iterator[str]:
    lives = {each.live.application: each.live for _, each in seen}
    for name, live in sorted(lives.items()):
        for balancer in live.balancers:
            behind = ", ".join(balancer.server_groups) or "nothing"
            yield f"{balancer.name} in {balancer.namespace}: in front of {behind}"
        firewalls = ", ".join(f"{firewall} in {namespace}" for namespace, firewall in live.firewalls)
        if firewalls:
            yield f"firewalls: {firewalls}"
        page = clusters_page(session.world.deck, name)
        if page:
            yield page
    drifts = sum(len(each.drift) for _, each in seen)
    yield "no drift: what is live is what was rolled out" if not drifts else f"drift: {drifts}, marked above"


def _json(session: Session, registered: Registered, seen: Seen) -> dict[str, Any]:
    return {
        "application": registered.application.name,
        "environment": seen.environment.name,
        "spinnaker_application": seen.live.application,
        "page": clusters_page(session.world.deck, seen.live.application),
        "sequence": seen.n,
        "commit": seen.commit,
        "server_groups": [_group(each) for each in seen.groups],
        "load_balancers": [
            {
                "name": each.name,
                "account": each.account,
                "namespace": each.namespace,
                "server_groups": list(each.server_groups),
            }
            for each in seen.live.balancers
            if each.namespace == seen.environment.namespace
        ],
        "firewalls": [name for namespace, name in seen.live.firewalls if namespace == seen.environment.namespace],
        "drift": [{"what": name or None, "is": what} for name, what in seen.drift],
    }


def _group(group: ServerGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "cluster": group.cluster,
        "account": group.account,
        "namespace": group.namespace,
        "manager": group.manager,
        "images": list(group.images),
        "desired": group.desired,
        "up": group.up,
        "total": group.total,
        "disabled": group.disabled,
        "load_balancers": list(group.load_balancers),
    }
