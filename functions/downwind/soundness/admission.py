"""Do the admission policies stand in a cluster as they are shipped, and do their bindings deny where the catalog deploys?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.soundness.finding import Finding, differences

_SHOWN = 5
_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_NARROWING = ("objectSelector", "resourceRules", "excludeResourceRules")
_FILLED_IN = (("scope", "*"), ("matchPolicy", "Equivalent"))
Document = Mapping[str, Any]


def check_admission(
    cluster: str,
    found: Sequence[Document],
    shipped: Sequence[Document],
    namespaces: Mapping[str, Mapping[str, str]],
) -> list[Finding]:
    """`found`: every policy and binding of the cluster. `namespaces`: those that the catalog deploys into, with their labels."""
    fix = f"kubectl --context {cluster} apply --filename infra/admission/sequence-policy.yaml"
    findings = []
    for policy in (each for each in shipped if each["kind"] == _POLICY):
        name = policy["metadata"]["name"]
        where = f"cluster {cluster}, {_POLICY} {name}"
        standing = next((each for each in found if each["kind"] == _POLICY and each["metadata"]["name"] == name), None)
        if standing is None:
            findings.append(Finding(where=where, what="is not there: nothing refuses an older rollout", fix=fix))
            continue
        differing = list(differences(plain(policy["spec"]), plain(standing["spec"]), "spec"))
        if differing:
            more = [f"and {len(differing) - _SHOWN} more"] if len(differing) > _SHOWN else []
            what = f"was edited: {', '.join(differing[:_SHOWN] + more)}"
            findings.append(Finding(where=where, what=what, fix=fix))
        bindings = [each for each in found if each["kind"] == _BINDING and each["spec"].get("policyName") == name]
        findings += _bindings(cluster, name, bindings, namespaces, fix)
    return findings


def _bindings(
    cluster: str, policy: str, bindings: Sequence[Document], namespaces: Mapping[str, Mapping[str, str]], fix: str
) -> Iterator[Finding]:
    """One binding that denies everywhere is enough; what others do beside it does not matter."""
    if not bindings:
        where = f"cluster {cluster}, {_BINDING} of {policy}"
        yield Finding(where=where, what="is not there: the policy counts nowhere", fix=fix)
        return
    left_out = []
    for binding in bindings:
        reason = _why_it_denies_little(binding["spec"])
        excluded = [name for name, labels in sorted(namespaces.items()) if not _selects(binding["spec"], labels)]
        if reason is None and not excluded:
            return
        what = reason or f"its namespaceSelector leaves out {', '.join(excluded)}"
        where = f"cluster {cluster}, {_BINDING} {binding['metadata']['name']}"
        left_out.append(Finding(where=where, what=what, fix=fix))
    yield from left_out


def _why_it_denies_little(spec: Document) -> str | None:
    actions = list(spec.get("validationActions") or ())
    if "Deny" not in actions:
        return f"its validationActions are [{', '.join(actions)}], without Deny: a refusal is only noted"
    if spec.get("paramRef"):
        return "it has a paramRef, which the policy does not take"
    resources = spec.get("matchResources") or {}
    narrow = [key for key in _NARROWING if resources.get(key)]
    return f"its matchResources.{narrow[0]} lets objects past" if narrow else None


def _selects(spec: Document, labels: Mapping[str, str]) -> bool:
    """kubernetes.io/docs/concepts/overview/working-with-objects/labels: all requirements together."""
    selector = (spec.get("matchResources") or {}).get("namespaceSelector") or {}
    by_label = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return by_label and all(_meets(rule, labels) for rule in selector.get("matchExpressions") or ())


def _meets(rule: Document, labels: Mapping[str, str]) -> bool:
    there = rule["key"] in labels
    listed = there and labels[rule["key"]] in (rule.get("values") or ())
    return bool({"In": listed, "NotIn": not listed, "Exists": there, "DoesNotExist": not there}.get(rule["operator"]))


def plain(value: Any) -> Any:
    """Without what the API server fills in: empty selectors, the scope of a rule that names none, and how rules match."""
    if isinstance(value, Mapping):
        kept = {key: plain(each) for key, each in value.items() if (key, each) not in _FILLED_IN}
        return {key: each for key, each in kept.items() if each not in ({}, [], None)}
    return [plain(each) for each in value] if isinstance(value, list) else value


def probe_of(owner: str, namespace: str, fence: Mapping[str, str] | None) -> dict[str, Any]:
    """A write that has to be refused: of the standing fence (its annotations) with a lower sequence; where there is none,
    or none lower, of a fence without a sequence."""
    standing = (fence or {}).get("downwind.dev/sequence", "0")
    lower = str(int(standing) - 1) if standing.isdecimal() and int(standing) > 0 else ""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"downwind.{owner.replace('/', '.')}",
            "namespace": namespace,
            "labels": {"downwind.dev/fence": "true"},
            "annotations": {
                "downwind.dev/owner": owner,
                "downwind.dev/sequence": lower,
                "downwind.dev/attempt": "0",
                "downwind.dev/execution": "downwind-verify",
            },
        },
    }
