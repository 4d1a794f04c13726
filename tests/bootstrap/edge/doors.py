"""The doors of functions as Cloud Run keeps them: ingress, then IAM by the policy that stands at the fake; behind them the local
world's functions, or the program of one revision."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from google.auth import jwt
from tests.bootstrap.edge.forward import forward
from tests.bootstrap.edge.proxy import Answered, Asked
from tests.bootstrap.fake.state import State

from downwind.local.world_file import LocalWorld

_jwt: Any = jwt  # google-auth is typed in part only


class FunctionDoors:
    """`revisions`: where a revision answers that is not the local world's functions, by its short name."""

    def __init__(self, state: State, world: LocalWorld, number: str) -> None:
        self._state = state
        self._world = world
        self._number = number
        self._certificates: Mapping[str, str] | None = None
        self.revisions: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Answered:
        found = self._function(asked.host)
        if found is None:
            return Answered(status=404)
        name, function = found
        if function["serviceConfig"].get("ingressSettings") == "ALLOW_INTERNAL_ONLY":
            return Answered(status=404)  # so says Google's front end to everybody outside
        refused = self._refused(self._invokers(name), asked.headers.get("Authorization", ""))
        if refused is not None:
            return Answered(status=refused)
        serving = self._serving(name)
        if serving in self.revisions:
            return forward(asked, self.revisions[serving], "/")
        return forward(asked, self._world.url("functions"), f"/{function['buildConfig']['entryPoint']}")

    def _function(self, host: str) -> tuple[str, Any] | None:
        """Its resource name, by the address with the project's number, or the one that the API tells."""
        with self._state.lock:
            for (api, name), each in self._state.resources.items():
                if api != "cloudfunctions" or "/functions/" not in name:
                    continue
                region, short = name.split("/")[3], name.rpartition("/")[2]
                if host in {f"{short}-{self._number}.{region}.run.app", urlsplit(each.get("url", "")).hostname}:
                    return name, each
        return None

    def _invokers(self, function: str) -> set[str]:
        policy = self._state.policies.get(("run", function.replace("/functions/", "/services/")), {})
        bound = [each for each in policy.get("bindings", ()) if each["role"] == "roles/run.invoker"]
        return {member for each in bound for member in each["members"]}

    def _refused(self, invokers: set[str], authorization: str) -> int | None:
        if "allUsers" in invokers:
            return None
        if not authorization:
            return 403
        email = self._email(authorization.removeprefix("Bearer "))
        if email is None:
            return 401
        return None if {f"user:{email}", f"serviceAccount:{email}"} & invokers else 403

    def _email(self, token: str) -> str | None:
        """Whose it is, if its signature is the broker's, which stands for Google's here."""
        if self._certificates is None:
            url = f"{self._world.url('pubsub_rest')}/-/certs"
            self._certificates = requests.get(url, timeout=20, proxies={"http": ""}).json()
        try:
            return str(_jwt.decode(token, certs=self._certificates)["email"])
        except (ValueError, KeyError, TypeError):
            return None

    def _serving(self, function: str) -> str:
        service = self._state.resources.get(("run", function.replace("/functions/", "/services/")), {})
        traffic = (service.get("trafficStatuses") or [{}])[0]
        return str(traffic.get("revision") or service.get("latestReadyRevision", "")).rpartition("/")[2]


def claims(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found
