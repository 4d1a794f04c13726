"""How buckets and objects look in JSON: https://cloud.google.com/storage/docs/json_api/v1/objects#resource"""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from sqlite3 import Row
from typing import Any
from urllib.parse import quote

from downwind.local.storage.errors import not_here

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OBJECT_FIELDS = frozenset(
    {"contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "metadata"}
    | {"storageClass", "customTime"}
)
_OBJECT_REFUSED = frozenset(
    {"temporaryHold", "eventBasedHold", "retention", "kmsKeyName", "customerEncryption", "contexts"}
)
_BUCKET_READ_ONLY = frozenset(
    {"kind", "id", "name", "selfLink", "metageneration", "generation", "timeCreated", "updated", "etag"}
    | {"projectNumber", "owner", "acl", "defaultObjectAcl", "satisfiesPZS", "hardDeleteTime", "softDeleteTime"}
)
_BUCKET_REFUSED = frozenset(
    {"defaultEventBasedHold", "encryption", "billing", "hierarchicalNamespace", "logging", "objectRetention"}
    | {"ipFilter", "customPlacementConfig"}
)


def time_text(microseconds: int) -> str:
    """RFC 3339 with milliseconds."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def etag_of(generation: int, metageneration: int) -> str:
    """As the real one: base64 of the protobuf message {1: generation, 2: metageneration}."""
    return b64encode(b"\x08" + _varint(generation) + b"\x10" + _varint(metageneration)).decode()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def object_resource(row: Row, base: str, retention: int = 0) -> dict[str, Any]:
    """`retention`: seconds for which the bucket's policy keeps each object."""
    bucket, name, generation = row["bucket"], row["name"], row["generation"]
    path = f"storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    created = time_text(generation)
    resource = {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "selfLink": f"{base}/{path}",
        "mediaLink": f"{base}/download/{path}?generation={generation}&alt=media",
        "name": name,
        "bucket": bucket,
        "generation": str(generation),
        "metageneration": str(row["metageneration"]),
        "storageClass": "STANDARD",
        "size": str(row["size"]),
        "crc32c": row["crc32c"],
        "etag": etag_of(generation, row["metageneration"]),
        "timeCreated": created,
        "updated": time_text(row["updated"]),
        "timeStorageClassUpdated": created,
        "timeFinalized": created,
        **json.loads(row["fields"]),
    }
    if row["md5"] is not None:
        resource["md5Hash"] = row["md5"]
    if row["components"] is not None:
        resource["componentCount"] = row["components"]
    if row["deleted"] is not None:
        resource["timeDeleted"] = time_text(row["deleted"])
    if retention:
        resource["retentionExpirationTime"] = time_text(generation + retention * 1_000_000)
    return resource


def bucket_resource(row: Row, base: str) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": row["name"],
        "selfLink": f"{base}/storage/v1/b/{row['name']}",
        "name": row["name"],
        "projectNumber": "0",
        "generation": str(row["created"]),
        "metageneration": str(row["metageneration"]),
        "etag": etag_of(row["created"], row["metageneration"]),
        "timeCreated": time_text(row["created"]),
        "updated": time_text(row["updated"]),
        **json.loads(row["fields"]),
    }


def object_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object that a caller may set; null stays, since in a patch it removes."""
    for name in _OBJECT_REFUSED:
        if document.get(name):
            raise not_here(f"the object field {name}")
    return {name: value for name, value in document.items() if name in _OBJECT_FIELDS}


def bucket_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a bucket that a caller may set: kept and given back, and most of them without effect here."""
    for name in _BUCKET_REFUSED:
        if document.get(name):
            raise not_here(f"the bucket field {name}")
    return {name: value for name, value in document.items() if name not in _BUCKET_READ_ONLY | _BUCKET_REFUSED}


def merge(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Google's patch: null removes, an object is merged by key, everything else replaces."""
    merged = dict(old)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged
