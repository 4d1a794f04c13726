"""What `${…}` in infra/wanted stands for: a value of the configuration, or the name of a resource, which is then made first."""

import re
from collections.abc import Mapping
from typing import Any

from downwind.bootstrap.config import reached
from downwind.bootstrap.files import Files
from downwind.bootstrap.write import NEWEST
from downwind.errors import PermanentError
from downwind.shipped import admission_policy, break_glass

_PLACE = re.compile(r"\$\{([^}]+)\}")
GOOGLES_TOPICS = frozenset({"cloud-builds", "gcr"})
_KINDS = frozenset(
    {"bucket", "account", "topic", "url", "role", "connection", "package", "secret", "router", "subnet", "address"}
)
_NAMED = frozenset({"registry.images", "registry.functions", "network.main"})
"""Places that are names of resources."""
INGRESS = {"all": "ALLOW_ALL", "internal": "ALLOW_INTERNAL_ONLY"}


class Values:
    """One configuration's. `package`: hex SHA-256 of the functions' source. `files`: what stands in files that it names."""

    def __init__(self, config: Mapping[str, Any], package: str, files: Files | None = None) -> None:
        self.config = config
        self.files = files or Files()
        self.package = package
        self.project: str = config["project"]
        self.number: str = config["number"]
        self.region: str = config["region"]
        self.name: str = config["name"]

    @property
    def location(self) -> str:
        """The cluster's."""
        return self.config["cluster"]["location"] or self.region

    @property
    def context(self) -> str:
        """The cluster's, as kubectl and Helm take it; for GKE as `gcloud container clusters get-credentials` names it."""
        cluster = self.config["cluster"]
        return str(cluster["context"] or f"gke_{self.project}_{self.location}_{cluster['name']}")

    @property
    def gate_made(self) -> bool:
        """Is the user of Gate made here, and its password? For a Spinnaker of ours, unless a token is named."""
        spinnaker = self.config["spinnaker"]
        return bool(spinnaker["install"] and not spinnaker["tokenSecret"])

    @property
    def cluster_url(self) -> str:
        """In plans: the address is known only once the cluster is there."""
        return f"kubernetes://{self.context}"

    def lacking(self) -> list[tuple[str, str]]:
        """What an apply needs and a plan does without, each with its fix."""
        found = [(f"{each.name} is not there", each.missing) for each in self.files.values if each.values is None]
        if self.config["spinnaker"]["install"] and not self.config["namespaces"]:
            text = "namespaces is empty: Spinnaker is to be installed, and may deploy nowhere"
            found.append((text, "list the namespaces of your environments"))
        return found

    @property
    def network_made(self) -> bool:
        return bool(self.config["cluster"]["create"] != "none" and self.config["network"]["create"])

    def conditions(self) -> frozenset[str]:
        """What `when` may name, as far as it holds."""
        config = self.config
        created = config["cluster"]["create"]
        within = reached(config)
        known = {
            "cluster.reached": within,
            "admission": within and config["admission"]["policy"],
            "sample": config["sample"],
            "cluster.made": created != "none",
            "cluster.autopilot": created == "autopilot",
            "cluster.standard": created == "standard",
            "network.made": self.network_made,
            "network.alone": created == "none" and config["network"]["functions"],
            "spinnaker.installed": config["spinnaker"]["install"],
            "gate.token": config["spinnaker"]["tokenSecret"],
            "gate.made": self.gate_made,
            "hear.spinnaker": config["hear"]["spinnaker"],
            "hear.webhooks": config["hear"]["webhooks"],
            "receive": config["hear"]["spinnaker"] or config["hear"]["webhooks"],
            "receive.internal": config["hear"]["spinnaker"] and not config["hear"]["webhooks"],
            "operate": config["operate"]["callers"],
            "groups": any(each.startswith("group:") for each in config["operate"]["operators"]),
            "connection": config["builds"]["connection"],
            "registry.made": config["registry"]["images"],
            "requesters": config["requesters"],
            "deliveries": config["deliveries"],
            "verify": config["verify"],
            "verify.token": config["verify"] and config["verify"]["tokenSecret"],
            "deploy": config["deploy"],
        }
        return frozenset(name for name, holds in known.items() if holds)

    def items(self, each: str) -> list[Any]:
        if each in {"admission.objects", "spinnaker.applications", "spinnaker.saved"}:
            return self._computed(each)
        found: Any = self.config
        for step in each.split("."):
            found = found[step]
        return list(found)

    def _computed(self, each: str) -> list[Any]:
        """What is in files: the admission policy, and the applications and pipelines of Spinnaker."""
        if each == "admission.objects":
            guards = "the API server refuses what would put an older release, or a second execution, over what is live"
            breaks = "who may set a sequence back by hand, as the configuration names them"
            found = [*((one, guards) for one in admission_policy()), *((one, breaks) for one in self._break_glass())]
            return [{"id": f"{one['kind']}/{one['metadata']['name']}", "body": one, "why": why} for one, why in found]
        saved = self.files.pipelines
        if each == "spinnaker.saved":
            return [{"id": one.key, "application": one.document["application"], "body": one.body} for one in saved]
        return [{"id": name} for name in sorted({str(one.document["application"]) for one in saved})]

    def _break_glass(self) -> list[Mapping[str, Any]]:
        """The role, and who has it; nothing where nobody is named."""
        members = self.config["admission"]["breakGlass"]
        if not members:
            return []
        role = break_glass()
        api = "rbac.authorization.k8s.io"
        kinds = [(str(each).partition(":")[0], str(each).partition(":")[2]) for each in members]
        subjects = [
            {"apiGroup": api, "kind": "Group" if kind == "group" else "User", "name": name} for kind, name in kinds
        ]
        name = role["metadata"]["name"]
        binding = {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
            "subjects": subjects,
        }
        return [role, binding]

    def filled(self, text: Any, *, used: set[str], each: Any = None, own: str = "") -> Any:
        """`text` with its places filled, all the way down; a field whose value is nothing is left out. `used` gets the
        resources that were named; `own` is the id of the resource itself. A list of which no item is left is nothing."""
        if isinstance(text, Mapping):
            found = {key: self.filled(value, used=used, each=each, own=own) for key, value in text.items()}
            return {key: value for key, value in found.items() if value is not None}
        if isinstance(text, list):
            items = [self.filled(value, used=used, each=each, own=own) for value in text]
            return None if items and all(item in ({}, None) for item in items) else items
        if not isinstance(text, str):
            return text
        alone = _PLACE.fullmatch(text)
        if alone:
            return self._value(alone[1], used, each, own)
        return _PLACE.sub(lambda match: str(self._value(match[1], used, each, own)), text)

    def _value(self, place: str, used: set[str], each: Any, own: str) -> Any:
        if place == "each":
            return each
        if place.startswith("each."):
            return each[place.removeprefix("each.")]
        if place == "self.url":
            return self.url(own)
        space, _, name = place.partition(".")
        if space == "version":
            return self._pin(name, used)
        if space in _KINDS or place in _NAMED:
            found = self.resource_name(space, name)
            if found is not None:
                used.add(f"{'function' if space == 'url' else space}/{name}")
            return found
        return self._configured(place)

    def resource_name(self, kind: str, name: str) -> str | None:
        """None where the configuration has no such thing."""
        config = self.config
        match kind:
            case "bucket":
                return f"{self.project}-{self.name}-{name}"
            case "account":
                return f"{self.name}-{name}@{self.project}.iam.gserviceaccount.com"
            case "topic":
                return name if name in GOOGLES_TOPICS else f"{config['topicPrefix']}{name}"
            case "subscription":
                return f"{config['topicPrefix']}{name}"
            case "function":
                return f"{self.name}-{name}"
            case "url":
                return self.url(name)
            case "role":
                return re.sub(r"-(.)", lambda match: match[1].upper(), f"{self.name}-{name}")
            case "package":
                return f"functions/{self.package}.zip"
            case "connection":
                return f"{self.name}-{name}"
            case "registry":
                return config["registry"]["images"] if name == "images" else f"{self.name}-{name}"
            case "secret":
                return self._secret(name)
            case "network":
                return config["network"]["name"] or self.name
            case "subnet":
                return f"{self.name}-{name}" if self.network_made else config["network"][name]
            case _:
                return f"{self.name}-{name}"

    def _secret(self, name: str) -> str | None:
        config = self.config
        if name == "verify-token":
            return (config["verify"] or {}).get("tokenSecret")
        if name == "gate-token":
            return config["spinnaker"]["tokenSecret"]  # type: ignore[no-any-return]
        if name == "gate":
            return f"{self.name}-gate" if self.gate_made else None
        if name == "github-token":
            return (config["builds"]["connection"] or {}).get("tokenSecret")
        if name in {"echo", "webhooks"}:
            wanted = config["hear"]["spinnaker" if name == "echo" else "webhooks"]
            return f"{self.name}-{name}" if wanted else None
        return name

    def _pin(self, name: str, used: set[str]) -> str | None:
        """A secret and its newest version, as functions read it."""
        secret = self._secret(name)
        if secret is None:
            return None
        used.add(f"version/{name}")
        return f"{secret}/versions/{NEWEST}"

    def url(self, function: str) -> str:
        """Cloud Run's address by project number, which is known before the service is there; Pub/Sub reaches it from inside."""
        return f"https://{self.resource_name('function', function)}-{self.number}.{self.region}.run.app"

    def member(self, who: str) -> str:
        """IAM's spelling of an account of ours, of Google's agent, or of what has one already."""
        if who.startswith("agent."):
            return f"serviceAccount:service-{self.number}@gcp-sa-{who.removeprefix('agent.')}.iam.gserviceaccount.com"
        if ":" in who or who.startswith("all"):
            return who
        return f"serviceAccount:{self.resource_name('account', who)}"

    def _balancer(self) -> Mapping[str, Any] | None:
        """The way of our functions, and of nobody else, to the Gate that is installed: by the address that is reserved."""
        if not self.network_made:
            return None
        name = {"networking.gke.io/load-balancer-ip-addresses": str(self.resource_name("address", "gate"))}
        return {"enabled": True, "sourceRanges": [self.config["network"]["functionsRange"]], "annotations": name}

    def _configured(self, place: str) -> Any:
        match place:
            case "retention.ledger":
                return str(self.config["retention"]["ledgerDays"] * 86400)
            case "retention.bundles":
                return str(self.config["retention"]["bundlesDays"] * 86400)
            case "operate.ingress":
                return INGRESS[self.config["operate"]["ingress"]]
            case "operate.operators":
                return ",".join(self.config["operate"]["operators"]) or None
            case "gate.balancer":
                return self._balancer()
            case "functions.network":
                return self.resource_name("network", "main") if self.resource_name("subnet", "functions") else None
            case "functions.directEgress":
                return "VPC_EGRESS_PRIVATE_RANGES_ONLY" if self.resource_name("subnet", "functions") else None
            case "functions.connectorEgress":
                return "PRIVATE_RANGES_ONLY" if self.config["functions"]["connector"] else None
            case "cluster.network":
                return self.resource_name("network", "main") if self.resource_name("subnet", "nodes") else None
            case "topicPrefix":
                return self.config["topicPrefix"] or None
            case "sample.catalog":
                return self.files.catalog
            case "gate.signIn":
                return "basic" if self.gate_made else None
            case "gate.passwordSecret":
                return "downwind-gate" if self.gate_made else None
            case "spinnaker.receiveUrl":
                return f"{self.url('receive')}/" if self.config["hear"]["spinnaker"] else None
            case "spinnaker.receiveSecret":
                return "downwind-receive" if self.config["hear"]["spinnaker"] else None
            case "spinnaker.namespaces":
                return [each["name"] for each in self.config["namespaces"]]
        found: Any = self.config
        for step in place.split("."):
            if not isinstance(found, Mapping) or step not in found:
                raise PermanentError(f"infra/wanted: ${{{place}}} is neither in the configuration nor a resource")
            found = found[step]
        return found
