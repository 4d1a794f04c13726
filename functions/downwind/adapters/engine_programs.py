"""Where Kustomize and Helm are on this machine: beside the functions' code, as `scripts/package` puts them, or in a cache."""

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from downwind.errors import Misconfigured
from downwind.render.engine import ENGINES

RECORD = "engines.json"
_FIX = "run: downwind engines get (in the cloud: deploy what scripts/package makes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    path: Path
    version: str
    sha256: str


def vendored_folder() -> Path:
    """Beside the package, in the upload of the functions."""
    return Path(__file__).parents[2] / "engines"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """One for each pair of versions, so that two versions of Downwind can stand side by side."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    versions = "-".join(f"{name}-{version}" for name, version in sorted(ENGINES.items()))
    return Path(base) / "downwind" / "engines" / versions


class Programs:
    """A folder holds the programs and a record: `{name: {"version", "sha256", "source"}}`. The first that has one counts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._found: dict[str, Program] = {}
        self._mutex = threading.Lock()

    def find(self, name: str) -> Program:
        """Its bytes are compared with the record, once in the life of a process.

        Misconfigured: it is not here in the version that renders, or it is not what the record says.
        """
        with self._mutex:
            if name not in self._found:
                self._found[name] = self._look(name)
            return self._found[name]

    def _look(self, name: str) -> Program:
        version = ENGINES[name]
        for folder in self._folders:
            path = folder / name
            if not path.is_file():
                continue
            try:
                about = json.loads((folder / RECORD).read_text(encoding="utf-8"))[name]
                recorded, wanted = str(about["version"]), str(about["sha256"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise Misconfigured(f"{folder / RECORD} says nothing of {name}", fix=_FIX) from error
            if recorded != version:
                continue
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
            if actual != wanted:
                raise Misconfigured(f"{path} is not what was put there: its SHA-256 is {actual}", fix=_FIX)
            if not os.access(path, os.X_OK):
                raise Misconfigured(f"{path} may not be executed", fix=f"chmod +x {path}, or {_FIX}")
            return Program(path=path, version=version, sha256=actual)
        raise Misconfigured(f"{name.capitalize()} {version} is not on this machine", fix=_FIX)
