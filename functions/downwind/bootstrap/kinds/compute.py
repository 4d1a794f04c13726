"""The cluster, and the functions. Shapes: the reference of GKE v1 and Cloud Functions v2."""

from collections.abc import Sequence
from typing import Any

from downwind.bootstrap.kinds.base import Kind, pairs, tops
from downwind.bootstrap.kinds.network import short
from downwind.bootstrap.kinds.pins import Pinned
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import Refused

SOURCE, BEFORE = "downwind-source", "downwind-before"
"""Labels of a function: the digest of its source; and the revision that answered before the deployment of that (deploy.py)."""


class Clusters(Kind):
    """Made asynchronously and waited for by asking, so that a run that ended meanwhile goes on."""

    labels = "resourceLabels"
    fixed = frozenset({"autopilot", "workloadIdentityConfig", "networkConfig", "network", "subnetwork"})
    ignored = frozenset({"nodePools", "ipAllocationPolicy", "loggingConfig", "monitoringConfig"})
    patience = (
        3600.0  # as long as gcloud itself waits: most take ten minutes, a region that is short of machines more than 30
    )
    waits = True

    @property
    def _parent(self) -> str:
        return f"{self.project}/locations/{self.values.location}"

    def where(self, resource: Resource) -> Request:
        return Request(api="container", path=f"v1/{self._parent}/clusters/{resource.name}")

    def found(self, resource: Resource, answer: Body) -> Body:
        return {key: short(value, resource.body.get(key)) for key, value in answer.items()}

    def ready(self, live: Body) -> bool:
        if live.get("status") in {"ERROR", "DEGRADED"}:
            raise Refused(
                f"the cluster is {live['status']}: {live.get('statusMessage', 'GKE says no more')}",
                fix="look at it in the console, delete it, and run apply again",
            )
        return bool(live.get("status") == "RUNNING")

    def lacking(self, live: Body) -> str:
        return f"until it runs; it is {live.get('status')}"

    def create(self, resource: Resource, live: Body | None) -> Write:
        body: dict[str, Any] = dict(self.wanted(resource))
        pool = body["nodePools"][0]
        account = pool["config"]["serviceAccount"]
        # gcloud's --labels goes to the nodes' machines as well.
        body["nodePools"] = [{**pool, "config": {**pool["config"], "resourceLabels": body["resourceLabels"]}}]
        common = (
            f"--location={self.values.location}",
            "--release-channel=regular",
            f"--service-account={account}",
            "--enable-private-nodes",
            "--enable-dns-access",
            *(f"--{name}={body[name]}" for name in ("network", "subnetwork") if name in body),
            f"--labels={pairs(body['resourceLabels'])}",
            "--async",
            *self.flags,
        )
        if body.get("autopilot", {}).get("enabled"):
            command = ("gcloud", "container", "clusters", "create-auto", resource.name, *common)
        else:
            scaling = pool["autoscaling"]
            command = (
                *("gcloud", "container", "clusters", "create", resource.name, "--num-nodes=1"),
                f"--machine-type={pool['config']['machineType']}",
                f"--workload-pool={body['workloadIdentityConfig']['workloadPool']}",
                "--workload-metadata=GKE_METADATA",
                "--enable-ip-alias",
                "--enable-shielded-nodes",
                "--enable-autoscaling",
                f"--min-nodes={scaling['minNodeCount']}",
                f"--max-nodes={scaling['maxNodeCount']}",
                "--logging=SYSTEM,WORKLOAD",
                "--monitoring=SYSTEM",
                *common,
            )
        whole = {"cluster": {"name": resource.name, **body}, "parent": self._parent}
        request = Request(api="container", method="POST", path=f"v1/{self._parent}/clusters", body=whole)
        return Write(request=request, command=command)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        """GKE takes one change at a time; the next one is seen when this one is read back."""
        top = tops(fields)[0]
        path = f"v1/{self._parent}/clusters/{resource.name}"
        place = f"--location={self.values.location}"
        start = ("gcloud", "container", "clusters", "update", resource.name, place)
        if top == "resourceLabels":
            labels = {**(live.get("resourceLabels") or {}), "downwind": self.values.name}
            body = {"resourceLabels": labels, "labelFingerprint": live.get("labelFingerprint", "")}
            request = Request(api="container", method="POST", path=f"{path}:setResourceLabels", body=body)
            return Write(request=request, command=(*start, f"--update-labels=downwind={self.values.name}", *self.flags))
        change: dict[str, Any]
        if top == "releaseChannel":
            said, change = "--release-channel=regular", {"desiredReleaseChannel": {"channel": "REGULAR"}}
        elif top == "controlPlaneEndpointsConfig":
            dns = {"dnsEndpointConfig": {"allowExternalTraffic": True}}
            said, change = "--enable-dns-access", {"desiredControlPlaneEndpointsConfig": dns}
        else:
            raise Refused(
                f"{resource.key}: {top} can't be changed from here", fix="change it by hand, or the configuration"
            )
        request = Request(api="container", method="PUT", path=path, body={"update": change})
        return Write(request=request, command=(*start, said, *self.flags))

    def delete(self, resource: Resource) -> Write:
        place = f"--location={self.values.location}"
        return Write(
            request=Request(api="container", method="DELETE", path=f"v1/{self._parent}/clusters/{resource.name}"),
            command=("gcloud", "container", "clusters", "delete", resource.name, place, "--async", *self.flags),
        )


