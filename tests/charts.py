"""Charts and their archives, as tests make them."""

import gzip
import io
import json
import tarfile
from typing import Any


def chart(name: str, *dependencies: Any, version: str = "1.0.0") -> bytes:
    """A Chart.yaml."""
    return json.dumps({"apiVersion": "v2", "name": name, "version": version, "dependencies": dependencies}).encode()


def dependency(name: str, repository: str = "", version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, **({"repository": repository} if repository else {}), **more}


def lock(*dependencies: Any) -> bytes:
    return json.dumps(
        {"dependencies": dependencies, "digest": "sha256:00", "generated": "2026-11-30T00:00:00Z"}
    ).encode()


def packed(files: dict[str, bytes], *more: tarfile.TarInfo, level: int = 1) -> bytes:
    """A .tgz, the same bytes for the same files. `level` 0 compresses nothing, and costs nothing."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
        for member in more:
            made.addfile(member)
    return gzip.compress(buffer.getvalue(), level, mtime=0)


def packed_chart(
    name: str, *dependencies: Any, version: str = "1.0.0", more: dict[str, bytes] | None = None, level: int = 1
) -> bytes:
    files = {"Chart.yaml": chart(name, *dependencies, version=version), **(more or {})}
    return packed({f"{name}/{path}": data for path, data in files.items()}, level=level)
