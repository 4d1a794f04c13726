"""For each recording of gcloud that a resource of ours has to do with: the request that we make for the same thing, and every
field in which it is another, with the reason. UNUSED names the other recordings, with theirs."""

from collections.abc import Mapping

from tests.bootstrap import recorded_inputs as of
from tests.bootstrap.recorded_ways import BACK, MARK, SPELLED, Case, change, create, delete, grant, made, member, read

CASES: Mapping[str, Case] = {
    # -- service accounts, roles, policies
    "sa-create": create(of.WORKER, differs={"serviceAccount.description": MARK}),
    "sa-create-builder": create(
        of.BUILDER, differs={"serviceAccount": "the recording names none of the two texts, of which one is our mark"}
    ),
    "sa-update": change(
        of.RENAMED,
        {},
        "displayName",
        differs={"serviceAccount.description": MARK, "updateMask": "both fields are always sent"},
    ),
    "sa-delete": delete(of.WORKER, differs={"path": "gcloud leaves the project out, which the address holds"}),
    "sa-describe-missing": read(of.WORKER, differs={"path": "gcloud leaves the project out, which the address holds"}),
    "iam-roles-create": create(of.ROLE, differs={"role.description": MARK}),
    "sa-add-iam": grant(
        "account/builder", "roles/iam.serviceAccountUser", member("fn-build"), differs={"path": of.OURS_BEGIN}
    ),
    "sa-add-iam-wi": grant(
        "account/fn-build",
        "roles/iam.workloadIdentityUser",
        "serviceAccount:demo-proj.svc.id.goog[spinnaker/spinnaker]",
        differs={"path": of.OURS_BEGIN},
    ),
    "project-add-iam-nocond": grant("project/demo-proj", "roles/cloudbuild.builds.editor", member("fn-build")),
    "project-add-iam-cond": grant(
        "project/demo-proj",
        "roles/secretmanager.secretAccessor",
        member("fn-build"),
        live=of.HELD,
        condition={
            "title": "downwind-secrets",
            "expression": 'resource.name.startsWith("projects/123456789012/secrets/downwind-")',
            "description": "only-ours",
        },
    ),
    "project-remove-iam-cond": grant(
        "project/demo-proj",
        "roles/cloudbuild.builds.editor",
        member("fn-build"),
        live={"etag": "ZXRhZzE2", "bindings": of.HELD["bindings"]},
    ),
    "project-get-iam": read(made("policy/project/demo-proj", "demo-proj")),
    "ar-add-iam": grant("registry/images", "roles/artifactregistry.writer", member("builder"), differs=of.VERSION),
    "pubsub-topic-add-iam": grant("topic/deploys-dlq", "roles/pubsub.publisher", of.AGENT, differs=of.VERSION),
    "pubsub-sub-add-iam": grant("subscription/builds-push", "roles/pubsub.subscriber", of.AGENT, differs=of.VERSION),
    "secret-add-iam": grant("secret/webhook-hmac", "roles/secretmanager.secretAccessor", member("fn-build")),
    "functions-add-invoker": grant(
        "function/on-push",
        "roles/run.invoker",
        member("pusher"),
        differs={**of.VERSION, **of.ETAG, "path": of.OURS_BEGIN},
    ),
    "run-add-iam": grant(
        "function/svc-image",
        "roles/run.invoker",
        member("pusher"),
        differs={**of.ETAG, "path": of.OURS_BEGIN},
    ),
    "storage-bucket-add-iam": grant(
        "bucket/ledger",
        "roles/storage.objectCreator",
        member("fn-build"),
        condition={
            "title": "only-events",
            "expression": 'resource.name.startsWith("projects/_/buckets/demo-proj-ledger/objects/events/")',
        },
        differs={"path": of.OURS_BEGIN},
    ),
    # -- APIs and agents
    "services-enable": create(made("apis/apis", "demo-proj", {"services": of.APIS})),
    "services-list": read(made("apis/apis", "demo-proj", {"services": of.APIS})),
    "services-identity-create": create(made("agent/pubsub", "pubsub.googleapis.com", {"proof": "topic/x"})),
    # -- buckets
    "storage-bucket-create": create(
        of.BUCKET, differs={"labels": MARK, "?enableObjectRetention": SPELLED, "?projection": of.LESS}
    ),
    "storage-bucket-update": change(
        of.VERSIONED,
        {"metageneration": "1"},
        *("versioning", "lifecycle", "labels"),
        differs={
            **dict.fromkeys(of.READ_BACK, "gcloud sends what it read; we send what is to change alone"),
            "labels": MARK,
            "?projection": of.LESS,
            "?ifMetagenerationMatch": "so that nobody's change meanwhile is lost",
        },
    ),
    "storage-bucket-clear-retention": change(
        of.LONGER,
        {"metageneration": "1"},
        "retentionPolicy.retentionPeriod",
        differs={"name": SPELLED, "?projection": of.LESS, "?ifMetagenerationMatch": "so that nobody's change is lost"},
    ),
    "storage-bucket-delete": delete(of.BUCKET),
    "storage-bucket-describe": read(of.BUCKET, differs={"?projection": of.LESS}),
    "storage-bucket-describe-raw": read(of.BUCKET, differs={"?projection": of.LESS}),
    "storage-bucket-describe-missing": read(made("bucket/x", "nope-nope"), differs={"?projection": of.LESS}),
    # -- registries
    "ar-create": create(
        of.REGISTRY,
        differs={"labels": MARK, "mode": SPELLED, "name": SPELLED, "description": "the recording gives one"},
    ),
    "ar-describe": read(of.REGISTRY),
    # -- secrets
    "secret-create": create(of.SECRET, differs={"labels": MARK, "annotations": SPELLED}),
    "secret-create-with-data": create(of.TOKEN, nth=0, differs={"labels": MARK, "annotations": SPELLED}),
    "secret-add-version": create(
        made("version/webhooks", "webhook-hmac"),
        differs={"payload.data": "made as it is sent", "payload.dataCrc32c": of.NO_CHECKSUM},
    ),
    "secret-delete": delete(of.TOKEN),
    "secret-describe": read(of.SECRET),
    # -- Pub/Sub and the scheduler
    "pubsub-topic-create": create(of.TOPIC, differs={"labels": MARK}),
    "pubsub-topic-create-two": create(of.DEAD, nth=0, differs={"labels": MARK}),
    "pubsub-topic-delete": delete(made("topic/dlq-two", "dlq-two", {"messageRetentionDuration": "600s"})),
    "pubsub-topic-describe-missing": read(made("topic/nope", "nope")),
    "pubsub-sub-create-push": create(of.SUBSCRIPTION, differs={"labels": MARK}),
    "pubsub-sub-create-pull": create(
        made("subscription/dead", "deploys-dlq-pull", of.PULL),
        differs={
            "labels": MARK,
            "ackDeadlineSeconds": "the recording gives none",
            "retryPolicy": "the recording gives none",
        },
    ),
    "pubsub-sub-update": change(
        of.MOVED,
        {},
        *("ackDeadlineSeconds", "pushConfig", "deadLetterPolicy"),
        differs={"subscription.pushConfig.oidcToken": "without it gcloud takes the token away: trap 1"},
    ),
    "pubsub-sub-delete": delete(made("subscription/dead", "deploys-dlq-pull", of.PULL)),
    "pubsub-sub-describe": read(of.SUBSCRIPTION),
    "scheduler-pubsub": create(of.JOB, differs={"description": MARK, "retryConfig": SPELLED}),
    "scheduler-update": change(
        of.OFTEN,
        {},
        "schedule",
        differs={
            "description": MARK,
            "retryConfig": SPELLED,
            "pubsubTarget": "gcloud sends it empty, outside its mask",
            "?updateMask": "every field of ours is always sent",
        },
    ),
    # -- Cloud Build
    "build-connection-github": create(of.CONNECTION, differs={"annotations": MARK}),
    "build-repository-create": create(of.REPOSITORY, differs={"annotations": MARK}),
    "build-trigger-github-2nd": create(of.TRIGGER, differs={"description": MARK}),
    "build-trigger-describe": read(of.TRIGGER, differs={"?triggerId": "the address holds it"}),
    # -- cluster and functions
    "gke-create-auto": create(of.AUTOPILOT, differs=of.GKE_LABELS),
    "gke-create": create(
        of.STANDARD,
        differs={
            **of.GKE_LABELS,
            "cluster.privateClusterConfig": "a range for the control plane, which its DNS endpoint spares",
        },
    ),
    "gke-delete": delete(of.STANDARD),
    "gke-describe": read(of.AUTOPILOT),
    "functions-deploy-http": create(
        of.FUNCTION,
        differs={
            "labels": MARK,
            "environment": SPELLED,
            "buildConfig.environmentVariables": SPELLED,
            "buildConfig.dockerRepository": "ours, so that destroy knows of it",
            "buildConfig.source.storageSource": "our own bucket, and an object named by its digest",
            "serviceConfig.secretEnvironmentVariables": "functions read secrets by name, when they need them",
        },
    ),
    "functions-describe": read(of.FUNCTION),
    "functions-describe-missing": read(made("function/nope", "nope"), nth=0),
    "functions-delete": delete(of.FUNCTION),
    # -- recorded here, by tests/bootstrap/record.py: our own lines
    "network-create": create(of.NETWORK),
    "network-delete": delete(of.NETWORK),
    "subnet-create": create(of.SUBNET, differs={"network": of.WHOLE}),
    "subnet-update": change(of.SUBNET, {}, "privateIpGoogleAccess"),
    "subnet-delete": delete(of.SUBNET),
    "address-create": create(of.ADDRESS, differs={"subnetwork": of.WHOLE}),
    "address-delete": delete(of.ADDRESS),
    "router-create": create(of.ROUTER, differs={"network": of.WHOLE}),
    "router-delete": delete(of.ROUTER),
    "nat-create": create(
        of.NAT, seed=(of.ROUTER,), differs=dict.fromkeys(of.ROUTER_READ, "gcloud sends the router that it read")
    ),
    "apis-enable-one": create(made("apis/apis", "demo-proj", {"services": ["compute.googleapis.com"]})),
    "connection-add-iam": grant(
        "connection/github",
        "roles/cloudbuild.readTokenAccessor",
        member("build"),
        seed=(of.CONNECTION,),
        line=of.CONNECTION_GRANT,
        differs={**of.VERSION, "path": of.OURS_BEGIN},
    ),
    "topic-update": change(of.TOPIC, {"labels": {}}, "labels"),
    "secret-update": change(
        of.SECRET, {}, "labels", differs={"annotations": "outside its mask", "versionAliases": "outside its mask"}
    ),
    "registry-update": change(
        of.REGISTRY,
        {},
        *("labels", "dockerConfig"),
        differs={
            "?updateMask": "the one field of dockerConfig, in another order",
            "createTime": BACK,
            "name": BACK,
        },
    ),
    "registry-delete": delete(of.REGISTRY),
    "role-update": change(
        of.ROLE,
        {},
        "includedPermissions",
        differs={"etag": "a role of ours is what the plan says", "?updateMask": "in another order"},
    ),
    "role-delete": delete(of.ROLE),
    "job-delete": delete(of.JOB),
    "trigger-delete": delete(of.TRIGGER, differs={"?triggerId": "the address holds it"}),
    "repository-delete": delete(of.REPOSITORY, seed=(of.CONNECTION, of.REPOSITORY)),
    "connection-delete": delete(of.CONNECTION),
    "cluster-labels": change(
        of.AUTOPILOT, {}, "resourceLabels", differs={"name": of.IN_PATH, "labelFingerprint": "of what was read"}
    ),
    "cluster-channel": change(of.AUTOPILOT, {}, "releaseChannel", differs={"name": of.IN_PATH}),
    "cluster-dns": change(of.AUTOPILOT, {}, "controlPlaneEndpointsConfig", differs={"name": of.IN_PATH}),
}

