"""One class for each kind of resource."""

from collections.abc import Mapping

from downwind.bootstrap.kinds import (
    builds,
    compute,
    identities,
    messages,
    network,
    objects,
    policies,
    releases,
    spinnaker,
    storage,
)
from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.values import Values


def kinds(values: Values) -> Mapping[str, Kind]:
    classes: Mapping[str, type[Kind]] = {
        "apis": identities.Apis,
        "account": identities.Accounts,
        "role": identities.Roles,
        "agent": identities.Agents,
        "bucket": storage.Buckets,
        "registry": storage.Registries,
        "secret": storage.Secrets,
        "version": storage.Versions,
        "connection": builds.Connections,
        "repository": builds.Repositories,
        "trigger": builds.Triggers,
        "network": network.Networks,
        "subnet": network.Subnets,
        "address": network.Addresses,
        "router": network.Routers,
        "nat": network.Nats,
        "cluster": compute.Clusters,
        "package": storage.Packages,
        "function": compute.Functions,
        "topic": messages.Topics,
        "subscription": messages.Subscriptions,
        "job": messages.Jobs,
        "policy": policies.Policies,
        "namespace": objects.Namespaces,
        "object": objects.Objects,
        "copy": objects.Copies,
        "release": releases.Releases,
        "application": spinnaker.Applications,
        "pipeline": spinnaker.Pipelines,
        "catalog": spinnaker.Catalogs,
    }
    return {name: made(values) for name, made in classes.items()}