class Functions(Pinned):
    """The digest of the source stands in a label: gcloud uploads and builds anew each time, so what is equal is left alone. What
    the service says of the source is not compared: Cloud Functions copies it into a bucket of its own."""

    exact = frozenset({"serviceConfig.environmentVariables"})
    ignored = frozenset({"buildConfig.source"})
    patience = 900.0

    def where(self, resource: Resource) -> Request:
        return Request(api="cloudfunctions", path=f"v2/{self.place}/functions/{resource.name}")

    def wanted(self, resource: Resource) -> Body:
        labels = {"downwind": self.values.name, SOURCE: self.values.package[:40]}
        return {**resource.body, "labels": labels}

    def spelled(self, resource: Resource, answer: Body) -> Body:
        """Networks as we spell them: the service may answer with whole names."""
        wanted = resource.body["serviceConfig"].get("directVpcNetworkInterface", ())
        service = answer.get("serviceConfig") or {}
        cards = service.get("directVpcNetworkInterface") or ()
        spelled = [
            {key: short(value, ours.get(key)) for key, value in card.items()}
            for card, ours in zip(cards, wanted, strict=False)
        ]
        return {**answer, "serviceConfig": {**service, **({"directVpcNetworkInterface": spelled} if spelled else {})}}

    def ready(self, live: Body) -> bool:
        if live.get("state") == "FAILED":
            said = "; ".join(str(each.get("message", "")) for each in live.get("stateMessages", ()))
            raise Refused(
                f"the function failed: {said or 'see its build log'}", fix="put that right and run apply again"
            )
        return bool(live.get("state", "ACTIVE") == "ACTIVE")

    def create(self, resource: Resource, live: Body | None) -> Write:
        request = Request(
            api="cloudfunctions",
            method="POST",
            path=f"v2/{self.place}/functions",
            query={"functionId": resource.name},
            body={"name": f"{self.place}/functions/{resource.name}", **self._sent(resource)},
        )
        return Write(request=request, command=self._command(resource, "--no-allow-unauthenticated"))

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        """Without a word on unauthenticated calls: gcloud would write the service's policy, which policies.py alone does. Labels
        of others stay. What answered before an earlier deployment is not what answered before this one: that label goes."""
        standing = live.get("labels") or {}
        labels = {key: value for key, value in standing.items() if key != BEFORE}
        sent = self._sent(resource)
        request = Request(
            api="cloudfunctions",
            method="PATCH",
            path=f"v2/{self.place}/functions/{resource.name}",
            query={"updateMask": "buildConfig,serviceConfig,labels"},
            body={
                "name": f"{self.place}/functions/{resource.name}",
                **sent,
                "labels": {**labels, **sent["labels"]},
            },
        )
        gone = (f"--remove-labels={BEFORE}",) if BEFORE in standing else ()
        return Write(request=request, command=self._command(resource, *gone))

    def _sent(self, resource: Resource) -> Body:
        return {**self.wanted(resource), "environment": "GEN_2"}

    def _command(self, resource: Resource, *more: str) -> tuple[str, ...] | None:
        """None with Direct VPC egress: gcloud knows that from release 545 on."""
        body = self.wanted(resource)
        build, service = body["buildConfig"], body["serviceConfig"]
        if "directVpcNetworkInterface" in service:
            return None
        source = build["source"]["storageSource"]
        ingress = {"ALLOW_ALL": "all", "ALLOW_INTERNAL_ONLY": "internal-only"}[service["ingressSettings"]]
        variables = "|".join(f"{name}={value}" for name, value in service["environmentVariables"].items())
        connector = service.get("vpcConnector")
        network = (f"--vpc-connector={connector}", "--egress-settings=private-ranges-only") if connector else ()
        return (
            *("gcloud", "functions", "deploy", resource.name, "--gen2", f"--region={self.values.region}"),
            f"--runtime={build['runtime']}",
            f"--source=gs://{source['bucket']}/{source['object']}",
            f"--entry-point={build['entryPoint']}",
            "--trigger-http",
            *more,
            f"--ingress-settings={ingress}",
            f"--service-account={service['serviceAccountEmail']}",
            f"--build-service-account={build['serviceAccount']}",
            f"--docker-repository={build['dockerRepository']}",
            f"--min-instances={service['minInstanceCount']}",
            f"--max-instances={service['maxInstanceCount']}",
            f"--concurrency={service['maxInstanceRequestConcurrency']}",
            f"--cpu={service['availableCpu']}",
            f"--memory={service['availableMemory']}",
            f"--timeout={service['timeoutSeconds']}s",
            *network,
            *(("--serve-all-traffic-latest-revision",) if service.get("allTrafficOnLatestRevision") else ()),
            f"--set-env-vars=^|^{variables}",
            f"--update-labels={pairs(body['labels'])}",
            *self.flags,
        )

    def delete(self, resource: Resource) -> Write:
        region = f"--region={self.values.region}"
        return Write(
            request=Request(api="cloudfunctions", method="DELETE", path=f"v2/{self.place}/functions/{resource.name}"),
            command=("gcloud", "functions", "delete", resource.name, "--gen2", region, *self.flags),
        )
