"""The functions' source as one zip whose bytes depend on nothing but the files: no times, no order of a disk, no owner."""

import hashlib
import io
import zipfile
from pathlib import Path

from downwind.errors import Refused
from downwind.shipped import shipped

_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_package(file: Path | None, *, offline: bool = False) -> bytes:
    """The zip that was given; else the newest that scripts/package made in this checkout. `offline`: where there is none, the
    source alone, without the engines, so that a plan can be shown."""
    if file is None:
        made = shipped("functions/main.py").parent.parent.glob("dist/*.zip")
        file = max(made, key=lambda each: each.stat().st_mtime, default=None)
    if file is None and not offline:
        raise Refused(
            "there is no package of the functions", fix="make it with scripts/package, or give it: --package FILE"
        )
    if file is not None:
        try:
            return file.read_bytes()
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror}", fix="name the zip of scripts/package") from error
    return make_package(shipped("functions/main.py").parent)


def make_package(folder: Path) -> bytes:
    """What an upload of the folder holds: all but what its .gcloudignore leaves out."""
    from dulwich.ignore import IgnoreFilter

    if not (folder / "main.py").exists():
        raise Refused("this is no checkout with the functions' source", fix="give the zip: --package FILE")
    left_out = IgnoreFilter([line.encode() for line in (folder / ".gcloudignore").read_text().splitlines()])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            path = file.relative_to(folder)
            parts = [f"{parent}/" for parent in path.parents if parent != Path()]
            if file.is_file() and not any(left_out.is_ignored(name) for name in (path.as_posix(), *parts)):
                entry = zipfile.ZipInfo(path.as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return written.getvalue()


def digest(package: bytes) -> str:
    return hashlib.sha256(package).hexdigest()
