"""The batch endpoint: several calls in one request, each answered for itself, in order.

https://cloud.google.com/storage/docs/batch. As in the real service: no uploads, no downloads, at most 100 calls.
"""

import uuid
from collections.abc import Callable

from werkzeug.wrappers import Response

from downwind.local.storage.call import Call
from downwind.local.storage.errors import StorageError, invalid
from downwind.local.storage.multipart import headers_and_rest, split

_LIMIT = 100


def answer_batch(call: Call, answer: Callable[[Call], Response]) -> Response:
    call.allow()
    parts = split(call.headers.get("content-type", ""), call.body)
    if len(parts) > _LIMIT:
        raise invalid(f"The batch request contains {len(parts)} calls, {_LIMIT} are allowed.")
    boundary = f"batch_{uuid.uuid4().hex}"
    pieces = []
    for number, (headers, content) in enumerate(parts, 1):
        identity = headers.get("content-id", f"<{number}>")
        pieces.append(
            f"--{boundary}\r\nContent-Type: application/http\r\n"
            f"Content-ID: <response-{identity.strip('<>')}>\r\n\r\n".encode()
            + _http(_one(call, content, answer))
            + b"\r\n"
        )
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    return Response(body, 200, content_type=f"multipart/mixed; boundary={boundary}")


def _one(outer: Call, content: bytes, answer: Callable[[Call], Response]) -> Response:
    line, _, rest = content.partition(b"\n")
    words = line.decode("utf-8", "replace").split()
    try:
        if len(words) != 3:
            raise invalid("Failed to parse batch request.")
        headers, body = headers_and_rest(rest)
        inner = Call.read(words[0], words[1], outer.base, headers, body)
        if inner.path[0] != "storage" or inner.query.get("alt") == "media":
            raise invalid("Uploads and downloads cannot be part of a batch.")
    except StorageError as error:
        return error.response()
    return answer(inner)


def _http(response: Response) -> bytes:
    body = response.get_data()
    head = f"HTTP/1.1 {response.status}\r\nContent-Type: {response.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
