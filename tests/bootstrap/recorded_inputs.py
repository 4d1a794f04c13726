"""What recordings of gcloud are about, as resources of ours: the same names, the same values."""

from collections.abc import Mapping
from typing import Any

from tests.bootstrap.recorded_ways import MARK, account, made, member

PLACE = "projects/demo-proj/locations/us-central1"
ROOT = "projects/demo-proj"
AGENT = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
VERSION = {"policy.version": "3 is the version that keeps conditions; gcloud leaves 1 where it read 1"}
ETAG = {"policy.etag": "of what was read then"}
PUSH = {
    "topic": f"{ROOT}/topics/cloud-builds",
    "ackDeadlineSeconds": 600,
    "messageRetentionDuration": "604800s",
    "expirationPolicy": {},
    "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
    "pushConfig": {
        "pushEndpoint": "https://svc-abc-uc.a.run.app/",
        "oidcToken": {"serviceAccountEmail": account("pusher"), "audience": "https://svc-abc-uc.a.run.app"},
    },
    "deadLetterPolicy": {"deadLetterTopic": f"{ROOT}/topics/deploys-dlq", "maxDeliveryAttempts": 10},
    "filter": 'attributes.status="SUCCESS"',
}
PULL = {
    "topic": f"{ROOT}/topics/deploys-dlq",
    "messageRetentionDuration": "2678400s",
    "expirationPolicy": {},
    "ackDeadlineSeconds": 60,
    "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
}
POOL = {
    "serviceAccount": account("gke-nodes"),
    "oauthScopes": [
        "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/userinfo.email",
    ],
}
CLUSTER = {
    "releaseChannel": {"channel": "REGULAR"},
    "networkConfig": {"defaultEnablePrivateNodes": True},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    "ipAllocationPolicy": {"useIpAliases": True, "createSubnetwork": False},
}
AUTOPILOT = made(
    "cluster/autopilot",
    "spin",
    {
        **CLUSTER,
        "autopilot": {"enabled": True},
        "nodePools": [{"name": "default-pool", "initialNodeCount": 1, "config": POOL}],
    },
)
STANDARD = made(
    "cluster/standard",
    "std",
    {
        **CLUSTER,
        "workloadIdentityConfig": {"workloadPool": "demo-proj.svc.id.goog"},
        "shieldedNodes": {"enabled": True},
        "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
        "monitoringConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]}},
        "nodePools": [
            {
                "name": "default-pool",
                "initialNodeCount": 1,
                "autoscaling": {"enabled": True, "minNodeCount": 1, "maxNodeCount": 3},
                "management": {"autoRepair": True, "autoUpgrade": True},
                "upgradeSettings": {"maxSurge": 1},
                "config": {**POOL, "machineType": "e2-standard-4", "workloadMetadataConfig": {"mode": "GKE_METADATA"}},
            }
        ],
    },
)
GKE_LABELS = {"cluster.resourceLabels": MARK, "cluster.nodePools.0.config.resourceLabels": MARK}
FUNCTION = made(
    "function/on-push",
    "on-push",
    {
        "buildConfig": {
            "runtime": "python313",
            "entryPoint": "on_push",
            "serviceAccount": f"projects/demo-proj/serviceAccounts/{account('builder')}",
            "dockerRepository": f"{PLACE}/repositories/downwind-functions",
            "source": {"storageSource": {"bucket": "demo-proj-downwind-source", "object": "functions/0.zip"}},
        },
        "serviceConfig": {
            "serviceAccountEmail": account("fn-build"),
            "ingressSettings": "ALLOW_INTERNAL_ONLY",
            "availableCpu": "1",
            "availableMemory": "512Mi",
            "timeoutSeconds": 300,
            "minInstanceCount": 0,
            "maxInstanceCount": 5,
            "maxInstanceRequestConcurrency": 8,
            "environmentVariables": {"THREADS": "8"},
        },
    },
)
REGISTRY = made("registry/images", "apps", {"format": "DOCKER", "dockerConfig": {"immutableTags": True}})
REPOSITORY = made("repository/shop", "shop", {"connection": "gh", "remoteUri": "https://github.com/acme/shop.git"})
CONNECTION = made(
    "connection/github",
    "gh",
    {
        "githubConfig": {
            "appInstallationId": "123",
            "authorizerCredential": {"oauthTokenSecretVersion": f"{ROOT}/secrets/gh/versions/1"},
        }
    },
)
TRIGGER = made(
    "trigger/shop",
    "shop-main2",
    {
        "filename": "cloudbuild.yaml",
        "serviceAccount": f"{ROOT}/serviceAccounts/{account('builder')}",
        "repositoryEventConfig": {
            "repository": f"{PLACE}/connections/gh/repositories/shop",
            "push": {"branch": "^main$"},
        },
    },
)
LEDGER: Mapping[str, Any] = {
    "location": "us-central1",
    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"},
    "softDeletePolicy": {"retentionDurationSeconds": "604800"},
    "retentionPolicy": {"retentionPeriod": "2592000"},
    "lifecycle": {
        "rule": [{"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 30, "numNewerVersions": 3}}]
    },
}
BUCKET = made("bucket/ledger", "demo-proj-ledger", LEDGER)
VERSIONED = made("bucket/ledger", "demo-proj-ledger", {**LEDGER, "versioning": {"enabled": True}})
LONGER = made("bucket/ledger", "demo-proj-ledger", {**LEDGER, "retentionPolicy": {"retentionPeriod": "5184000"}})
TOPIC = made("topic/cloud-builds", "cloud-builds", {"messageRetentionDuration": "604800s"})
DEAD = made("topic/dead-letters", "deploys-dlq", {"messageRetentionDuration": "2678400s"})
SECRET = made("secret/webhooks", "webhook-hmac", {"replication": {"automatic": {}}})
TOKEN = made("secret/gate-token", "gate-token", {"replication": {"automatic": {}}})
JOB = made(
    "job/tick",
    "tick",
    {
        "schedule": "*/5 * * * *",
        "timeZone": "Etc/UTC",
        "pubsubTarget": {"topicName": f"{ROOT}/topics/deploys-dlq", "data": "e30="},
    },
)
OFTEN = made("job/tick", "tick", {**JOB.body, "schedule": "*/10 * * * *"})
RIGHTS = ["cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list"]
ROLE = made(
    "role/start-builds",
    "downwindBuildStarter",
    {"title": "Downwind build starter", "includedPermissions": RIGHTS, "stage": "GA"},
)
WORKER = made("account/build", account("fn-build"), {"displayName": "Downwind-build"})
RENAMED = made("account/build", account("fn-build"), {"displayName": "new"})
BUILDER = made("account/builder", account("builder"), {"displayName": "Builder"})
SUBSCRIPTION = made("subscription/builds", "builds-push", PUSH)
MOVED = made(
    "subscription/builds",
    "builds-push",
    {
        **PUSH,
        "ackDeadlineSeconds": 300,
        "deadLetterPolicy": {"deadLetterTopic": f"{ROOT}/topics/deploys-dlq", "maxDeliveryAttempts": 20},
        "pushConfig": {
            "pushEndpoint": "https://svc2-abc-uc.a.run.app/",
            "oidcToken": {"serviceAccountEmail": account("pusher"), "audience": "https://svc2-abc-uc.a.run.app"},
        },
    },
)
APIS = ["pubsub.googleapis.com", "run.googleapis.com", "cloudbuild.googleapis.com"]
NETWORK = made(
    "network/main", "downwind", {"autoCreateSubnetworks": False, "routingConfig": {"routingMode": "REGIONAL"}}
)
SUBNET = made(
    "subnet/nodes",
    "downwind-nodes",
    {
        "network": f"{ROOT}/global/networks/downwind",
        "ipCidrRange": "10.60.0.0/20",
        "privateIpGoogleAccess": True,
    },
)
ADDRESS = made(
    "address/gate",
    "downwind-gate",
    {
        "address": "10.60.15.250",
        "addressType": "INTERNAL",
        "purpose": "GCE_ENDPOINT",
        "subnetwork": f"{ROOT}/regions/us-central1/subnetworks/downwind-nodes",
    },
)
ROUTER = made("router/out", "downwind-out", {"network": f"{ROOT}/global/networks/downwind"})
NAT = made(
    "nat/nat",
    "downwind-nat",
    {
        "router": "downwind-out",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    },
)
WHOLE = "gcloud sends the address of the API before it"
HELD = {"etag": "ZXRhZzE0", "bindings": [{"role": "roles/cloudbuild.builds.editor", "members": [member("fn-build")]}]}
NO_CHECKSUM = "gcloud adds a checksum; ours has TLS alone"
OURS_BEGIN = "our names begin with the installation's"
LESS = "how much of the bucket is answered"
READ_BACK = (
    *("etag", "generation", "iamConfiguration", "id", "kind", "location", "locationType", "metageneration", "name"),
    *("projectNumber", "retentionPolicy", "softDeletePolicy", "storageClass", "timeCreated", "updated"),
)
ROUTER_READ = ("creationTimestamp", "description", "id", "kind", "name", "network", "selfLink")
LISTED = (
    *("buckets", "clusters", "connections", "eventarc", "functions", "jobs", "repositories", "run", "secrets"),
    *("service-accounts", "subscriptions", "topics", "triggers"),
)
IN_PATH = "the address holds it"
CONNECTION_GRANT = (
    *("gcloud", "builds", "connections", "add-iam-policy-binding", "gh", "--region=us-central1"),
    *(f"--member={member('build')}", "--role=roles/cloudbuild.readTokenAccessor", "--project=demo-proj"),
)
