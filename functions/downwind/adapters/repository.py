"""Any git host over HTTPS, read with dulwich: tips by one ls-remote, a commit by one shallow fetch of its id.

Nothing is written to disk and no command is run: text from outside (refs, paths) reaches neither a shell nor a file.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from downwind.adapters.git_transport import GuardedPool, check_address
from downwind.adapters.git_tree import Tree, fetched_tree
from downwind.adapters.secrets import forget
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError
from downwind.ports import Secrets, Tip

if TYPE_CHECKING:
    from dulwich.client import LsRemoteResult, Urllib3HttpGitClient
    from dulwich.objects import ObjectID

MAX_PACK = 128 << 20
_CACHED_COMMITS = 4
T = TypeVar("T")


class GitRepository:
    """Implements `ports.Repository`.

    A secret's text is `user:password`, or a bare token (its user is then `x-access-token`, as GitHub and most others
    take it). The last few commits are kept in memory, since the environments of one release read the same one.
    """

    def __init__(self, secrets: Secrets | None = None, timeout: float = 20, *, cache_bytes: int = 64 << 20) -> None:
        self._secrets = secrets
        self._timeout = timeout
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[tuple[str, str, str | None], Tree] = OrderedDict()
        self._mutex = threading.Lock()

    def tips(self, address: str, credentials: str | None = None) -> Mapping[str, Tip]:
        def ask() -> "LsRemoteResult":
            with self._client(address, credentials) as (client, path):
                return client.get_refs(path, ref_prefix=[b"refs/heads/", b"refs/tags/"])

        answer = self._with_renewed(credentials, ask)
        refs: dict[bytes, bytes] = {name: value for name, value in answer.refs.items() if value is not None}
        return {
            name.decode(errors="backslashreplace"): Tip(
                object=value.decode(), commit=refs.get(name + b"^{}", value).decode()
            )
            for name, value in refs.items()
            if name.startswith((b"refs/heads/", b"refs/tags/")) and not name.endswith(b"^{}")
        }

    def tree(self, address: str, commit: str, credentials: str | None = None) -> Tree:
        return self._tree(address, commit, credentials)

    def blobs(self, address: str, commit: str, credentials: str | None = None) -> Mapping[str, str]:
        return self._tree(address, commit, credentials).blobs()

    def _tree(self, address: str, commit: str, credentials: str | None) -> Tree:
        key = (address, commit, credentials)
        with self._mutex:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        tree = self._with_renewed(credentials, lambda: self._fetch(address, commit, credentials))
        with self._mutex:
            self._cache[key] = tree
            while (
                len(self._cache) > _CACHED_COMMITS
                or sum(tree.size for tree in self._cache.values()) > self._cache_bytes
            ):
                self._cache.popitem(last=False)  # the newest too, when it alone is over the bound
        return tree

    def _fetch(self, address: str, commit: str, credentials: str | None) -> Tree:
        if len(commit) not in {40, 64} or not set(commit) <= set("0123456789abcdef"):
            raise Refused(f"{commit} is no commit id", field="commit")
        from dulwich.objects import ObjectID

        pack = bytearray()

        def receive(data: bytes) -> int:
            pack.extend(data)
            if len(pack) > MAX_PACK:
                raise Refused(f"commit {commit} of {address} is larger than {MAX_PACK >> 20} MiB", field="repository")
            return len(data)

        def wanted(refs: object, depth: int | None = None) -> list["ObjectID"]:  # noqa: ARG001 - dulwich's signature
            return [ObjectID(commit.encode())]

        with self._client(address, credentials) as (client, path):
            client.fetch_pack(
                path,
                wanted,
                _NothingYet(),
                receive,
                depth=1,
                ref_prefix=[b"refs/downwind/nothing/"],  # the refs are not needed here
            )
            return fetched_tree(bytes(pack), commit)

    @contextmanager
    def _client(self, address: str, credentials: str | None) -> Iterator[tuple["Urllib3HttpGitClient", str]]:
        """One call's client; whatever goes wrong in it comes out as one of our errors."""
        from dulwich.client import Urllib3HttpGitClient, default_urllib3_manager

        check_address(address, secret=credentials is not None)
        user, password = self._login(credentials)
        base, _, path = address.rstrip("/").rpartition("/")
        pool = GuardedPool(default_urllib3_manager(None, base_url=address), address, self._timeout, credentials)
        client = Urllib3HttpGitClient(
            base + "/",
            pool_manager=pool,  # type: ignore[arg-type]  # it has the two members that dulwich uses
            username=user,
            password=password,
            timeout=self._timeout,
            thin_packs=False,
            quiet=True,
        )
        try:
            yield client, path
        except DownwindError:
            raise
        except Exception as error:  # dulwich raises many kinds, from asserts to zlib's, on an answer that is not git
            said = pool.answer.head if pool.answer is not None else b""
            if b"not our ref" in said or b"unadvertised object" in said:
                raise Refused(f"no such commit in {address}", field="commit") from error
            raise TransientError(f"{address} broke off or sent what is not git: {type(error).__name__}") from error
        finally:
            pool.close()

    def _with_renewed(self, credentials: str | None, read: Callable[[], T]) -> T:
        """`read`; once more where the secret has been replaced since it was read."""
        try:
            return read()
        except Misconfigured:
            if credentials is None or self._secrets is None:
                raise
            before = self._secrets.read(credentials)
            forget(self._secrets, credentials)
            if self._secrets.read(credentials) == before:
                raise
        return read()

    def _login(self, credentials: str | None) -> tuple[str | None, str | None]:
        if credentials is None:
            return None, None
        if self._secrets is None:
            raise Misconfigured(
                f"no secrets are configured, so {credentials} can't be read", fix="set where secrets are"
            )
        user, colon, password = self._secrets.read(credentials).partition(":")
        return (user, password) if colon else ("x-access-token", user)


class _NothingYet:
    """dulwich's graph walker of a client that has no commit."""

    def __next__(self) -> None:
        return None

    def ack(self, sha: bytes, /) -> None:
        """Nothing was offered, so nothing is acknowledged."""

    def nak(self) -> None:
        """As expected."""
