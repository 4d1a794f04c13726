"""infra/wanted and a configuration, made into resources: what has to be there, in the order in which it can be made."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from downwind.bootstrap.values import Values
from downwind.errors import PermanentError
from downwind.shipped import shipped

KINDS = (
    "apis",
    "account",
    "role",
    "agent",
    "bucket",
    "registry",
    "secret",
    "version",
    "connection",
    "repository",
    "trigger",
    "network",
    "subnet",
    "address",
    "router",
    "nat",
    "cluster",
    "package",
    "function",
    "topic",
    "subscription",
    "job",
    "policy",
    "namespace",
    "object",
    "copy",
    "release",
    "catalog",
    "application",
    "pipeline",
)
IN_CLUSTER = frozenset({"namespace", "object", "copy", "release"})
"""Also the order of the plan, as far as what a resource names allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    role: str
    members: tuple[str, ...]
    condition: Mapping[str, str] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """`key` is `kind/id`. `data`: holds what cannot be made again. `shared`: others may use it too, so it is never taken away.
    `after`: keys that have to be there first."""

    key: str
    kind: str
    name: str
    why: str
    body: Mapping[str, Any] = field(default_factory=dict)
    grants: tuple[Grant, ...] = ()
    after: frozenset[str] = frozenset()
    data: bool = False
    shared: bool = False
    generated: bool | str = False
    """`pair`: a user with its password."""
    needs: frozenset[str] = frozenset()
    """Keys of secrets that have to hold something first: it is given their newest version."""

    @property
    def id(self) -> str:
        return self.key.partition("/")[2]


@cache
def _files() -> tuple[Mapping[str, Any], ...]:
    import yaml

    folder = shipped("infra/wanted")
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    return tuple(sorted(files, key=lambda each: KINDS.index(each["kind"])))


def wanted(values: Values) -> list[Resource]:
    """In an order in which each can be made."""
    holds = values.conditions()
    found = []
    for file in _files():
        for item in file["resources"]:
            if holds.issuperset(item.get("when", ())):
                copies = values.items(item["each"]) if "each" in item else [None]
                found += [_resource(file["kind"], item, file.get("defaults", {}), values, each) for each in copies]
    found += [_version(each) for each in found if each.kind == "secret" and each.generated]
    there = {each.key for each in found}
    found = [_closed(each, there, values) for each in found]
    return ordered([each for each in found if each.kind != "policy" or each.grants])


def _resource(kind: str, item: Mapping[str, Any], defaults: Mapping[str, Any], values: Values, each: Any) -> Resource:
    used: set[str] = set()
    own = str(values.filled(item["id"], used=set(), each=each))
    given = item.get("body", {})
    whole = given if isinstance(given, str) else merged(defaults, given)
    body = values.filled(whole, used=used, each=each, own=own)
    grants = tuple(_grant(grant, values) for grant in item.get("grants", ()))
    name = values.filled(item["name"], used=set(), each=each, own=own) if "name" in item else None
    after = {str(values.filled(key, used=set(), each=each)) for key in item.get("after", ())} | used
    return Resource(
        key=f"{kind}/{own}",
        kind=kind,
        name=str(name or (own if kind == "policy" else values.resource_name(kind, own))),
        why=str(values.filled(item["why"], used=set(), each=each)),
        body=body,
        grants=grants,
        after=frozenset(after),
        needs=frozenset(each.replace("version/", "secret/", 1) for each in used if each.startswith("version/")),
        **{flag: item[flag] for flag in ("data", "shared", "generated") if flag in item},
    )


def _version(secret: Resource) -> Resource:
    """The first text of a secret that is made here."""
    why = "32 random bytes, made when this is applied and shown nowhere"
    return Resource(
        key=f"version/{secret.id}",
        kind="version",
        name=secret.name,
        why=why,
        after=frozenset({secret.key}),
        generated=secret.generated,
    )


def _grant(grant: Mapping[str, Any], values: Values) -> Grant:
    used: set[str] = set()
    who = values.items(grant["members"]) if "members" in grant else grant["who"]
    return Grant(
        role=values.filled(grant["role"], used=used),
        members=tuple(values.member(str(values.filled(each, used=used))) for each in who),
        condition=values.filled(grant["condition"], used=used) if "condition" in grant else None,
        reason=grant.get("reason"),
    )


def _closed(resource: Resource, there: set[str], values: Values) -> Resource:
    """What it waits for; of a policy also the accounts that are not wanted here left out, and its own resource's first."""
    after = {key for key in resource.after if key in there}
    grants = resource.grants
    if resource.kind != "apis":
        after.add("apis/apis")
    if resource.kind in {"cluster", "network", "subnet", "address", "router", "nat"}:
        after.add("apis/cluster-apis")
    if resource.kind == "function":
        # The buildpack runs as the package account, with rights that it has by then.
        after |= {"policy/bucket/source", "policy/registry/functions", f"policy/project/{values.project}"} & there
    if resource.kind in IN_CLUSTER:
        after |= {key for key in there if key.startswith("cluster/")}
    if resource.kind == "object" and "Binding/" in resource.key:
        after |= {resource.key.replace("Binding/", "/")} & there
    if resource.kind == "copy":
        after |= {each.replace("secret/", "version/") for each in after} & there
    if resource.kind == "release":
        after |= {key for key in there if key.startswith(("namespace/", "object/"))}
    if resource.kind in {"application", "pipeline"}:
        after |= {key for key in there if key.startswith(("release/", "catalog/"))}
    if resource.kind == "policy":
        after |= {resource.id} & there
        accounts = {
            f"serviceAccount:{values.resource_name('account', key.partition('/')[2])}": key
            for key in there
            if key.startswith("account/")
        }
        own = f"{values.name}-"
        kept = []
        for grant in grants:
            members = tuple(
                each
                for each in grant.members
                if each in accounts
                or not (
                    each.startswith(f"serviceAccount:{own}")
                    and each.endswith(f"@{values.project}.iam.gserviceaccount.com")
                )
            )
            after |= {accounts[each] for each in members if each in accounts}
            after |= {
                key
                for key in there
                if key.startswith("agent/") and any(f"gcp-sa-{key[6:]}." in each for each in members)
            }
            if members:
                kept.append(Grant(role=grant.role, members=members, condition=grant.condition, reason=grant.reason))
        grants = tuple(kept)
        if any(".svc.id.goog[" in each for grant in grants for each in grant.members):
            after |= {
                key for key in there if key.startswith("cluster/")
            }  # the pool of identities is made with the cluster
        if resource.id.startswith("project/"):
            after |= {key for key in there if key.startswith("role/")}
    for secret in resource.needs:
        after |= {secret, f"policy/{secret}"} & there
    return Resource(
        **{
            name: getattr(resource, name)
            for name in ("key", "kind", "name", "why", "body", "data", "shared", "generated", "needs")
        },
        grants=grants,
        after=frozenset(after),
    )


def ordered(resources: Sequence[Resource]) -> list[Resource]:
    """Each after what it waits for; else as they stood."""
    done: set[str] = set()
    waiting = list(resources)
    found: list[Resource] = []
    while waiting:
        ready = next((each for each in waiting if each.after <= done), None)
        if ready is None:
            raise PermanentError(f"infra/wanted: these wait for each other: {', '.join(each.key for each in waiting)}")
        waiting.remove(ready)
        found.append(ready)
        done.add(ready.key)
    return found


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(dict(under))
    for key, value in over.items():
        standing = found.get(key)
        found[key] = merged(standing, value) if isinstance(standing, Mapping) and isinstance(value, Mapping) else value
    return found
