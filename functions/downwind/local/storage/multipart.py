"""multipart/related and multipart/mixed bodies, byte for byte: email.parser would change line ends in the data."""

from itertools import pairwise

from werkzeug.http import parse_options_header

from downwind.local.storage.errors import invalid


def related_parts(content_type: str, body: bytes) -> tuple[tuple[bytes, str | None], tuple[bytes, str | None]]:
    """The two parts of an upload, each with its content type: metadata, then data."""
    parts = split(content_type, body)
    if len(parts) != 2:
        raise invalid(f"Malformed multipart body: 2 parts wanted, {len(parts)} found.")
    (first_headers, first), (second_headers, second) = parts
    return (first, first_headers.get("content-type")), (second, second_headers.get("content-type"))


def split(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Headers (names in lower case) and content of every part. Line ends may be CRLF or, as in batches, LF."""
    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        raise invalid("Malformed multipart body: no boundary.")
    mark = b"--" + boundary.encode()
    text = b"\n" + body  # the first mark has no line end before it
    places = _places(text, b"\n" + mark)
    if len(places) < 2 or not text[places[-1][1] :].startswith(b"--"):
        raise invalid("Malformed multipart body: no end.")
    parts = []
    for (_, begin), (end, _) in pairwise(places):
        content = text[begin:end].removesuffix(b"\r")
        _, _, content = content.partition(b"\n")
        parts.append(headers_and_rest(content))
    return parts


def headers_and_rest(content: bytes) -> tuple[dict[str, str], bytes]:
    """RFC 822 headers up to the empty line, and what follows it."""
    headers: dict[str, str] = {}
    while content:
        line, _, content = content.partition(b"\n")
        line = line.removesuffix(b"\r")
        if not line:
            break
        name, _, value = line.partition(b":")
        headers[name.strip().lower().decode("latin-1")] = value.strip().decode("utf-8", "replace")
    return headers, content


def _places(text: bytes, mark: bytes) -> list[tuple[int, int]]:
    places = []
    at = text.find(mark)
    while at >= 0:
        places.append((at, at + len(mark)))
        at = text.find(mark, at + len(mark))
    return places
