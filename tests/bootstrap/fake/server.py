"""One port, used as an HTTP proxy: the host of a request tells which endpoint it obeyed, and what goes anywhere else arrives here
as well, is written down as ESCAPED, and refused."""

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.bootstrap.fake.apis import route
from tests.bootstrap.fake.compute import DOMAIN
from tests.bootstrap.fake.state import Answer, State

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


class FakeGoogle:
    """A context manager. `environment(folder)` is what gcloud and we need to reach nothing but this."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.state))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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
            url = urlsplit(self.path)
            query = {key: value[-1] for key, value in parse_qs(url.query).items()}
            try:
                body: Any = json.loads(raw) if raw else None
            except ValueError:
                body = len(raw)
            api = api_of(url.hostname or (self.headers.get("Host") or "").split(":")[0])
            sent = copy.deepcopy(body)  # the state keeps and changes parts of it
            with state.lock:
                status: int
                answer: Any
                if api is None:
                    status, answer = 502, {}
                else:
                    status, answer = self.answered(api, unquote(url.path), query, body)
                entry = {
                    "api": api or "ESCAPED",
                    "method": self.command,
                    "path": url.path,
                    "query": query,
                    "body": sent,
                }
                state.log.append({**entry, "status": status, "authorized": "Authorization" in self.headers})
            self.send(status, answer)

        def answered(self, api: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
            try:
                if api == "upload":
                    return 200, {}
                return 200, copy.deepcopy(route(state, api, self.command, path, query, body))
            except Answer as error:
                return error.code, error.body
            except Exception as error:  # a gap in the fake: say so instead of hanging gcloud
                return 501, {
                    "error": {"code": 501, "status": "UNIMPLEMENTED", "message": f"{type(error).__name__}: {error}"}
                }

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

    return Handler
