"""The cluster's API server, by the official client: a context of the kubeconfig, or GKE's DNS endpoint with Google's token.

Objects are made by server-side apply (kubernetes.io/docs/reference/using-api/server-side-apply), without force: what somebody
else has set meanwhile stays as it is, and the object is read again. How they are changed says kinds/objects.py."""

import contextlib
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from downwind.bootstrap.cloud import Cloud, Conflict, NotYet
from downwind.bootstrap.kinds.pins import read_versions
from downwind.bootstrap.values import Values
from downwind.bootstrap.write import COPIED_AT_APPLY, PASSWORD_COPIED_AT_APPLY, Request
from downwind.errors import Misconfigured, Refused, TransientError

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_RIGHTS = "give your account the right in the cluster (roles/container.admin, or cluster-admin)"
_TLS = "look at the certificate authority that the kubeconfig names, or at a proxy between"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


class ApiServer:
    """One API server. `client` is the official ApiClient. `renew`: has its next call carry another token than the one that was
    answered by 401; None where nothing else can be had."""

    def __init__(self, client: Any, timeout: float = 30, renew: Callable[[], None] | None = None) -> None:
        self._client = client
        self._renew = renew
        self._timeout = timeout
        self.host = str(client.configuration.host)

    def call(
        self, method: str, path: str, query: Mapping[str, str], body: Any = None, accept: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and JSON. TransientError when it did not answer. How long a token lives is not known: its end is found here."""
        status, answer = self._called(method, path, query, body, accept)
        if status != 401 or self._renew is None:
            return status, answer
        self._renew()
        return self._called(method, path, query, body, accept)

    def _called(self, method: str, path: str, query: Mapping[str, str], body: Any, accept: str) -> tuple[int, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = _APPLY if method == "PATCH" else "application/json"
        request = self._client.param_serialize(
            method,
            f"/{path}",
            query_params=list(query.items()),
            header_params=headers,
            body=json.dumps(body).encode() if method == "PATCH" else body,  # of JSON the client makes bytes itself
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=self._timeout)
            text = answer.read()
        except ApiException as error:  # no status: a certificate that it does not trust; all else is an answer
            raise Misconfigured(f"the cluster's TLS: {' '.join(str(error.reason).split())[:300]}", fix=_TLS) from error
        except (HTTPError, OSError) as error:
            raise TransientError(f"the cluster did not answer: {type(error).__name__}") from error
        try:
            return int(answer.status), json.loads(text)
        except ValueError:
            return int(answer.status), {"message": text[:200].decode(errors="replace")}


class KubernetesCalls:
    """`cloud.Calls` for requests whose api is `kubernetes`. `locate`: the API server; None while there is none."""

    def __init__(self, cloud: Cloud, locate: Callable[[], ApiServer | None]) -> None:
        self._cloud = cloud
        self._locate = locate
        self._lock = threading.Lock()
        self._found: ApiServer | None = None

    def read(self, request: Request) -> Any:
        server = self._server()
        if server is None:
            return None
        status, body = server.call("GET", request.path, request.query, accept=request.accept or "application/json")
        return None if status == 404 else _checked(request, status, body)

    def send(self, request: Request) -> Any:
        server = self._server()
        if server is None:
            raise NotYet("the cluster is not there yet")
        body = _with_copy(self._cloud, request) if request.copies else request.body
        return _checked(request, *server.call(request.method, request.path, request.query, body))

    def _server(self) -> ApiServer | None:
        with self._lock:
            if self._found is None:
                self._found = self._locate()
            return self._found


def locate(values: Values, cloud: Cloud, environment: Mapping[str, str]) -> ApiServer | None:
    """By the configuration's context; else GKE is asked for the cluster's DNS endpoint. Refused where it has none for us."""
    context = values.config["cluster"]["context"]
    if context is not None:
        return ApiServer(_by_kubeconfig(context, environment.get("KUBECONFIG")))
    override = cloud.endpoints.get("kubernetes")
    place = f"projects/{values.project}/locations/{values.location}/clusters/{values.config['cluster']['name']}"
    found = cloud.read(Request(api="container", path=f"v1/{place}"))
    if found is None and values.config["cluster"]["create"] == "none":
        raise Refused(
            f"there is no cluster {values.config['cluster']['name']} in {values.location}",
            fix=f"look: gcloud container clusters list --project={values.project}; or let it be made: create: autopilot",
        )
    if found is None or found.get("status") in {"PROVISIONING", "ERROR"}:
        return None
    dns = (found.get("controlPlaneEndpointsConfig") or {}).get("dnsEndpointConfig") or {}
    if not dns.get("endpoint"):
        raise Refused(
            f"cluster {values.config['cluster']['name']} has no DNS endpoint, by which it is reached",
            fix=f"gcloud container clusters update {values.config['cluster']['name']} --location={values.location} "
            "--enable-dns-access",
        )
    client = _by_token(override or f"https://{dns['endpoint']}", lambda: token_of(cloud.session))
    return ApiServer(client, renew=lambda: _renew(cloud.session))


def token_of(session: Any) -> str:
    """The access token that goes out with calls of Google's APIs; renewed when it is old."""
    from google.auth.transport.requests import Request as Transport

    headers: dict[str, str] = {}
    with _credentials():
        session.credentials.before_request(Transport(), "GET", "https://container.googleapis.com/", headers)
    return next(value for name, value in headers.items() if name.lower() == "authorization").removeprefix("Bearer ")


def _renew(session: Any) -> None:
    """As google-auth does itself when one of Google's APIs has answered 401."""
    from google.auth.transport.requests import Request as Transport

    with _credentials():
        session.credentials.refresh(Transport())


@contextlib.contextmanager
def _credentials() -> Iterator[None]:
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        raise Misconfigured(f"Google takes no credentials: {type(error).__name__}", fix="gcloud auth login") from error


def _by_token(host: str, token: Callable[[], str]) -> Any:
    client, configuration = _client()
    configuration.host = host

    def renew(settings: Any) -> None:
        settings.api_key["authorization"] = token()

    configuration.api_key_prefix["authorization"] = "Bearer"
    configuration.refresh_api_key_hook = renew
    configuration.api_key["authorization"] = token()
    return client.ApiClient(configuration)


def _by_kubeconfig(context: str, files: str | None) -> Any:
    """`files`: None for kubectl's own place."""
    client, configuration = _client()
    from kubernetes import config

    try:
        config.load_kube_config(files, context=context, client_configuration=configuration)
    except (config.ConfigException, OSError, TypeError) as error:
        raise Refused(f"the kubeconfig: {error}", fix="name a context of it: kubectl config get-contexts") from error
    return client.ApiClient(configuration)


def _client() -> tuple[Any, Any]:
    try:
        from kubernetes import client
    except ImportError as error:
        fix = "install it, in a checkout: pip install '.[cli,cluster]'"
        raise Refused("the Kubernetes client is not installed", fix=fix) from error
    configuration = client.Configuration()
    configuration.retries = False
    return client, configuration


def _with_copy(cloud: Cloud, request: Request) -> Any:
    """The body with a secret's text, which nobody else sees, and with its version."""
    secret = str(request.copies).partition("/versions/")[0]
    newest = read_versions(cloud, secret).newest
    found = newest and cloud.read(Request(api="secretmanager", path=f"v1/{secret}/versions/{newest}:access"))
    if not found:
        raise Refused(f"{request.copies} is not there", fix="put a text into the secret, then run apply again")
    version, text = found["name"].rpartition("/")[2], found["payload"]["data"]
    body, metadata = request.body, request.body["metadata"]
    annotations = {key: value.replace(COPIED_AT_APPLY, version) for key, value in metadata["annotations"].items()}
    password = b64encode(b64decode(text).strip().partition(b":")[2]).decode()
    filled = {COPIED_AT_APPLY: text, PASSWORD_COPIED_AT_APPLY: password}
    data = {key: filled.get(value, value) for key, value in body["data"].items()}
    return {**body, "metadata": {**metadata, "annotations": annotations}, "data": data}


def _checked(request: Request, status: int, body: Any) -> Any:
    if 200 <= status < 300:
        return body
    said = body.get("message", "") if isinstance(body, Mapping) else ""
    text = f"{request.method} {request.path}: {status} {said}"[:500]
    if status == 409:
        raise Conflict(text)
    if status in {401, 403} and "ValidatingAdmissionPolicy '" not in text:
        raise Misconfigured(text, fix=_RIGHTS)
    if status in _PASSING:
        raise TransientError(text)
    raise Refused(text)