NO_ACT = "reads; a plan reads each resource by its name, and by REST"
UNUSED: Mapping[str, str] = {
    **{f"list-{each}": NO_ACT for each in of.LISTED},
    "ar-create-gcrio": "images lie in one repository of the region; the names of Container Registry are not made anew",
    "ar-docker-upgrade": "reads what Container Registry left behind",
    "auth-print-access-token": "sends no request; how we sign in",
    "auth-print-identity-token": "fails, as is said in trap 7: nothing of ours needs it",
    "build-trigger-csr": "Cloud Source Repositories takes no new customer",
    "build-trigger-github-1st": "repositories are reached by a connection",
    "build-trigger-import": "a trigger by its flags is a line that people type, and is looked for first",
    "build-trigger-manual": "no trigger of ours waits for a person",
    "build-trigger-pubsub": "functions start builds, not topics",
    "build-trigger-run": "builds are started by the functions, with their own request",
    "build-trigger-update": "its mask names github.push.branch, which a trigger of a connection has not: by REST, whole",
    "build-trigger-webhook": "receive takes webhooks",
    "builds-submit-nosource": "no build belongs to an installation",
    "builds-submit-region": "no build belongs to an installation",
    "builds-submit-source": "makes a bucket that nobody planned: trap 13",
    "csr-repo-create": "Cloud Source Repositories takes no new customer",
    "csr-repo-topic": "Cloud Source Repositories takes no new customer",
    "eventarc-trigger-create": "pushes come by subscriptions of ours, with dead letters and a deadline",
    "functions-deploy-topic": "pushes come by subscriptions of ours, with dead letters and a deadline",
    "gke-get-credentials": "reads, and writes a file of kubectl's",
    "gke-get-credentials-dns": "reads, and writes a file of kubectl's",
    "kms-key": "nothing of ours has a key of its own",
    "kms-keyring": "nothing of ours has a key of its own",
    "project-add-iam-forgot-condition": "ends before it writes: trap 3",
    "project-set-iam": "writes over whatever another one wrote: trap 5",
    "projects-describe": "reads; the doctor asks the same by REST",
    "pubsub-sub-update-clear": "nothing of ours is without a retry policy",
    "run-deploy-function-source": "makes a bucket and a repository that nobody planned: trap 13",
    "run-deploy-image": "functions are made of their source",
    "run-describe": "addresses follow from the project's number",
    "run-services-replace": "functions are made of their source",
    "scheduler-http": "the tick goes by its topic",
    "secret-access": "reads a secret; nothing of the bootstrap does",
    "storage-bucket-lock-retention": "no plan locks a retention, since that can't be undone: trap 2",
    "storage-notification-create": "no bucket tells of its objects",
    "storage-service-agent": "no bucket tells of its objects",
}
