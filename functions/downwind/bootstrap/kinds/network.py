"""The network of a cluster with private nodes, and the way out of it. None of these has labels: their description says whose they
are. Shapes: the reference of Compute Engine v1."""

from collections.abc import Sequence
from typing import Any

from downwind.bootstrap.kinds.base import Kind, tops
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import Refused


def short(live: Any, wanted: Any) -> Any:
    """`live` as `wanted` spells it, where both name the same resource: answers hold whole addresses."""
    return wanted if isinstance(live, str) and isinstance(wanted, str) and live.endswith(f"/{wanted}") else live


class Placed(Kind):
    """What lies under `compute/v1/projects/P/PLACE/COLLECTION`, and is named by `gcloud compute NOUN`."""

    labels = None
    collection: str
    noun: tuple[str, ...]

    @property
    def place_flags(self) -> tuple[str, ...]:
        return (f"--region={self.values.region}",)

    @property
    def parent(self) -> str:
        return f"compute/v1/{self.project}/regions/{self.values.region}/{self.collection}"

    def where(self, resource: Resource) -> Request:
        return Request(api="compute", path=f"{self.parent}/{resource.name}")

    def found(self, resource: Resource, answer: Body) -> Body | None:
        return {key: short(value, resource.body.get(key)) for key, value in answer.items()}

    def line(self, verb: str, resource: Resource, *said: str) -> tuple[str, ...]:
        return ("gcloud", "compute", *self.noun, verb, resource.name, *self.place_flags, *said, *self.flags)

    def said(self, body: Body) -> tuple[str, ...]:
        """What gcloud is told of a body to create."""
        raise NotImplementedError

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = {"name": resource.name, **self.wanted(resource)}
        said = (*self.said(body), f"--description={body['description']}")
        request = Request(api="compute", method="POST", path=self.parent, body=body)
        return Write(request=request, command=self.line("create", resource, *said))

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        raise Refused(
            f"{resource.key}: {', '.join(fields)} can't be changed from here",
            fix="use what is there, with network: {create: false}, or another name",
        )

    def delete(self, resource: Resource) -> Write | None:
        request = Request(api="compute", method="DELETE", path=f"{self.parent}/{resource.name}")
        return Write(request=request, command=self.line("delete", resource))


class Networks(Placed):
    collection = "networks"
    noun = ("networks",)
    fixed = frozenset({"autoCreateSubnetworks"})

    @property
    def place_flags(self) -> tuple[str, ...]:
        return ()

    @property
    def parent(self) -> str:
        return f"compute/v1/{self.project}/global/networks"

    def said(self, body: Body) -> tuple[str, ...]:
        return ("--subnet-mode=custom",)


class Subnets(Placed):
    collection = "subnetworks"
    noun = ("networks", "subnets")
    fixed = frozenset({"network", "ipCidrRange"})

    def said(self, body: Body) -> tuple[str, ...]:
        network = body["network"].rpartition("/")[2]
        return (f"--network={network}", f"--range={body['ipCidrRange']}", "--enable-private-ip-google-access")

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        if tops(fields) != ["privateIpGoogleAccess"]:
            return super().change(resource, live, fields)
        path = f"{self.parent}/{resource.name}/setPrivateIpGoogleAccess"
        request = Request(api="compute", method="POST", path=path, body={"privateIpGoogleAccess": True})
        return Write(request=request, command=self.line("update", resource, "--enable-private-ip-google-access"))


class Addresses(Placed):
    collection = "addresses"
    noun = ("addresses",)
    fixed = frozenset({"address", "subnetwork"})

    def said(self, body: Body) -> tuple[str, ...]:
        return (f"--subnet={body['subnetwork'].rpartition('/')[2]}", f"--addresses={body['address']}")


class Routers(Placed):
    collection = "routers"
    noun = ("routers",)
    fixed = frozenset({"network"})

    def said(self, body: Body) -> tuple[str, ...]:
        return (f"--network={body['network'].rpartition('/')[2]}",)


class Nats(Placed):
    """One entry of its router, which says whose it is, and with which it goes."""

    collection = "routers"
    noun = ("routers", "nats")

    def wanted(self, resource: Resource) -> Body:
        return {key: value for key, value in resource.body.items() if key != "router"}

    def where(self, resource: Resource) -> Request:
        return Request(api="compute", path=f"{self.parent}/{resource.body['router']}")

    def found(self, resource: Resource, answer: Body) -> Body | None:
        """The entry, with the router's description and the entries of others."""
        nats = {each.get("name"): each for each in answer.get("nats", ())}
        ours = nats.pop(resource.name, None)
        return None if ours is None else {**ours, "description": answer.get("description"), "others": [*nats.values()]}

    def create(self, resource: Resource, live: Body | None) -> Write:
        router = f"--router={resource.body['router']}"
        said = (router, "--auto-allocate-nat-external-ips", "--nat-all-subnet-ip-ranges")
        command = self.line("create", resource, *said)
        return Write(request=self._all(resource, (live or {}).get("nats", ())), command=command)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return Write(request=self._all(resource, live["others"]))

    def _all(self, resource: Resource, others: Sequence[Any]) -> Request:
        """The router's list of entries is written whole, and the API has nothing to hold it against: a router has no fingerprint
        (decision 90). So it is written right after it was read, and an entry that was there then stays."""
        nats = [*others, {"name": resource.name, **self.wanted(resource)}]
        path = f"{self.parent}/{resource.body['router']}"
        return Request(api="compute", method="PATCH", path=path, body={"nats": nats})

    def delete(self, resource: Resource) -> Write | None:
        return None
