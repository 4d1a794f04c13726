"""OCI images as bytes, the same bytes for the same input: files sorted, times 0, owner 0 (image-spec 1.1)."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A regular file, or a symbolic link when `link` is given."""

    data: bytes = b""
    mode: int = 0o644
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """`blobs`: layers and config by digest. `digest` is the manifest's."""

    manifest: bytes
    blobs: Mapping[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(files: Mapping[str, File]) -> tuple[bytes, str]:
    """(gzipped tar, digest of the tar itself) of files by path without a leading slash, with their directories."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted({*files, *_directories(files)}):
            entry = tarfile.TarInfo(path)  # mtime, uid and gid are 0, the names empty
            file = files.get(path)
            if file is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            elif file.link is not None:
                entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, file.link
                tar.addfile(entry)
            else:
                entry.mode, entry.size = file.mode, len(file.data)
                tar.addfile(entry, io.BytesIO(file.data))
    content = raw.getvalue()
    return gzip.compress(content, compresslevel=6, mtime=0), digest_of(content)


def assemble(
    layers: Iterable[tuple[bytes, str]], settings: Mapping[str, Any], history: Iterable[Mapping[str, Any]]
) -> Image:
    """`settings` is the config's own `config` object: Env, Entrypoint, Cmd, WorkingDir, Labels, User, ExposedPorts."""
    parts = list(layers)
    config = _json(
        {
            "created": "1970-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": dict(settings),
            "rootfs": {"type": "layers", "diff_ids": [diff for _, diff in parts]},
            "history": list(history),
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [_descriptor(LAYER, content) for content, _ in parts],
        }
    )
    return Image(manifest=manifest, blobs={digest_of(content): content for content in (config, *(c for c, _ in parts))})


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _directories(files: Iterable[str]) -> set[str]:
    found = set()
    for path in files:
        parts = path.split("/")[:-1]
        found |= {"/".join(parts[: end + 1]) for end in range(len(parts))}
    return found


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
