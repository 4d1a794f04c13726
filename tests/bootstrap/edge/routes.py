"""Which of Google's addresses is answered by whom."""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from google.oauth2.credentials import Credentials
from tests.bootstrap.edge.doors import INSIDE, FunctionDoors, claims
from tests.bootstrap.edge.follows import Follows
from tests.bootstrap.edge.forward import forward
from tests.bootstrap.edge.proxy import Answered, Asked
from tests.bootstrap.fake.apis import secret_text
from tests.bootstrap.fake.compute import DOMAIN
from tests.bootstrap.fake.server import api_of, respond
from tests.bootstrap.fake.state import State

from downwind.bootstrap.values import Values
from downwind.errors import Refused
from downwind.local.calls import call
from downwind.local.kubernetes_api import PREFIX
from downwind.local.world_file import LocalWorld

GOOGLE = ".googleapis.com"
_OBJECTS = re.compile(r"/(?:upload/|download/)?storage/v1/b/([^/]+)/o(?:/|$)")
_MESSAGES = re.compile(
    r"/v1/projects/[^/]+/(?:topics|subscriptions)/[^/]+:(?:publish|pull|acknowledge|modifyAckDeadline)"
)
_BUILDS = re.compile(r"/v1/projects/[^/]+/(locations/[^/]+/)?(builds|operations)|/v1/.+/triggers/[^/]+:run$")


class Routes:
    """For one installation. The fake keeps buckets, subscriptions and policies; objects and messages are the local world's, under
    the same names. `open_gate`: Gate asks nobody who they are. `gate_version`: which Spinnaker it says to be."""

    def __init__(self, state: State, world: LocalWorld, values: Values, follows: Follows, doors: FunctionDoors) -> None:
        self._state = state
        self._world = world
        self._values = values
        named = values.config["builds"]["repositories"]
        self._repositories = [(each["address"].removeprefix("https://"), each["name"]) for each in named]
        self._gate = urlsplit(values.config["spinnaker"]["gate"]).hostname
        self.doors = doors
        self.follows = follows
        self.open_gate = False
        self.gate_version = "2026.2.4"

    def knows(self, host: str) -> bool:
        if host.endswith(GOOGLE):
            return self._api(host) is not None
        if any(address.startswith(f"{host}/") for address, _ in self._repositories):
            return True
        return host.endswith((".run.app", ".gke.goog", ".pkg.dev", f".{DOMAIN}")) or host == self._gate

    def __call__(self, asked: Asked) -> Answered | None:
        if not asked.host or asked.host == "127.0.0.1":
            return self.doors.pushed(asked) if asked.path.startswith(INSIDE) else Answered(status=404)
        if asked.host.endswith(".run.app"):
            return self.doors(asked)
        if asked.host.endswith(".gke.goog"):
            return forward(asked, self._world.url("gate"), PREFIX + asked.path, without=("authorization",))
        if asked.host == self._gate:
            return self._of_gate(asked)
        repository = next(
            (each for each in self._repositories if each[0] == f"{asked.host}{_repository(asked.path)}"), None
        )
        if repository is not None:
            rest = asked.path.removeprefix(_repository(asked.path))
            return forward(asked, self._world.url("git"), f"/{repository[1]}.git{rest}", without=("authorization",))
        if asked.host.endswith(".pkg.dev"):
            return forward(asked, self._world.url("registry"), _in_mirror(asked), without=("authorization",))
        if asked.host == f"oauth2{GOOGLE}":
            return self._token(asked)
        if asked.host == f"www{GOOGLE}" and asked.path == "/oauth2/v1/certs":
            return forward(asked, self._world.url("pubsub_rest"), "/-/certs")
        api, path = self._api(asked.host), urlsplit(asked.path).path
        if api is None:
            return None
        if api == "cloudbuild" and _BUILDS.match(path):
            return forward(asked, self._world.url("builds"), asked.path)
        bucket = _OBJECTS.match(path)
        if api == "storage" and bucket and bucket[1] in self._world.buckets.values():
            return forward(asked, self._world.url("storage"), asked.path)
        if api == "pubsub" and _MESSAGES.fullmatch(path):
            return forward(asked, self._world.url("pubsub_rest"), asked.path)
        answered = self._of_fake(asked, api)
        if answered.status == 200 and asked.method != "GET":
            query = {name: value[0] for name, value in parse_qs(urlsplit(asked.path).query).items()}
            self.follows(api, asked.method, unquote(path), query, asked.body)
        return answered

    def _api(self, host: str) -> str | None:
        label = host.removesuffix(GOOGLE)
        return label if label in {"oauth2", "www"} else api_of(host if host.endswith(DOMAIN) else f"{label}.{DOMAIN}")

    def _of_fake(self, asked: Asked, api: str) -> Answered:
        try:
            body: Any = json.loads(asked.body) if asked.body else None
        except ValueError:
            body = len(asked.body)
        signed = "Authorization" in asked.headers
        status, answer = respond(self._state, asked.method, asked.path, body, authorized=signed, host=f"{api}.{DOMAIN}")
        return _json(answer, status)

    def _of_gate(self, asked: Asked) -> Answered:
        """Gate behind the sign-in that the configuration has: the local one has none."""
        authorization = asked.headers.get("Authorization", "")
        token, pair = self._values.config["spinnaker"]["tokenSecret"], self._values.resource_name("secret", "gate")
        known = [f"Bearer {each}" for each in self._texts(token)]
        known += [f"Basic {b64encode(each.encode()).decode()}" for each in self._texts(pair)]
        if self._values.config["spinnaker"]["install"]:
            known += self._of_release()
        if authorization not in known and (token or pair or known) and not self.open_gate:
            where = "https://accounts.google.com/o/oauth2/v2/auth?client_id=gate"
            return Answered(status=302, headers={"Location": where})
        if asked.path == "/version":
            return _json({"version": self.gate_version})
        if asked.path == "/auth/user" and authorization in known:
            return _json({"username": "downwind", "email": "downwind@acme.example", "roles": []})
        return forward(asked, self._world.url("gate"), asked.path, without=("authorization",))

    def _texts(self, secret: str | None) -> list[str]:
        """Of all its versions, one of which is the newest."""
        kept = [each for api, each in self._state.resources if api == "secret-data" and f"/secrets/{secret}/" in each]
        return [secret_text(self._state, each).strip() for each in kept]

    def _of_release(self) -> list[str]:
        """Gate's own user, whose password only the cluster has."""
        namespace = self._values.config["spinnaker"]["namespace"]
        try:
            url = f"{self._world.url('gate')}{PREFIX}/api/v1/namespaces/{namespace}/secrets/spinnaker-gate"
            password = b64decode(call("GET", url)["data"]["password"])
        except Refused:  # it is not installed yet
            return []
        return [f"Basic {b64encode(b'downwind:' + password).decode()}"]

    def _token(self, asked: Asked) -> Answered:
        """Of a service account's assertion, or of a person's refresh token: whoever asks is believed."""
        given = {name: value[0] for name, value in parse_qs(asked.body.decode()).items()}
        claimed = claims(given["assertion"]) if "assertion" in given else {}
        if "target_audience" in claimed:
            wanted = {"audience": claimed["target_audience"], "email": claimed["iss"]}
            issued: Any = call("POST", f"{self._world.url('pubsub_rest')}/-/token", wanted)
            return _json({"id_token": issued["token"]})
        return _json({"access_token": "played", "expires_in": 3600, "token_type": "Bearer"})


def _repository(path: str) -> str:
    """What of a path of git's smart protocol names the repository."""
    return re.sub(r"/(info/refs|git-upload-pack|git-receive-pack).*", "", path)


def _in_mirror(asked: Asked) -> str:
    """The local registry holds every registry's repositories by their whole names."""
    return asked.path.replace("/v2/", f"/v2/{asked.host}/", 1) if asked.path != "/v2/" else asked.path


def _json(body: Any, status: int = 200) -> Answered:
    return Answered(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


class WithoutWire:
    """In place of an AuthorizedSession: the same requests, answered by the same routes."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self.credentials = Credentials(token="played")

    def request(self, method: str, url: str, **how: Any) -> "Response":
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = how["data"] if "data" in how else json.dumps(how["json"]).encode() if "json" in how else b""
        headers = {"Authorization": "Bearer played", **how.get("headers", {})}
        asked = Asked(method=method, host=parts.hostname or "", path=path, headers=headers, body=body)
        answered = self._routes(asked) or Answered(status=502)
        return Response(answered.status, answered.body)


@dataclass(frozen=True)
class Response:
    status_code: int
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)
