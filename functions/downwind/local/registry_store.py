"""What the local registry keeps on disk: blobs by digest, and for each repository its blobs, manifests and tags.

    blobs/<hex>                          content, once for all repositories
    repositories/<name>/_blobs/<hex>     empty: this repository has that blob
    repositories/<name>/_manifests/<hex> the manifest's media type
    repositories/<name>/_tags/<tag>      the digest
    uploads/<id>                         bytes so far

Every file appears whole (written aside, then renamed), so a kill -9 leaves nothing half.
"""

import hashlib
import uuid
from collections.abc import Iterable
from pathlib import Path


class RegistryStore:
    """Digests here are `sha256:<hex>` and names are valid; `local.registry` has checked both."""

    def __init__(self, data: Path) -> None:
        self._blobs = data / "blobs"
        self._repositories = data / "repositories"
        self._uploads = data / "uploads"
        for path in (self._blobs, self._repositories, self._uploads):
            path.mkdir(parents=True, exist_ok=True)

    # -- uploads --------------------------------------------------------------------------------------------------

    def start_upload(self) -> str:
        upload = uuid.uuid4().hex
        (self._uploads / upload).touch()
        return upload

    def upload(self, upload: str) -> Path | None:
        path = self._uploads / upload
        return path if upload.isalnum() and path.is_file() else None

    def finish_upload(self, name: str, upload: Path, digest: str) -> bool:
        """Takes the uploaded bytes as that blob; False if their digest is another (the upload is gone then)."""
        with upload.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if f"sha256:{actual}" != digest:
            upload.unlink()
            return False
        upload.replace(self._blobs / actual)
        self._link(name, "_blobs", actual, b"")
        return True

    # -- blobs ----------------------------------------------------------------------------------------------------

    def blob(self, name: str, digest: str) -> Path | None:
        path = self._at(name, "_blobs", digest)
        return self._blobs / path.name if path.exists() else None

    def mount(self, name: str, source: str, digest: str) -> bool:
        if self.blob(source, digest) is None:
            return False
        self._link(name, "_blobs", digest.removeprefix("sha256:"), b"")
        return True

    def delete_blob(self, name: str, digest: str) -> bool:
        """The content stays for the other repositories."""
        return _remove(self._at(name, "_blobs", digest))

    # -- manifests ------------------------------------------------------------------------------------------------

    def put_manifest(self, name: str, digest: str, content: bytes, media_type: str, tag: str | None) -> None:
        value = digest.removeprefix("sha256:")
        _write(self._blobs / value, content)
        self._link(name, "_manifests", value, media_type.encode())
        if tag is not None:
            self._link(name, "_tags", tag, digest.encode())

    def manifest(self, name: str, digest: str) -> tuple[bytes, str] | None:
        """(content, media type)"""
        path = self._at(name, "_manifests", digest)
        if not path.exists():
            return None
        return (self._blobs / path.name).read_bytes(), path.read_text()

    def delete_manifest(self, name: str, digest: str) -> bool:
        return _remove(self._at(name, "_manifests", digest))

    # -- tags and names -------------------------------------------------------------------------------------------

    def tag(self, name: str, tag: str) -> str | None:
        path = self._repositories / name / "_tags" / tag
        return path.read_text() if path.exists() else None

    def delete_tag(self, name: str, tag: str) -> bool:
        return _remove(self._repositories / name / "_tags" / tag)

    def tags(self, name: str) -> list[str] | None:
        """Sorted; None: no such repository."""
        root = self._repositories / name
        if not (root / "_manifests").exists():
            return None
        return sorted(_names((root / "_tags").glob("*")))

    def names(self) -> list[str]:
        found = self._repositories.glob("**/_manifests")
        return sorted(str(path.parent.relative_to(self._repositories)) for path in found)

    def _at(self, name: str, kind: str, digest: str) -> Path:
        return self._repositories / name / kind / digest.removeprefix("sha256:")

    def _link(self, name: str, kind: str, key: str, content: bytes) -> None:
        path = self._repositories / name / kind / key
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)


def _names(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if not path.name.startswith("+")]


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"+{uuid.uuid4().hex}")  # `+` begins neither a tag nor a digest
    fresh.write_bytes(content)
    fresh.replace(path)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
