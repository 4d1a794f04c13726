"""Versions of objects: choose one, write one, take one away. Everything here runs inside the caller's transaction."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5
from sqlite3 import Row
from typing import Any

import google_crc32c

from downwind.local.storage import preconditions
from downwind.local.storage.buckets import Buckets, is_versioned, retention
from downwind.local.storage.database import Database, now
from downwind.local.storage.errors import StorageError, invalid, no_object
from downwind.local.storage.resources import time_text


class Versions:
    def __init__(self, database: Database, buckets: Buckets) -> None:
        self._database = database
        self._buckets = buckets

    def live(self, bucket: str, name: str) -> Row | None:
        return self._database.one(
            "SELECT * FROM versions_without_data WHERE bucket = ? AND name = ? AND live", (bucket, name)
        )

    def choose(self, bucket: str, name: str, generation: int | None) -> Row:
        """The live version, or the one asked for; 404 if there is none."""
        self._buckets.row(bucket)
        if generation is None:
            found = self.live(bucket, name)
        else:
            found = self._database.one(
                "SELECT * FROM versions_without_data WHERE generation = ? AND bucket = ? AND name = ?",
                (generation, bucket, name),
            )
        if found is None:
            raise no_object(bucket, name)
        return found

    def data(self, row: Row) -> bytes:
        found = self._database.one("SELECT data FROM objects WHERE generation = ?", (row["generation"],))
        if found is None:
            raise no_object(row["bucket"], row["name"])
        return bytes(found["data"])

    def check(self, bucket: str, name: str, conditions: Mapping[str, int | None]) -> Row | None:
        """The preconditions of a write against what is live now."""
        self._buckets.row(bucket)
        standing = self.live(bucket, name)
        preconditions.check(
            conditions,
            standing["generation"] if standing else 0,
            standing["metageneration"] if standing else 0,
        )
        return standing

    def write(
        self,
        bucket: str,
        name: str,
        data: bytes,
        fields: Mapping[str, Any],
        conditions: Mapping[str, int | None],
        *,
        components: int | None = None,
    ) -> Row:
        """A new live version; the earlier one becomes noncurrent or goes. A composed object has no MD5, as in the real one."""
        check_name(name)
        standing = self.check(bucket, name, conditions)
        if standing is not None:
            self._retire(standing)
        generation = self._database.next_generation()
        kept = json.dumps({field: value for field, value in fields.items() if value is not None})
        checksum = None if components else md5_of(data)
        self._database.run(
            "INSERT INTO objects VALUES (?, ?, ?, 1, 1, ?, NULL, ?, ?, ?, ?, ?, ?)",
            (generation, bucket, name, generation, len(data), checksum, crc32c_of(data), components, kept, data),
        )
        return self.choose(bucket, name, generation)

    def change(self, row: Row, fields: Mapping[str, Any]) -> Row:
        """New fields for one version: its metageneration rises."""
        self._database.run(
            "UPDATE objects SET fields = ?, metageneration = metageneration + 1, updated = ? WHERE generation = ?",
            (json.dumps(fields), now(), row["generation"]),
        )
        return self.choose(row["bucket"], row["name"], row["generation"])

    def delete(self, row: Row, *, for_good: bool) -> None:
        """`for_good`: that generation was named, so it does not become noncurrent."""
        if for_good:
            self._erase(row)
        else:
            self._retire(row)

    def _retire(self, row: Row) -> None:
        if not is_versioned(self._buckets.row(row["bucket"])):
            self._erase(row)
            return
        values = (now(), row["generation"])
        self._database.run("UPDATE objects SET live = 0, deleted = ? WHERE generation = ?", values)

    def _erase(self, row: Row) -> None:
        until = row["generation"] + retention(self._buckets.row(row["bucket"])) * 1_000_000
        if until > max(now(), row["generation"]):
            text = (
                f"Object '{row['bucket']}/{row['name']}' is subject to bucket's retention policy or object retention "
                f"and cannot be deleted or overwritten until {time_text(until)}"
            )
            raise StorageError(403, "retentionPolicyNotMet", text)
        self._database.run("DELETE FROM objects WHERE generation = ?", (row["generation"],))


def check_name(name: str) -> None:
    """https://cloud.google.com/storage/docs/objects#naming"""
    size = len(name.encode())
    bad = "\r" in name or "\n" in name or name in {".", ".."} or name.startswith(".well-known/acme-challenge/")
    if not 1 <= size <= 1024 or bad:
        raise invalid(f"Invalid object name: '{name[:80]}'" if name else "Required")


def md5_of(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()


def crc32c_of(data: bytes) -> str:
    return b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def check_sums(data: bytes, sent: Mapping[str, Any]) -> None:
    """`sent` has crc32c and md5Hash where the caller gave them."""
    for name, label, compute in (("crc32c", "CRC32C", crc32c_of), ("md5Hash", "MD5 hash", md5_of)):
        claimed = sent.get(name)
        if claimed is not None and claimed != (actual := compute(data)):
            raise invalid(f'Provided {label} "{claimed}" doesn\'t match calculated {label} "{actual}".')
