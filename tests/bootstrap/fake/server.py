"""One port, used as an HTTP proxy: the host of a request tells which endpoint it obeyed, and what goes anywhere else arrives here
as well, is written down as ESCAPED, and refused."""

import copy
import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from google.oauth2.credentials import Credentials
from tests.bootstrap.fake.apis import route
from tests.bootstrap.fake.compute import DOMAIN
from tests.bootstrap.fake.state import Answer, State
from tests.bootstrap.loopback import Loopback

APIS = (
    *(
        "artifactregistry",
        "cloudbilling",
        "cloudbuild",
        "cloudfunctions",
        "cloudresourcemanager",
        "cloudscheduler",
        "container",
        "iam",
    ),
    *(
        "iamcredentials",
        "logging",
        "pubsub",
        "run",
        "secretmanager",
        "serviceusage",
        "sourcerepo",
        "storage",
        "compute",
    ),
)


def api_of(host: str) -> str | None:
    """`us-central1-run.fake.test` is run."""
    label = host.removesuffix(f".{DOMAIN}") if host.endswith(f".{DOMAIN}") else ""
    return next((each for each in (*APIS, "upload") if label == each or label.endswith(f"-{each}")), None)


class FakeGoogle(Loopback):
    """A context manager. `environment(folder)` is what gcloud and we need to reach nothing but this."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        super().__init__(_handler(self.state))

    def serve(self) -> None:
        """For ever, in a process that was forked for that."""
        self._server.serve_forever(0.02)

    def close(self) -> None:
        """In the process that left the serving to its child."""
        self._server.server_close()

    def environment(self, folder: Path) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self.port}"
        overrides = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{each.upper()}": f"http://{each}.{DOMAIN}/" for each in APIS}
        return {
            **overrides,
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
            "CLOUDSDK_AUTH_ACCESS_TOKEN": "fake-token",
            "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "KUBECONFIG": str(folder / "kubeconfig"),
            **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        }

    @property
    def escaped(self) -> list[dict[str, Any]]:
        return [each for each in self.state.log if each["api"] == "ESCAPED"]


def respond(state: State, method: str, address: str, body: Any, *, authorized: bool, host: str = "") -> tuple[int, Any]:
    """What is answered to one request, which is written down. `body`: parsed; its length where it is not JSON."""
    url = urlsplit(address)
    query = {key: value[-1] for key, value in parse_qs(url.query, keep_blank_values=True).items()}
    api = api_of(url.hostname or host)
    sent = copy.deepcopy(body)  # the state keeps and changes parts of it
    with state.lock:
        status, answer = (502, {}) if api is None else _answered(state, api, method, unquote(url.path), query, body)
        entry = {"api": api or "ESCAPED", "method": method, "path": url.path, "query": query, "body": sent}
        state.log.append({**entry, "status": status, "authorized": authorized})
    return status, answer


def _answered(state: State, api: str, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
    try:
        if api == "upload":
            return 200, {}
        return 200, copy.deepcopy(route(state, api, method, path, query, body))
    except Answer as error:
        return error.code, error.body
    except Exception as error:  # a gap in the fake: say so instead of hanging gcloud
        return 501, {"error": {"code": 501, "status": "UNIMPLEMENTED", "message": f"{type(error).__name__}: {error}"}}


@dataclass(frozen=True)
class _Response:
    status_code: int
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class WithoutSocket:
    """In place of an AuthorizedSession: the same requests and answers as JSON, but none of them on a wire. Ten times as fast."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.credentials = Credentials(token="fake-token")

    def request(self, method: str, url: str, **how: Any) -> _Response:
        given = how.get("json")
        body = len(how["data"]) if "data" in how else given if given is None else json.loads(json.dumps(given))
        status, answer = respond(self.state, method, url, body, authorized=True)
        return _Response(status, json.dumps(answer).encode())


def _handler(state: State) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two writes: else 40 ms an answer

        def log_message(self, *_: object) -> None:
            pass

        def send(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_CONNECT(self) -> None:
            with state.lock:
                state.log.append({"api": "ESCAPED", "method": "CONNECT", "path": self.path, "body": None})
            self.send(502, {})
            self.close_connection = True

        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body: Any = json.loads(raw) if raw else None
            except ValueError:
                body = len(raw)
            host = (self.headers.get("Host") or "").split(":")[0]
            signed = "Authorization" in self.headers
            self.send(*respond(state, self.command, self.path, body, authorized=signed, host=host))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

    return Handler
