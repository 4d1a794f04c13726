"""Reads what the checks of `downwind.soundness` judge: clusters, their probes, and the saved pipelines. Writes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from downwind.model.catalog import Environment, Registered
from downwind.perform.world import World
from downwind.ports import Cluster
from downwind.soundness.admission import check_admission, probe_of
from downwind.soundness.finding import Finding
from downwind.soundness.pipeline import check_pipeline

SEQUENCE_POLICY = "sequence.downwind.dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`checked`: a sentence for each thing that was looked at, found sound or not."""

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]


def verify(
    world: World,
    clusters: Sequence[Cluster],
    applications: Sequence[Registered],
    shipped: Sequence[Mapping[str, Any]],
) -> Verdict:
    """`shipped`: the policies and bindings as this version brings them. Raises what a system says that does not answer: an
    installation that could not be looked at is neither sound nor unsound."""
    findings: list[Finding] = []
    checked: list[str] = []
    served: set[str] = set()
    places = [(each, environment) for each in applications for environment in each.application.environments]
    for cluster in clusters:
        labels = {name: cluster.namespace(name) for name in sorted({each.namespace for _, each in places})}
        namespaces = {name: found for name, found in labels.items() if found is not None}
        served.update(namespaces)
        findings += check_admission(cluster.name, cluster.admission(), shipped, namespaces)
        checked.append(f"cluster {cluster.name}: admission policies and bindings, as shipped")
        for registered, environment in places:
            if environment.namespace in namespaces:
                owner = f"{registered.application.name}/{environment.name}"
                findings += probe(cluster, owner, environment)
                checked.append(
                    f"cluster {cluster.name}: a lower sequence of {owner} is tried in {environment.namespace}"
                )
    asked = ", ".join(cluster.name for cluster in clusters)
    for registered, environment in places:
        application = registered.application
        if environment.namespace not in served:
            findings.append(
                Finding(
                    where=f"{application.name}/{environment.name}",
                    what=f"its namespace {environment.namespace} is in none of the clusters asked ({asked})",
                    fix="name its cluster too (--context), or make the namespace",
                )
            )
        config = world.pipelines.config(environment.pipeline_application, environment.pipeline)
        document = config.document if config is not None else None
        findings += check_pipeline(application, environment, document, world.bundles_bucket)
        checked.append(
            f"pipeline {environment.pipeline_application}/{environment.pipeline}: precondition, fence, bundle"
        )
    return Verdict(findings=tuple(findings), checked=tuple(dict.fromkeys(checked)))


def probe(cluster: Cluster, owner: str, environment: Environment) -> Iterator[Finding]:
    """The policy may stand and still not count: only a write tells. A dry run leaves nothing behind."""
    fence = cluster.annotations(environment.namespace, f"downwind.{owner.replace('/', '.')}")
    probe = probe_of(owner, environment.namespace, fence)
    sequence = probe["metadata"]["annotations"]["downwind.dev/sequence"]
    where = f"cluster {cluster.name}, namespace {environment.namespace}"
    tried = f"the fence of {owner} with sequence {sequence or 'none'} (server-side dry run)"
    answer = cluster.dry_run(probe)
    if answer is None:
        yield Finding(
            where=where,
            what=f"{tried} was taken: an older rollout would be let in",
            fix="a policy counts a second after it was applied; then look at its binding and this namespace's labels",
        )
    elif f"'{SEQUENCE_POLICY}'" not in answer:
        yield Finding(
            where=where,
            what=f"{tried} was refused, but not by {SEQUENCE_POLICY}: {answer}",
            fix="let ConfigMaps of Downwind pass the other policy",
        )
