"""What was changed at the fake of Google has to hold where it happens: in the local world, and in the functions that run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bootstrap.edge.doors import INSIDE, service_of
from tests.bootstrap.edge.programs import Deployed, Programs
from tests.bootstrap.fake.apis import secret_text
from tests.bootstrap.fake.state import State

from downwind.bootstrap.values import Values
from downwind.errors import Refused
from downwind.local.calls import call
from downwind.local.world_file import GITHUB_SECRET, LocalWorld

_SUBSCRIPTION = re.compile(r"/v1/(projects/[^/]+/subscriptions/([^/:]+))(:modifyPushConfig)?")
_TOPIC = re.compile(r"/v1/projects/[^/]+/topics/[^/:]+")
_FUNCTION = re.compile(r"/v2/(projects/[^/]+/locations/[^/]+/functions)(/[^/:]+)?")
_UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")
_HEARD = frozenset({"verify", "verify-executions"})


class Follows:
    """`programs`: None where the local world's functions stand for those of the package; then its own subscriptions push to them.
    `inside`: where pushes to our functions come in."""

    def __init__(
        self, state: State, world: LocalWorld, values: Values, packages: Path, programs: Programs | None
    ) -> None:
        self._state = state
        self._world = world
        self._values = values
        self._packages = packages
        self._programs = programs
        self.inside = ""

    def __call__(self, api: str, method: str, path: str, query: Mapping[str, str], body: bytes) -> None:
        """After a write that the fake has taken."""
        if api == "pubsub":
            self._messages(method, path)
        elif api == "storage":
            self._buckets(method, path, query, body)
        elif api == "secretmanager":
            self._secrets(path)
        elif api == "cloudfunctions" and method in {"POST", "PATCH"} and self._programs is not None:
            found = _FUNCTION.fullmatch(path)
            if found:
                self._revision(self._programs, f"{found[1]}{found[2] or '/' + query['functionId']}")

    def _messages(self, method: str, path: str) -> None:
        base = self._world.url("pubsub_rest")
        if method == "PUT" and _TOPIC.fullmatch(path):
            call("PUT", f"{base}{path}", {}) if not self._there(f"{base}{path}") else None
        found = _SUBSCRIPTION.fullmatch(path)
        if not found or (self._programs is None and found[2] not in _HEARD):
            return
        url = f"{base}/v1/{found[1]}"
        if self._there(url):
            call("DELETE", url)
        if method != "DELETE":
            call("PUT", url, self._inside(self._state.resources["pubsub", found[1]]))

    def _there(self, url: str) -> bool:
        try:
            call("GET", url)
        except Refused as error:
            if error.field != "404":
                raise
            return False
        return True

    def _inside(self, subscription: Any) -> Any:
        """With the way that Pub/Sub has to the function of that address."""
        push = subscription.get("pushConfig")
        if not push:
            return subscription
        short = str(push["pushEndpoint"]).removeprefix("https://").partition(f"-{self._values.number}.")[0]
        return {**subscription, "pushConfig": {**push, "pushEndpoint": f"{self.inside}{INSIDE}{short}"}}

    def _buckets(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> None:
        uploaded = _UPLOAD.fullmatch(path)
        if uploaded:
            self._package(uploaded[1], query["name"]).write_bytes(body)
        elif method in {"POST", "PATCH"} and path.startswith("/storage/v1/b"):
            for bucket in self._world.buckets.values():
                kept = self._state.resources.get(("storage", f"b/{bucket}"))
                if kept is not None:
                    change = {"retentionPolicy": kept.get("retentionPolicy")}
                    call("PATCH", f"{self._world.url('storage')}/storage/v1/b/{bucket}", change)

    def _package(self, bucket: str, name: str) -> Path:
        return self._packages / f"{bucket}-{name.replace('/', '-')}"

    def _secrets(self, path: str) -> None:
        """The local world's own `receive` knows the webhooks' secret too."""
        secret = self._values.resource_name("secret", "webhooks")
        if secret and path.endswith(f"/secrets/{secret}:addVersion"):
            newest = max(each for api, each in self._state.resources if api == "secret-data" and f"/{secret}/" in each)
            (self._world.secrets / GITHUB_SECRET).write_text(f"{secret_text(self._state, newest)}\n")

    def _revision(self, programs: Programs, name: str) -> None:
        function = self._state.resources["cloudfunctions", name]
        service = self._state.resources["run", service_of(name)]
        source = function["buildConfig"]["source"]["storageSource"]
        programs.deployed(
            Deployed(
                service=name.rpartition("/")[2],
                revision=str(service["latestCreatedRevision"]).rpartition("/")[2],
                entry=str(function["buildConfig"]["entryPoint"]),
                package=self._package(source["bucket"], source["object"]),
                settings={key: str(value) for key, value in function["serviceConfig"]["environmentVariables"].items()},
            )
        )
