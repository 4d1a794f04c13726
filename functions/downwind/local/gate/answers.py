"""The three shapes of Gate's error bodies, and its empty and JSON answers (recorded; facts: real-spinnaker.md 3.1)."""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from downwind.local.http import json_response

KORK = "com.netflix.spinnaker.kork"
UPSTREAM = f"{KORK}.retrofit.exceptions.SpinnakerHttpException"
NOT_FOUND = f"{KORK}.web.exceptions.NotFoundException"
ORCA = "http://orca.local:8083"
FRONT50 = "http://front50.local:8080"


class GateError(HTTPException):
    """An answer other than 2xx, raised where the reason is known; HttpPart sends it as it is."""

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)
        self.answer = response


def answer(body: Any, status: int = 200) -> Response:
    return json_response(body, status, {"Content-Type": "application/json;charset=UTF-8"})


def empty() -> Response:
    response = Response(b"", 200)
    del response.headers["Content-Type"]
    return response


def error(status: int, message: str, exception: str = UPSTREAM) -> GateError:
    """Gate's own shape; `exception` is the Java class that it names."""
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "exception": exception,
        "message": message,
    }
    return GateError(answer(body, status))


def upstream(status: int, method: str, url: str, message: str) -> GateError:
    """What Gate says when Orca or Front50 said no; the inner URL is part of the text, as in the real one."""
    return error(status, f"Status: {status}, Method: {method}, URL: {url}, Message: {message}")


def problem(request: Request, status: int, detail: str) -> Response:
    """RFC 7807, Spring's own: unreadable bodies, unknown routes, wrong methods."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.path}
    return json_response(body, status, {"Content-Type": "application/problem+json"})


def encoded_slash() -> Response:
    """The servlet container refuses `%2F` before Spring sees the request: a shape of its own."""
    text = "Invalid URI: [The encoded slash character is not allowed]"
    return answer({"timestamp": int(time.time() * 1000), "status": 400, "error": text}, 400)


def firewalled() -> Response:
    """What never reaches a route: Gate's own shape, with no exception to name (recorded for `//`)."""
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": 400,
        "error": "Bad Request",
        "message": "No message available",
    }
    return answer(body, 400)


def read_object(request: Request, *, required: bool = False) -> dict[str, Any]:
    """The JSON object of the body; {} for none or null. Anything else is refused as Spring refuses it."""
    if request.data and request.mimetype != "application/json":
        detail = f"Content-Type '{request.mimetype};charset=UTF-8' is not supported."
        raise GateError(problem(request, 415, detail))
    body = request.get_json(silent=True) if request.data else None
    absent = body is None and request.data.strip() in {b"", b"null"} and not required
    if not isinstance(body, dict) and not absent:
        raise GateError(problem(request, 400, "Failed to read request"))
    return body or {}
