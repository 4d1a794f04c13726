"""A small Kubernetes: one object store with apply, delete, and our admission policy; no controllers, no pods.

A new store holds the shipped admission policy. It is enforced while it stands and its binding denies, as on a real one;
but by the shipped rules in Python, whatever its expressions say.

Different from a real cluster, on purpose: namespaces need not be created; an apply replaces all of the object that the
manifest can say (kubectl's three-way merge does the same, when only manifests change the object); workloads are ready
at once, unless an image of theirs has no digest or the object bears the annotation `local.downwind.dev/fail: "true"`:
then they fail at once, where a real Deployment would take its progress deadline.
"""

import copy
import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from downwind.local.cluster_policy import FENCE_POLICY, SEQUENCE_POLICY, denial, refuse_delete, refuse_write
from downwind.local.cluster_workloads import status_of
from downwind.shipped import admission_policy

_CLUSTER_SCOPED = frozenset(
    {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume", "StorageClass"}
    | {"PriorityClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "IngressClass", "APIService"}
)
_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
# What the API server itself writes; a manifest cannot.
_OF_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")

Object = dict[str, Any]


class ApiError(Exception):
    """What the API server answered instead of doing it: `status` (HTTP), `reason` (Kubernetes' word), text as kubectl
    prints it after `Error from server (<reason>): `."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Cluster:
    """Objects survive a kill -9 (sqlite under `data`). Safe to use from several threads; a write is one atomic step, as
    on the API server, so the policy is a compare-and-set here too."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(data / "cluster.db", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects "
            "(namespace TEXT, kind TEXT, name TEXT, body TEXT, PRIMARY KEY (namespace, kind, name))"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS version (last INTEGER)")
        self._lock = threading.RLock()
        if self._db.execute("SELECT 1 FROM version").fetchone() is None:
            for document in admission_policy():
                self.apply(document)

    def stop(self) -> None:
        with self._lock:
            self._db.close()

    def apply(self, manifest: Mapping[str, Any], *, may_override: bool = False, dry_run: bool = False) -> Object:
        """Creates or replaces; the object as stored. ApiError: not an object (400, 422), or the policy said no (403).
        `may_override`: the caller has the verb `override` on sequences.downwind.dev (break-glass)."""
        new = _checked(manifest)
        place = (new["metadata"].get("namespace", ""), new["kind"], new["metadata"]["name"])
        return self.write(*place, lambda _old: new, may_override=may_override, dry_run=dry_run)

    def create(self, manifest: Mapping[str, Any], *, may_override: bool = False, dry_run: bool = False) -> Object:
        """As `apply`, of an object that must not be there yet (409). The policy is asked first, as if there were none."""
        new = _checked(manifest)
        with self._lock:
            self._review(new, None, may_override=may_override)
            if self.get(new["metadata"].get("namespace", ""), new["kind"], new["metadata"]["name"]) is not None:
                text = f'{_resource(new["kind"], "")} "{new["metadata"]["name"]}" already exists'
                raise ApiError(409, "AlreadyExists", text)
            return self.apply(manifest, may_override=may_override, dry_run=dry_run)

    def write(
        self,
        namespace: str,
        kind: str,
        name: str,
        change: Callable[[Object | None], Mapping[str, Any]],
        *,
        may_override: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Reads, changes and writes as one atomic step; with `dry_run` all but the writing. ApiError as of `apply`."""
        with self._lock:
            old = self.get(namespace, kind, name)
            new = _checked(change(copy.deepcopy(old)))
            metadata = new["metadata"]
            refusal = (
                refuse_write(new, old, may_override=may_override) if self._enforced(SEQUENCE_POLICY, new) else None
            )
            if refusal is not None:
                raise _forbidden(new, SEQUENCE_POLICY, refusal)
            if old is not None and _as_written(old) == _as_written(new):
                return old
            metadata["uid"] = old["metadata"]["uid"] if old else str(uuid.uuid4())
            metadata["creationTimestamp"] = old["metadata"]["creationTimestamp"] if old else _now()
            metadata["generation"] = _generation(new, old)
            new |= status_of(new)
            if dry_run:
                return new
            metadata["resourceVersion"] = str(self._next_version())
            self._db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
                (metadata.get("namespace", ""), new["kind"], metadata["name"], json.dumps(new)),
            )
            return new

    def delete(
        self, namespace: str, kind: str, name: str, *, may_override: bool = False, dry_run: bool = False
    ) -> None:
        """ApiError: no such object (404), or the policy keeps it (403)."""
        with self._lock:
            old = self.get(namespace, kind, name)
            if old is None:
                raise ApiError(404, "NotFound", f'{_resource(kind, "")} "{name}" not found')
            refusal = refuse_delete(old, may_override=may_override) if self._enforced(FENCE_POLICY, old) else None
            if refusal is not None:
                raise _forbidden(old, FENCE_POLICY, refusal)
            if dry_run:
                return
            self._db.execute(
                "DELETE FROM objects WHERE namespace = ? AND kind = ? AND name = ?", (namespace_of(old), kind, name)
            )

    def get(self, namespace: str, kind: str, name: str) -> Object | None:
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM objects WHERE namespace = ? AND kind = ? AND name = ?",
                ("" if kind in _CLUSTER_SCOPED else namespace, kind, name),
            ).fetchone()
        return json.loads(row[0]) if row else None

    def list(self, namespace: str | None = None, kind: str | None = None) -> list[Object]:
        """By namespace, kind and name; None: all, but admission policies are listed by their kind only."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM objects WHERE (?1 IS NULL OR namespace = ?1) AND (?2 IS NULL OR kind = ?2) "
                "ORDER BY namespace, kind, name",
                (namespace, kind),
            ).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return [item for item in found if kind is not None or item["kind"] not in {_POLICY, _BINDING}]

    def _review(self, new: Object, old: Object | None, *, may_override: bool) -> None:
        refusal = refuse_write(new, old, may_override=may_override) if self._enforced(SEQUENCE_POLICY, new) else None
        if refusal is not None:
            raise _forbidden(new, SEQUENCE_POLICY, refusal)

    def _enforced(self, policy: str, item: Object) -> bool:
        """Does a binding deny what the policy refuses, in the namespace of this object?"""
        if self.get("", _POLICY, policy) is None:
            return False
        bindings = [each["spec"] for each in self.list(kind=_BINDING)]
        return any(
            each.get("policyName") == policy
            and "Deny" in each.get("validationActions", ())
            and _selects(each, namespace_of(item))
            for each in bindings
        )

    def _next_version(self) -> int:
        row = self._db.execute("SELECT last FROM version").fetchone()
        version = int(row[0]) + 1 if row else 1
        self._db.execute("UPDATE version SET last = ?" if row else "INSERT INTO version VALUES (?)", (version,))
        return version


def _selects(binding: Mapping[str, Any], namespace: str) -> bool:
    """The binding's namespaceSelector on the one label that every namespace has; a cluster-wide object is always taken."""
    selector = (binding.get("matchResources") or {}).get("namespaceSelector") or {}
    name = {"kubernetes.io/metadata.name": namespace}
    wanted = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    return not namespace or (
        all(name.get(key) == value for key, value in wanted.items())
        and all((name.get(rule["key"]) in (rule.get("values") or [])) == (rule["operator"] == "In") for rule in rules)
    )


def namespace_of(item: Mapping[str, Any]) -> str:
    return str(item["metadata"].get("namespace", ""))


def _checked(manifest: Mapping[str, Any]) -> Object:
    """A copy with what the API server fills in; refuses what it could not decode."""
    new = copy.deepcopy(dict(manifest))
    metadata = new.get("metadata")
    if not isinstance(new.get("apiVersion"), str) or not isinstance(new.get("kind"), str):
        raise ApiError(400, "BadRequest", "Object 'Kind' or 'apiVersion' is missing")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise ApiError(422, "Invalid", f"{new['kind']} is invalid: metadata.name: Required value")
    for key in ("annotations", "labels"):
        for name, value in (metadata.get(key) or {}).items():
            if not isinstance(value, str):
                raise ApiError(
                    400,
                    "BadRequest",
                    f'{new["kind"]} in version "{_version(new)}" cannot be handled as a {new["kind"]}: json: cannot '
                    f"unmarshal {type(value).__name__} into Go struct field ObjectMeta.metadata.{key} of type string "
                    f"({name})",
                )
    for key in _OF_THE_SERVER:
        metadata.pop(key, None)
    new.pop("status", None)
    if new["kind"] in _CLUSTER_SCOPED:
        metadata.pop("namespace", None)
    else:
        metadata.setdefault("namespace", "default")
    return new


def _as_written(item: Object) -> Object:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _OF_THE_SERVER and value}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _generation(new: Object, old: Object | None) -> int:
    if old is None:
        return 1
    return int(old["metadata"]["generation"]) + (new.get("spec") != old.get("spec"))


def _forbidden(item: Object, policy: str, refusal: str) -> ApiError:
    resource = _resource(item["kind"], item["apiVersion"].rpartition("/")[0])
    name = item["metadata"]["name"]
    return ApiError(403, "Forbidden", f'{resource} "{name}" is forbidden: {denial(policy, refusal)}')


def is_namespaced(kind: str) -> bool:
    return kind not in _CLUSTER_SCOPED


def plural_of(kind: str, api_version: str) -> str:
    """As in an address; with the group, where there is one, as in an error."""
    return _resource(kind, api_version.rpartition("/")[0])


def _resource(kind: str, group: str) -> str:
    word = kind.lower()
    plural = word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("s") else "s")
    return f"{plural}.{group}" if group else plural


def _version(item: Object) -> str:
    return str(item["apiVersion"]).rpartition("/")[2]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
