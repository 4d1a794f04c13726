"""What we know of Kubernetes' built-in kinds: Clouddriver's order of deploying, and which live in a namespace."""

# Clouddriver 2026.2.3, KubernetesHandler.DeployPriority and the `deployPriority` of each handler: lower goes first.
_PRIORITIES: dict[int, tuple[str, ...]] = {
    0: ("Namespace",),
    20: ("ClusterRole", "Role"),
    30: ("ClusterRoleBinding", "RoleBinding", "CustomResourceDefinition"),
    40: (
        "MutatingWebhookConfiguration",
        "PersistentVolume",
        "ServiceAccount",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    ),
    50: ("ConfigMap", "PersistentVolumeClaim", "Secret"),
    70: ("Ingress", "NetworkPolicy", "Service"),
    80: ("APIService",),
    90: ("LimitRange", "PodDisruptionBudget"),
    100: ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"),
    110: ("HorizontalPodAutoscaler",),
}
_PRIORITY = {kind: number for number, kinds in _PRIORITIES.items() for kind in kinds}
_LOWEST_PRIORITY = 1000

# API group to kinds. What is not here (custom resources, newer kinds) keeps the namespace that it has, or none.
_NAMESPACED: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            "ConfigMap",
            "Endpoints",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        }
    ),
    "apps": frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}),
    "autoscaling": frozenset({"HorizontalPodAutoscaler"}),
    "batch": frozenset({"CronJob", "Job"}),
    "coordination.k8s.io": frozenset({"Lease"}),
    "discovery.k8s.io": frozenset({"EndpointSlice"}),
    "networking.k8s.io": frozenset({"Ingress", "NetworkPolicy"}),
    "policy": frozenset({"PodDisruptionBudget"}),
    "rbac.authorization.k8s.io": frozenset({"Role", "RoleBinding"}),
}


def group_of(api_version: str) -> str:
    """`apps` of `apps/v1`; "" for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def priority(kind: str) -> int:
    """Clouddriver's place for a kind; kinds that it does not know go last."""
    return _PRIORITY.get(kind, _LOWEST_PRIORITY)


def is_namespaced(api_version: str, kind: str) -> bool:
    """True for built-in kinds that live in a namespace. False: cluster-wide, or not known here."""
    return kind in _NAMESPACED.get(group_of(api_version), frozenset())
