"""Helm and kubectl, pinned: `scripts/helm` of a checkout fetches both, by their hash, into the cache."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from downwind.bootstrap.check import Check
from downwind.errors import Refused
from downwind.shipped import shipped

LEAST = (3, 18)
"""Helm of this release and later ones take our chart; 4 is what it is tested with."""


class Tools:
    """`script` fetches; None outside a checkout."""

    def __init__(self, environment: Mapping[str, str] | None = None, script: Path | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        beside = shipped("functions/main.py").parent.parent / "scripts" / "helm"
        self._script = script or (beside if beside.exists() else None)

    @cached_property
    def pinned(self) -> str | None:
        """The version that the script has pinned."""
        text = self._script.read_text(encoding="utf-8") if self._script else ""
        match = re.search(r"^helm=([0-9.]+)", text, re.MULTILINE)
        return match[1] if match else None

    @property
    def folder(self) -> Path | None:
        """Where the script puts both."""
        home = self._environment.get("HOME") or str(Path.home())
        cache = Path(self._environment.get("XDG_CACHE_HOME") or f"{home}/.cache")
        return cache / "downwind" / "tools" / f"helm-{self.pinned}" if self.pinned else None

    def find(self, name: str, which: Callable[[str], str | None]) -> str | None:
        """On the path, else in the cache."""
        kept = self.folder / name if self.folder else None
        return which(name) or (str(kept) if kept and kept.exists() else None)

    def checks(self, which: Callable[[str], str | None]) -> Iterator[Check]:
        helm = self.find("helm", which)
        if helm is None:
            yield self._missing("helm")
        else:
            version = self._version(helm)
            text = ".".join(map(str, version))
            right = version >= LEAST
            yield Check(
                what=f"helm {text} ({helm})",
                fix=None if right else self._fix("helm"),
                repair=None if right else self._repair,
            )
        kubectl = self.find("kubectl", which)
        yield Check(what=f"kubectl ({kubectl})") if kubectl else self._missing("kubectl")

    def _version(self, helm: str) -> tuple[int, ...]:
        done = subprocess.run([helm, "version", "--short"], capture_output=True, text=True, check=False, timeout=60)
        match = re.search(r"v(\d+)\.(\d+)\.(\d+)", done.stdout)
        return tuple(map(int, match.groups())) if match else (0,)

    def _missing(self, name: str) -> Check:
        return Check(what=f"{name} is missing", fix=self._fix(name), repair=self._repair)

    @property
    def _repair(self) -> Callable[[], str] | None:
        return self.fetch if self.pinned else None

    def _fix(self, name: str) -> str:
        if self.pinned is None:
            return "install Helm 4" if name == "helm" else "gcloud components install kubectl"
        return f"doctor --fix fetches Helm {self.pinned} and kubectl, checked by their hash"

    def fetch(self) -> str:
        """Fetches both; says how to have them on the path. Refused with what the script said."""
        assert self._script is not None
        done = subprocess.run([str(self._script)], capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            raise Refused(f"scripts/helm fetched nothing: {done.stderr.strip()[-300:]}", fix="install Helm 4 by hand")
        folder = done.stdout.strip().splitlines()[-1]
        return f'they are in {folder}; to use them yourself: export PATH="{folder}:$PATH"'
