"""The doors of functions as Cloud Run keeps them: ingress, then IAM by the policy that stands at the fake; behind them the
revision that gets the traffic."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from google.auth import jwt
from tests.bootstrap.edge.forward import forward
from tests.bootstrap.edge.proxy import Answered, Asked
from tests.bootstrap.fake.state import State

from downwind.local.world_file import LocalWorld

_jwt: Any = jwt  # google-auth is typed in part only
INSIDE = "/-/function/"
"""Before a function's name, where Pub/Sub's pushes come in: calls from inside the network."""
_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"


class FunctionDoors:
    """`revision`: the address of one by its short name; None where it is none of ours, and the local world's function answers."""

    def __init__(
        self, state: State, world: LocalWorld, number: str, revision: Callable[[str], str | None] = lambda _name: None
    ) -> None:
        self._state = state
        self._world = world
        self._number = number
        self._certificates: Mapping[str, str] | None = None
        self.revision = revision

    def __call__(self, asked: Asked) -> Answered:
        """From outside, by an address of Google's."""
        found = self._function(asked.host)
        if found is None or found[1]["serviceConfig"].get("ingressSettings") == "ALLOW_INTERNAL_ONLY":
            return Answered(status=404)  # so says Google's front end to everybody outside
        return self._answer(asked, *found)

    def pushed(self, asked: Asked) -> Answered:
        short = asked.path.removeprefix(INSIDE).split("/")[0]
        found = next((each for each in self._functions() if each[0].endswith(f"/{short}")), None)
        return self._answer(asked, *found) if found else Answered(status=404)

    def _answer(self, asked: Asked, name: str, function: Any) -> Answered:
        invokers = self._invokers(name)
        headers = dict(asked.headers)
        if "allUsers" not in invokers:
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            if not token:
                return Answered(status=403)
            email = self._email(token)
            if email is None:
                return Answered(status=401)
            if not {f"user:{email}", f"serviceAccount:{email}"} & invokers:
                return Answered(status=403)
        url = self.revision(self._serving(name))
        if url is None:
            return forward(asked, self._world.url("functions"), f"/{function['buildConfig']['entryPoint']}")
        if "allUsers" not in invokers:  # Cloud Run has checked it, and takes the signature away
            headers["Authorization"] = f"Bearer {token.rpartition('.')[0]}.{_REMOVED}"
        whole = Asked(method=asked.method, host=asked.host, path="/", headers=headers, body=asked.body)
        return forward(whole, url, "/")

    def _functions(self) -> list[tuple[str, Any]]:
        with self._state.lock:
            known = [(name, each) for (api, name), each in self._state.resources.items() if api == "cloudfunctions"]
        return [(name, each) for name, each in known if "/functions/" in name]

    def _function(self, host: str) -> tuple[str, Any] | None:
        """Its resource name, by the address with the project's number, or the one that the API tells."""
        for name, each in self._functions():
            region, short = name.split("/")[3], name.rpartition("/")[2]
            if host in {f"{short}-{self._number}.{region}.run.app", urlsplit(each.get("url", "")).hostname}:
                return name, each
        return None

    def _invokers(self, function: str) -> set[str]:
        policy = self._state.policies.get(("run", service_of(function)), {})
        bound = [each for each in policy.get("bindings", ()) if each["role"] == "roles/run.invoker"]
        return {member for each in bound for member in each["members"]}

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
        service = self._state.resources.get(("run", service_of(function)), {})
        traffic = (service.get("trafficStatuses") or [{}])[0]
        return str(traffic.get("revision") or service.get("latestReadyRevision", "")).rpartition("/")[2]


def service_of(function: str) -> str:
    return function.replace("/functions/", "/services/")


def claims(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found
