"""The rules of infra/admission/sequence-policy.yaml in Python, with the same outcomes and the same messages.

Pure. The YAML is the original, tested on a real API server; this stands in for it where there is none. Rules are in the
YAML's order, since the first one that refuses gives the message. Left out: the audit annotations (nobody reads an audit
log here) and the deletion of a whole namespace, which the local cluster has not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEQUENCE_POLICY = "sequence.downwind.dev"
FENCE_POLICY = "fence.downwind.dev"
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})

_MARKS = ("downwind.dev/owner", "downwind.dev/sequence", "downwind.dev/attempt", "downwind.dev/execution")
_FENCE = "downwind.dev/fence"
_OVERRIDE = "downwind.dev/sequence-override"
# CEL's matches() is RE2 with ASCII classes; a whole number has no leading zeros and fits int64.
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17})")
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_OWNER = re.compile(f"{_LABEL}/{_LABEL}")
_EXECUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

Object = Mapping[str, Any]


def denial(policy: str, message: str) -> str:
    """How the API server words a refusal by a policy; the object's name comes before it."""
    return f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {message}"


def refuse_write(new: Object, old: Object | None, *, may_override: bool = False) -> str | None:
    """CREATE (old is None) or UPDATE: the message of the rule that refuses, else None.
    `may_override`: the writer has the RBAC verb `override` on sequences.downwind.dev."""
    review = _Review(new, old, may_override)
    if _namespace(new) in SYSTEM_NAMESPACES or not review.ours or review.controlled:
        return None
    message = review.message()
    if message is not None and "\n" in message:
        # The API server shows no message with a line break in it, but the rule's expression (seen).
        return "failed expression: of infra/admission/sequence-policy.yaml"
    return message


def refuse_delete(old: Object, *, may_override: bool = False) -> str | None:
    """DELETE of a fence: only after the annotation `<sequence>->` was put on, and with the verb."""
    if old.get("kind") != "ConfigMap" or _FENCE not in _labels(old) or _namespace(old) in SYSTEM_NAMESPACES:
        return None
    marks = _annotations(old)
    sequence = marks.get("downwind.dev/sequence", "")
    if may_override and marks.get(_OVERRIDE, "") == f"{sequence}->":
        return None
    owner, execution = marks.get("downwind.dev/owner", "?"), marks.get("downwind.dev/execution", "?")
    return (
        f"ConfigMap {_namespace(old)}/{_name(old)} is the fence of {owner} and may not be deleted: "
        f"execution {execution} holds sequence {marks.get('downwind.dev/sequence', '?')}"
    )


