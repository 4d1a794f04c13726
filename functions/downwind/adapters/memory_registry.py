"""An OCI registry in memory: the twin of `adapters.registry`."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence

from downwind.adapters.memory_faults import Faults
from downwind.errors import Refused


class MemoryRegistry(Faults):
    """Implements `ports.Registry`; `push`, `put` and `delete` play the builder and the janitor."""

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[tuple[str, str], str] = {}
        self._images: dict[tuple[str, str], dict[str, str]] = {}
        self.of_platforms: dict[str, Sequence[str]] = {}
        """By digest, where an image is for others than linux/amd64."""
        self._mutex = threading.Lock()

    def push(
        self, name: str, tag: str | None = None, labels: Mapping[str, str] | None = None, *, seed: str = ""
    ) -> str:
        """An image of these labels under `name`, with the tag pointed to it; same labels and seed, same digest."""
        content = json.dumps({"labels": dict(labels or {}), "seed": seed}, sort_keys=True)
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        with self._mutex:
            self._images[name, digest] = dict(labels or {})
            if tag is not None:
                self._tags[name, tag] = digest
        return digest

    def put(self, name: str, digest: str) -> None:
        """An image whose digest is given, without tag and labels."""
        with self._mutex:
            self._images.setdefault((name, digest), {})

    def delete(self, name: str, reference: str) -> None:
        """Removes a tag, or an image by digest with all its tags."""
        with self._mutex:
            self._tags.pop((name, reference), None)
            self._images.pop((name, reference), None)
            for key in [key for key, digest in self._tags.items() if key[0] == name and digest == reference]:
                del self._tags[key]

    # -- ports.Registry -------------------------------------------------------------------------------------------

    def digest(self, name: str, tag: str) -> str | None:
        self.check("digest")
        with self._mutex:
            return self._tags.get((name, tag))

    def exists(self, name: str, digest: str) -> bool:
        self.check("exists")
        with self._mutex:
            return (name, digest) in self._images

    def labels(self, name: str, digest: str) -> Mapping[str, str]:
        self.check("labels")
        with self._mutex:
            if (name, digest) not in self._images:
                raise Refused(f"no image {name}@{digest}", field="image")
            return dict(self._images[name, digest])

    def platforms(self, name: str, digest: str) -> Sequence[str]:
        self.check("platforms")
        with self._mutex:
            if (name, digest) not in self._images:
                raise Refused(f"no image {name}@{digest}", field="image")
            return tuple(self.of_platforms.get(digest, ("linux/amd64",)))
