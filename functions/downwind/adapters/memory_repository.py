"""Git hosts in memory: the twin of `adapters.repository`, for tests that need no git."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from downwind.adapters.memory_faults import Faults
from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Misconfigured, Refused
from downwind.ports import Tip


@dataclass(slots=True)
class _Commit:
    files: dict[str, bytes]
    special: dict[str, str]


@dataclass(slots=True)
class _Host:
    """One address: its commits, and every state its refs have had (the last is now)."""

    commits: dict[str, _Commit] = field(default_factory=dict)
    states: list[dict[str, Tip]] = field(default_factory=lambda: [{}])
    lag: int = 0
    credentials: str | None = None


class MemoryRepository(Faults):
    """Implements `ports.Repository`; the other methods play the people who push, and the host that lags.

    `calls` lists what was asked, as (method, address).
    """

    def __init__(self) -> None:
        super().__init__()
        self._hosts: dict[str, _Host] = {}
        self._mutex = threading.RLock()
        self._serial = 0
        self.calls: list[tuple[str, str]] = []

    # -- what people do -------------------------------------------------------------------------------------------

    def create(self, address: str, *, credentials: str | None = None) -> None:
        """An empty repository. With `credentials`, calls that do not name that secret are refused."""
        with self._mutex:
            self._hosts[address] = _Host(credentials=credentials)

    def commit(
        self, address: str, ref: str, files: Mapping[str, bytes], *, special: Mapping[str, str] | None = None
    ) -> str:
        """A new commit with exactly these files, and `ref` moved to it; its id. Every call makes another id.

        `special` maps paths to `submodule`, or to `symlink` and where it points: `symlink ../base`. The repository is
        created if need be.
        """
        with self._mutex:
            host = self._hosts.setdefault(address, _Host())
            self._serial += 1
            content = sorted((path, _blob_id(data)) for path, data in files.items())
            commit = hashlib.sha1(repr((address, self._serial, content)).encode()).hexdigest()  # noqa: S324 - git's own hash
            host.commits[commit] = _Commit(dict(files), dict(special or {}))
            self.move(address, ref, commit)
            return commit

    def move(self, address: str, ref: str, commit: str) -> None:
        """Points `ref` at a commit, fast-forward or not."""
        self._change(address, ref, Tip(object=commit, commit=commit))

    def tag(self, address: str, ref: str, commit: str) -> str:
        """An annotated tag; the id of the tag object."""
        tag = hashlib.sha1(f"tag {ref} {commit}".encode()).hexdigest()  # noqa: S324 - git's own hash
        self._change(address, ref, Tip(object=tag, commit=commit))
        return tag

    def delete(self, address: str, ref: str) -> None:
        self._change(address, ref, None)

    def lag(self, address: str, states: int) -> None:
        """From now on `tips` answers what stood that many changes ago (0: the truth)."""
        with self._mutex:
            self._hosts[address].lag = states

    def _change(self, address: str, ref: str, tip: Tip | None) -> None:
        with self._mutex:
            host = self._hosts[address]
            refs = {name: value for name, value in host.states[-1].items() if name != ref}
            if tip is not None:
                refs[ref] = tip
            host.states.append(refs)

    # -- ports.Repository -----------------------------------------------------------------------------------------

    def tips(self, address: str, credentials: str | None = None) -> Mapping[str, Tip]:
        with self._mutex:
            host = self._ask("tips", address, credentials)
            state = host.states[max(0, len(host.states) - 1 - host.lag)]
            return {ref: tip for ref, tip in state.items() if ref.startswith(("refs/heads/", "refs/tags/"))}

    def tree(self, address: str, commit: str, credentials: str | None = None) -> MemoryTree:
        with self._mutex:
            found = self._commit(self._ask("tree", address, credentials), address, commit)
            return MemoryTree(found.files, found.special)

    def blobs(self, address: str, commit: str, credentials: str | None = None) -> Mapping[str, str]:
        with self._mutex:
            found = self._commit(self._ask("blobs", address, credentials), address, commit)
            entries = {name: _blob_id(data) for name, data in found.files.items()}
            return entries | {name: _blob_id(kind.encode()) for name, kind in found.special.items()}

    def _ask(self, verb: str, address: str, credentials: str | None) -> _Host:
        self.calls.append((verb, address))
        self.check(verb)
        host = self._hosts.get(address)
        if host is None or host.credentials not in {None, credentials}:
            if credentials is None and host is None:
                raise Refused(f"no repository at {address}", field="repository")
            raise Misconfigured(f"credentials do not open {address}", fix="check the address and the secret")
        return host

    @staticmethod
    def _commit(host: _Host, address: str, commit: str) -> _Commit:
        if commit not in host.commits:
            raise Refused(f"no commit {commit} in {address}", field="commit")
        return host.commits[commit]


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()  # noqa: S324 - git's own hash
