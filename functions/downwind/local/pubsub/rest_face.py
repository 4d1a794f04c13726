"""REST v1 JSON for what the other parts of the local world and curl need, and the keys of the tokens."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, json_response
from downwind.local.pubsub.service import Service
from downwind.local.pubsub.tokens import Tokens
from downwind.local.pubsub.wire import Rejected, message_class

_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}
# (HTTP method, what follows /v1/projects/<project>, gRPC method, field that the path fills, that field's kind)
_ROUTES = [
    ("PUT", "/topics/<name>", "Publisher/CreateTopic", "name", "topics"),
    ("GET", "/topics/<name>", "Publisher/GetTopic", "topic", "topics"),
    ("DELETE", "/topics/<name>", "Publisher/DeleteTopic", "topic", "topics"),
    ("POST", "/topics/<name>:publish", "Publisher/Publish", "topic", "topics"),
    ("PUT", "/subscriptions/<name>", "Subscriber/CreateSubscription", "name", "subscriptions"),
    ("GET", "/subscriptions/<name>", "Subscriber/GetSubscription", "subscription", "subscriptions"),
    ("DELETE", "/subscriptions/<name>", "Subscriber/DeleteSubscription", "subscription", "subscriptions"),
    ("POST", "/subscriptions/<name>:pull", "Subscriber/Pull", "subscription", "subscriptions"),
    ("POST", "/subscriptions/<name>:acknowledge", "Subscriber/Acknowledge", "subscription", "subscriptions"),
    (
        "POST",
        "/subscriptions/<name>:modifyAckDeadline",
        "Subscriber/ModifyAckDeadline",
        "subscription",
        "subscriptions",
    ),
    ("POST", "/subscriptions/<name>:modifyPushConfig", "Subscriber/ModifyPushConfig", "subscription", "subscriptions"),
]


class RestFace(HttpPart):
    """A pull over REST answers at once, with or without messages."""

    name = "pubsub"

    def __init__(self, service: Service, tokens: Tokens, stats: Callable[[], Mapping[str, Any]], port: int) -> None:
        self._service = service
        self._tokens = tokens
        self._stats = stats
        super().__init__(port)

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        for method, path, call, field, kind in _ROUTES:
            yield (method,), f"/v1/projects/<project>{path}", self._calling(call, field, kind)
        yield ("GET",), "/-/certs", lambda _request: json_response(self._tokens.certificates())
        yield ("POST",), "/-/token", self._token
        yield ("GET",), "/-/stats", lambda _request: json_response(self._stats())

    def _calling(self, method: str, field: str, kind: str) -> Handler:
        request_class, call = self._service.calls[method]

        def handle(request: Request, project: str, name: str) -> Response:
            message = message_class(request_class)()
            try:
                json_format.Parse(request.get_data() or b"{}", message)
                setattr(message, field, f"projects/{project}/{kind}/{name}")
                answer = call(message, None)
            except (json_format.ParseError, UnicodeDecodeError) as error:
                return _error(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid JSON payload received. {error}")
            except Rejected as error:
                return _error(error.code, error.message)
            return json_response({} if answer is None else json_format.MessageToDict(answer))

        return handle

    def _token(self, request: Request) -> Response:
        """`{"audience", "email"}` in, `{"token"}` out: an ID token as a push carries it."""
        body = request.get_json(silent=True, force=True)
        audience, email = (body.get("audience"), body.get("email")) if isinstance(body, dict) else (None, None)
        if not (isinstance(audience, str) and audience and isinstance(email, str) and email):
            return _error(grpc.StatusCode.INVALID_ARGUMENT, 'The body must be {"audience": "…", "email": "…"}.')
        return json_response({"token": self._tokens.issue(audience, email)})


def _error(code: grpc.StatusCode, message: str) -> Response:
    status = _HTTP[code]
    return json_response({"error": {"code": status, "message": message, "status": code.name}}, status)
