"""What Spinnaker sees in the clusters, in our words; read from Gate's JSON (shapes: Clouddriver's Kubernetes views, 2026.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """`name` and `manager` with their kind (`replicaSet web-v001`, `deployment web`). `up` of `total` instances; `desired`: how
    many there should be. `disabled`: no traffic goes to it."""

    name: str
    cluster: str
    account: str
    namespace: str
    manager: str | None = None
    images: tuple[str, ...] = ()
    desired: int = 0
    total: int = 0
    up: int = 0
    disabled: bool = False
    load_balancers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A Service or Ingress; `server_groups`: those behind it."""

    name: str
    account: str
    namespace: str
    server_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Of one application of Spinnaker. `firewalls`: (namespace, name) of all network policies in the namespaces of its groups."""

    application: str
    groups: tuple[ServerGroup, ...] = ()
    balancers: tuple[Balancer, ...] = ()
    firewalls: tuple[tuple[str, str], ...] = ()


def read_live(application: str, groups: Any, balancers: Any, firewalls: Any) -> Live:
    """From Gate's answers; what does not have the shape is left out, since Clouddriver's grows and other clouds have others."""
    found = tuple(sorted(map(_group, _objects(groups)), key=lambda each: (each.account, each.namespace, each.name)))
    places = {(each.account, each.namespace) for each in found}
    return Live(
        application=application,
        groups=found,
        balancers=tuple(
            Balancer(
                name=_text(each.get("name")),
                account=_text(each.get("account")),
                namespace=_text(each.get("region") or each.get("namespace")),
                server_groups=tuple(_text(group.get("name")) for group in _objects(each.get("serverGroups"))),
            )
            for each in _objects(balancers)
        ),
        firewalls=tuple(
            sorted(
                (namespace, _text(each.get("name")))
                for account, clouds in _object(firewalls).items()
                for namespaces in _object(clouds).values()
                for namespace, listed in _object(namespaces).items()
                for each in _objects(listed)
                if (account, namespace) in places
            )
        ),
    )


def _group(document: Mapping[str, Any]) -> ServerGroup:
    counts = _object(document.get("instanceCounts"))
    managers = [_text(each.get("name")) for each in _objects(document.get("serverGroupManagers"))]
    return ServerGroup(
        name=_text(document.get("name")),
        cluster=_text(document.get("cluster")),
        account=_text(document.get("account")),
        namespace=_text(document.get("region")),
        manager=next(iter(managers), None),
        images=tuple(_text(each) for each in _list(_object(document.get("buildInfo")).get("images"))),
        desired=_count(_object(document.get("capacity")).get("desired")),
        total=_count(counts.get("total")),
        up=_count(counts.get("up")),
        disabled=document.get("isDisabled") is True,
        load_balancers=tuple(_text(each) for each in _list(document.get("loadBalancers"))),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in _list(value) if isinstance(each, Mapping)]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0
