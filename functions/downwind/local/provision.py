"""What the bootstrap makes in the cloud, made in the local world: buckets, topics, push subscriptions with their tokens."""

import secrets as random_secrets

from downwind.errors import Refused
from downwind.local.calls import call
from downwind.local.world_file import ECHO_SECRET, EMAIL, GITHUB_SECRET, LocalWorld

PUSHED = {
    "repo-pushes": "on_push",
    "cloud-builds": "on_build",
    "gcr": "on_image",
    "rollout-requests": "on_request",
    "executions": "on_execution",
    "ticks": "on_tick",
}
KEPT_DAYS = 365
PULLED = ("deliveries", "dead-letters")
FOR_PROOFS = {"verify": "deliveries", "verify-executions": "executions"}
"""What `downwind bootstrap verify` listens to; it forgets after ten minutes."""


def write_secrets(world: LocalWorld) -> None:
    """Made once for each world; never printed."""
    world.secrets.mkdir(parents=True, exist_ok=True)
    world.secrets.chmod(0o700)
    for name in (ECHO_SECRET, GITHUB_SECRET):
        if not (world.secrets / name).exists():
            (world.secrets / name).write_text(random_secrets.token_urlsafe(32) + "\n")


def provision(world: LocalWorld) -> None:
    """Can be repeated: what stands already is left as it is."""
    for bucket in world.buckets.values():
        bucket_body = {"name": bucket, "versioning": {"enabled": bucket == world.buckets["catalog"]}}
        _once("POST", f"{world.url('storage')}/storage/v1/b?project={world.project}", bucket_body)
    # As in the cloud: for a year no fact can be overwritten or deleted, whoever asks.
    kept = {"retentionPolicy": {"retentionPeriod": str(KEPT_DAYS * 86400)}}
    call("PATCH", f"{world.url('storage')}/storage/v1/b/{world.buckets['ledger']}", kept)
    base = f"{world.url('pubsub_rest')}/v1/projects/{world.project}"
    for topic in (*PULLED, *PUSHED):
        _once("PUT", f"{base}/topics/{topic}", {})
    for topic in PULLED:
        pulled = {"topic": f"projects/{world.project}/topics/{topic}", "ackDeadlineSeconds": 60}
        _once("PUT", f"{base}/subscriptions/{topic}", pulled)
    for name, topic in FOR_PROOFS.items():
        heard = {"topic": f"projects/{world.project}/topics/{topic}", "messageRetentionDuration": "600s"}
        _once("PUT", f"{base}/subscriptions/{name}", {**heard, "ackDeadlineSeconds": 10})
    for topic, target in PUSHED.items():
        token = {"serviceAccountEmail": EMAIL, "audience": world.url("functions")}
        body: dict[str, object] = {
            "topic": f"projects/{world.project}/topics/{topic}",
            "pushConfig": {"pushEndpoint": f"{world.url('functions')}/{target}", "oidcToken": token},
            "ackDeadlineSeconds": 600,
            "retryPolicy": {"minimumBackoff": "1s", "maximumBackoff": "10s"},
            "deadLetterPolicy": {
                "deadLetterTopic": f"projects/{world.project}/topics/dead-letters",
                "maxDeliveryAttempts": 100,
            },
        }
        if topic == "ticks":
            # Ticks that nobody took are of no use later.
            del body["deadLetterPolicy"]
            body["messageRetentionDuration"] = "600s"
        _once("PUT", f"{base}/subscriptions/{topic}", body)


def _once(method: str, url: str, body: object) -> None:
    try:
        call(method, url, body)
    except Refused as error:
        if error.field != "409":
            raise