@dataclass(frozen=True)
class _Review:
    """The policy's variables, by the same names, as properties."""

    new: Object
    old: Object | None
    may_override: bool

    @property
    def na(self) -> Mapping[str, str]:
        return _annotations(self.new)

    @property
    def oa(self) -> Mapping[str, str]:
        return _annotations(self.old or {})

    @property
    def mark(self) -> str | None:
        return _labels(self.new).get(_FENCE)

    @property
    def old_mark(self) -> str | None:
        return _labels(self.old or {}).get(_FENCE)

    @property
    def ours(self) -> bool:
        return any(_FENCE in _labels(o) or any(mark in _annotations(o) for mark in _MARKS) for o in self._both())

    @property
    def controlled(self) -> bool:
        """Copies that a controller makes (a Deployment's ReplicaSets) are left alone; a fence never is."""
        if any(_FENCE in _labels(o) for o in self._both()):
            return False
        owners = (self.old or self.new).get("metadata", {}).get("ownerReferences") or []
        return any(owner.get("controller") is True for owner in owners)

    @property
    def fence(self) -> bool:
        marked = self.mark is not None or self.old_mark is not None
        return marked or (self._config_map and self._owner_ok and _name(self.new) == self._fence_name)

    @property
    def bound(self) -> bool:
        return self.fence or any(k in self.na or k in self.oa for k in _MARKS[2:])

    @property
    def unchanged(self) -> bool:
        same_label = self.mark == self.old_mark
        return self.old is not None and same_label and all(self.na.get(k) == self.oa.get(k) for k in _MARKS)

    @property
    def overridden(self) -> bool:
        step = f"{self._old(1)}->{self._get(1)}"
        return self.na.get(_OVERRIDE, "") == step != self.oa.get(_OVERRIDE, "") and self.may_override

    def message(self) -> str | None:
        owner, seq, attempt, execution = (self._get(i) for i in range(4))
        old_owner, old_seq, old_attempt, old_execution = (self._old(i) for i in range(4))
        has, had = _MARKS[1] in self.na, _MARKS[1] in self.oa
        owned, had_owner = _MARKS[0] in self.na, _MARKS[0] in self.oa
        seq_ok, old_seq_ok = _is_number(seq), _is_number(old_seq)
        same_owner = owner == old_owner or not had_owner
        free = self.unchanged or (not has and self.overridden)
        name = self._shown_name
        if had_owner and not owned and (has or not self.overridden):
            return f"downwind.dev/owner of {name} may not be removed: it belongs to {old_owner}"
        if had_owner and owned and owner != old_owner and self.na.get("downwind.dev/adopt", "") != old_owner:
            return (
                f"{name} belongs to {old_owner}, not to {owner}: to take it over, "
                f'write downwind.dev/adopt: "{old_owner}" into the new manifest'
            )
        if owned and not self._owner_ok and not self.unchanged:
            return (
                f"downwind.dev/owner of {name} must be <application>/<environment> "
                f'(lower case letters, digits and -, at most 63 each), got "{owner}"'
            )
        whole = seq_ok and self._owner_ok and _is_number(attempt) and _EXECUTION.fullmatch(execution)
        if self.bound and not free and not whole:
            return (
                f"{name} needs downwind.dev/owner, sequence and attempt (whole numbers) and execution (an id), "
                f'got owner "{owner}", sequence "{seq}", attempt "{attempt}", execution "{execution}": '
                "start rollouts with `downwind deploy`"
            )
        right_place = self._config_map and self.mark == "true" and _name(self.new) == self._fence_name
        if self.fence and not free and not right_place:
            return (
                f"{name} is a fence: it must be a ConfigMap named {self._fence_name} with the label "
                'downwind.dev/fence: "true", which may not be removed (strategy.spinnaker.io/versioned: "false" '
                "keeps the name)"
            )
        if has and not seq_ok and not (had and seq == old_seq):
            return f'downwind.dev/sequence of {name} must be a whole number of at most 18 digits, got "{seq}"'
        if has and not had and not owned:
            return f"downwind.dev/sequence of {name} needs downwind.dev/owner: <application>/<environment> beside it"
        if old_seq_ok and not has and not self.overridden:
            return f"downwind.dev/sequence of {name} may not be removed (it is {old_seq})"
        if same_owner and old_seq_ok and seq_ok and int(seq) < int(old_seq) and not self.overridden:
            return (
                f"downwind.dev/sequence of {name} may not fall from {old_seq} to {seq}: a newer render is already live"
            )
        if not self.bound or not same_owner or self.unchanged or self.overridden or old_execution == "":
            return None
        if seq_ok and seq == old_seq and _is_number(old_attempt) and _is_number(attempt):
            repeated = attempt == old_attempt and execution == old_execution
            if int(attempt) <= int(old_attempt) and not repeated:
                return f"{name}: execution {old_execution} (attempt {old_attempt}) already holds sequence {old_seq}"
        if execution == old_execution and (seq, attempt) != (old_seq, old_attempt):
            return (
                f"{name}: execution {old_execution} stands for sequence {old_seq} (attempt {old_attempt}), so sequence "
                f"{seq} (attempt {attempt}) needs an execution of its own: start rollouts with `downwind deploy`"
            )
        return None

    def _both(self) -> tuple[Object, ...]:
        return (self.new,) if self.old is None else (self.new, self.old)

    def _get(self, index: int) -> str:
        return self.na.get(_MARKS[index], "")

    def _old(self, index: int) -> str:
        return self.oa.get(_MARKS[index], "")

    @property
    def _config_map(self) -> bool:
        return self.new.get("kind") == "ConfigMap" and self.new.get("apiVersion") == "v1"

    @property
    def _owner_ok(self) -> bool:
        return _OWNER.fullmatch(self._get(0)) is not None

    @property
    def _fence_name(self) -> str:
        return "downwind." + self._get(0).replace("/", ".")

    @property
    def _shown_name(self) -> str:
        namespace = _namespace(self.new)
        return f"{self.new.get('kind')} {namespace + '/' if namespace else ''}{_name(self.new)}"


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _annotations(item: Object) -> Mapping[str, str]:
    return item.get("metadata", {}).get("annotations") or {}


def _labels(item: Object) -> Mapping[str, str]:
    return item.get("metadata", {}).get("labels") or {}


def _namespace(item: Object) -> str:
    return str(item.get("metadata", {}).get("namespace") or "")


def _name(item: Object) -> str:
    return str(item.get("metadata", {}).get("name") or "")
