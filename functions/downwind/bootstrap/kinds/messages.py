"""Topics, subscriptions, and the scheduler's job. Shapes: the reference of Pub/Sub v1 and Cloud Scheduler v1."""

from base64 import b64decode
from collections.abc import Sequence

from downwind.bootstrap.kinds.base import Kind, pairs, tops
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write


class Topics(Kind):
    def where(self, resource: Resource) -> Request:
        return Request(api="pubsub", path=f"v1/{self.project}/topics/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        said = (f"--message-retention-duration={body['messageRetentionDuration']}", f"--labels={pairs(body['labels'])}")
        path = f"v1/{self.project}/topics/{resource.name}"
        whole = {"name": path.removeprefix("v1/"), **body}
        return Write(
            request=Request(api="pubsub", method="PUT", path=path, body=whole),
            command=("gcloud", "pubsub", "topics", "create", resource.name, *said, *self.flags),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = self.wanted(resource)
        path = f"v1/{self.project}/topics/{resource.name}"
        labels = {**(live.get("labels") or {}), **body["labels"]}
        retention = body["messageRetentionDuration"]
        whole = {"name": path.removeprefix("v1/"), "labels": labels, "messageRetentionDuration": retention}
        said = (f"--message-retention-duration={retention}", f"--update-labels={pairs(body['labels'])}")
        mask = {"updateMask": "labels,messageRetentionDuration"}
        return Write(
            request=Request(api="pubsub", method="PATCH", path=path, body={"topic": whole, **mask}),
            command=("gcloud", "pubsub", "topics", "update", resource.name, *said, *self.flags),
        )

    def delete(self, resource: Resource) -> Write:
        path = f"v1/{self.project}/topics/{resource.name}"
        return Write(
            request=Request(api="pubsub", method="DELETE", path=path),
            command=("gcloud", "pubsub", "topics", "delete", resource.name, *self.flags),
        )


class Subscriptions(Kind):
    """Changed by REST, with whole groups of fields: `gcloud pubsub subscriptions update --push-endpoint` alone takes the
    token away."""

    fixed = frozenset({"topic", "filter"})
    exact = frozenset({"expirationPolicy"})

    def wanted(self, resource: Resource) -> Body:
        """An absent filter is wanted as such, so that a filter of somebody's shows."""
        return {"filter": "", **super().wanted(resource)}

    def where(self, resource: Resource) -> Request:
        return Request(api="pubsub", path=f"v1/{self.project}/subscriptions/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        push, dead = body.get("pushConfig"), body.get("deadLetterPolicy")
        said = [
            f"--topic={body['topic'].rpartition('/')[2]}",
            f"--ack-deadline={body['ackDeadlineSeconds']}",
            f"--message-retention-duration={body['messageRetentionDuration']}",
            "--expiration-period=never",
            f"--min-retry-delay={body['retryPolicy']['minimumBackoff']}",
            f"--max-retry-delay={body['retryPolicy']['maximumBackoff']}",
        ]
        if push:
            said += [
                f"--push-endpoint={push['pushEndpoint']}",
                f"--push-auth-service-account={push['oidcToken']['serviceAccountEmail']}",
                f"--push-auth-token-audience={push['oidcToken']['audience']}",
            ]
        if dead:
            said += [
                f"--dead-letter-topic={dead['deadLetterTopic'].rpartition('/')[2]}",
                f"--max-delivery-attempts={dead['maxDeliveryAttempts']}",
            ]
        if body["filter"]:
            said.append(f"--message-filter={body['filter']}")
        said.append(f"--labels={pairs(body['labels'])}")
        path = f"v1/{self.project}/subscriptions/{resource.name}"
        whole = {"name": path.removeprefix("v1/"), **{key: value for key, value in body.items() if value != ""}}
        return Write(
            request=Request(api="pubsub", method="PUT", path=path, body=whole),
            command=("gcloud", "pubsub", "subscriptions", "create", resource.name, *said, *self.flags),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = self.wanted(resource)
        path = f"v1/{self.project}/subscriptions/{resource.name}"
        groups = {name: body[name] for name in tops(fields)}
        if "labels" in groups:
            groups["labels"] = {**(live.get("labels") or {}), **groups["labels"]}
        whole = {"name": path.removeprefix("v1/"), **groups}
        change = {"subscription": whole, "updateMask": ",".join(groups)}
        return Write(request=Request(api="pubsub", method="PATCH", path=path, body=change))

    def delete(self, resource: Resource) -> Write:
        path = f"v1/{self.project}/subscriptions/{resource.name}"
        return Write(
            request=Request(api="pubsub", method="DELETE", path=path),
            command=("gcloud", "pubsub", "subscriptions", "delete", resource.name, *self.flags),
        )


class Jobs(Kind):
    labels = None

    def _path(self, resource: Resource) -> str:
        return f"v1/{self.place}/jobs/{resource.name}"

    def where(self, resource: Resource) -> Request:
        return Request(api="cloudscheduler", path=self._path(resource))

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = {"name": self._path(resource).removeprefix("v1/"), **self.wanted(resource)}
        request = Request(api="cloudscheduler", method="POST", path=f"v1/{self.place}/jobs", body=body)
        return Write(request=request, command=self._command(resource, "create"))

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = {"name": self._path(resource).removeprefix("v1/"), **self.wanted(resource)}
        mask = {"updateMask": "description,schedule,timeZone,pubsubTarget"}
        request = Request(api="cloudscheduler", method="PATCH", path=self._path(resource), query=mask, body=body)
        return Write(request=request, command=self._command(resource, "update"))

    def _command(self, resource: Resource, verb: str) -> tuple[str, ...]:
        body = self.wanted(resource)
        target = body["pubsubTarget"]
        return (
            *("gcloud", "scheduler", "jobs", verb, "pubsub", resource.name, f"--location={self.values.region}"),
            f"--schedule={body['schedule']}",
            f"--topic={target['topicName']}",  # its --project does not count for a bare name
            f"--message-body={b64decode(target['data']).decode()}",
            f"--time-zone={body['timeZone']}",
            f"--description={body['description']}",
            *self.flags,
        )

    def delete(self, resource: Resource) -> Write:
        place = f"--location={self.values.region}"
        return Write(
            request=Request(api="cloudscheduler", method="DELETE", path=self._path(resource)),
            command=("gcloud", "scheduler", "jobs", "delete", resource.name, place, *self.flags),
        )
