"""A git host on loopback: git's own `http-backend` behind our HTTP, and a notice of each push.

The notice is Cloud Source Repositories' SourceRepoEvent (luci/luci-go common/proto/gerrit/source_repo_event.proto) in
proto3 JSON: empty strings are dropped, so a CREATE has no oldId and a DELETE no newId. One push is one message,
whatever the number of its refs.
"""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, json_response
from downwind.local.outbox import Outbox

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
_SERVICES = {"info/refs", "git-upload-pack", "git-receive-pack"}
_CONFIG = {
    "http.receivepack": "true",
    "http.uploadpack": "true",
    "uploadpack.allowAnySHA1InWant": "true",  # a commit is fetched by its id, as GitHub and Google allow
    "uploadpack.allowFilter": "true",
    "receive.denyDeleteCurrent": "ignore",
    "receive.autogc": "false",  # nothing of ours runs on in the background
}
_ANNOUNCED = "downwind-announced.json"


class GitServer(HttpPart):
    """Bare repositories under `data`, at `http://127.0.0.1:PORT/NAME.git`; made by `PUT /-/repositories/NAME`.

    What was announced is kept beside each repository: a push that a kill -9 cut off from its notification is announced
    at the next start. `builds_url` is where the local Cloud Build hears of pushes by itself, as the real one does.
    """

    name = "git"

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        outbox: Outbox,
        pubsub_url: str,
        project: str,
        builds_url: str | None = None,
        email: str = "developer@localhost",
    ) -> None:
        super().__init__(port)
        self._data = data
        self._data.mkdir(parents=True, exist_ok=True)
        self._outbox = outbox
        self._pubsub_url = pubsub_url
        self._project = project
        self._builds_url = builds_url
        self._email = email
        self._locks: dict[str, threading.Lock] = {}
        self._mutex = threading.Lock()

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [
            (("GET",), "/-/repositories", self._list),
            (("PUT",), "/-/repositories/<path:repository>", self._create),
            (("GET", "POST"), "/<path:repository>.git/<path:service>", self._serve),
        ]

    def start(self) -> None:
        super().start()
        for repository in self._repositories():
            with self._lock(repository):
                self._announce(repository)

    def address(self, repository: str) -> str:
        return f"{self.url}/{repository}.git"

    def create(self, repository: str) -> bool:
        """An empty repository whose HEAD is main; False where it stands already."""
        if not _NAME.fullmatch(repository) or repository.endswith(".git"):
            raise BadRequest(
                f"{repository} is no name for a repository: letters, digits, '.', '_', '-', and '/' between"
            )
        with self._lock(repository):
            path = self._path(repository)
            if (path / _ANNOUNCED).exists():
                return False
            _git(self._data, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
            for key, value in _CONFIG.items():
                _git(path, "config", key, value)
            _write(path / _ANNOUNCED, {"number": 0, "refs": {}})
            return True

    def _list(self, _request: Request) -> Response:
        found = [{"name": name, "url": self.address(name)} for name in self._repositories()]
        return json_response({"repositories": found})

    def _create(self, _request: Request, repository: str) -> Response:
        created = self.create(repository)
        return json_response({"name": repository, "url": self.address(repository)}, 201 if created else 200)

    def _serve(self, request: Request, repository: str, service: str) -> Response:
        if service not in _SERVICES or request.method == "HEAD":  # the dumb protocol
            return self.unknown(request)
        if not _NAME.fullmatch(repository) or not (self._path(repository) / _ANNOUNCED).exists():
            return Response(f"no repository {repository}; create it with PUT /-/repositories/{repository}\n", 404)
        if service != "git-receive-pack":
            return self._backend(request, repository, service)
        with self._lock(repository):
            response = self._backend(request, repository, service)
            response.get_data()  # to the end of the push, under the lock
            self._announce(repository)
        return response

    def _backend(self, request: Request, repository: str, service: str) -> Response:
        """Runs git http-backend as CGI (RFC 3875); its output is passed on as it comes."""
        with TemporaryFile() as body:
            while chunk := request.stream.read(1 << 16):
                body.write(chunk)
            size = body.tell()
            body.seek(0)
            environment = _environment() | {
                "GIT_PROJECT_ROOT": str(self._data),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": f"/{repository}.git/{service}",
                "QUERY_STRING": request.query_string.decode("ascii"),
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.content_type or "",
                "CONTENT_LENGTH": str(size),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
                "REMOTE_USER": "developer",
            }
            process = subprocess.Popen(
                ["git", "http-backend"],
                stdin=body,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the client is told in the protocol
                env=environment,
            )
        output = process.stdout
        if output is None:
            raise RuntimeError("git http-backend has no output")
        status, headers = _read_headers(output)
        return Response(_rest(output, process), status, headers)

    def _announce(self, repository: str) -> None:
        """Publishes the difference between what was announced and what stands. Under the repository's lock."""
        path = self._path(repository)
        announced = json.loads((path / _ANNOUNCED).read_text())
        before: dict[str, str] = announced["refs"]
        after, commits = _refs(path)
        updates = {
            ref: _ref_update(path, ref, before.get(ref), after.get(ref))
            for ref in sorted(before.keys() | after.keys())
            if before.get(ref) != after.get(ref)
        }
        if not updates:
            return
        event = {
            "name": f"projects/{self._project}/repos/{repository}",
            "url": self.address(repository),
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "refUpdateEvent": {"email": self._email, "refUpdates": updates},
        }
        self._outbox.publish(self._pubsub_url, self._project, "repo-pushes", json.dumps(event).encode(), {})
        if self._builds_url is not None:
            changes = [{"ref": ref, "new": after.get(ref), "commit": commits.get(ref)} for ref in updates]
            # A push cut off right here is announced again at the next start, by the same number.
            push = {"repository": repository, "number": announced["number"] + 1, "updates": changes}
            self._outbox.post(f"{self._builds_url}/-/push", push)
        _write(path / _ANNOUNCED, {"number": announced["number"] + 1, "refs": after})

    def _path(self, repository: str) -> Path:
        return self._data / f"{repository}.git"

    def _repositories(self) -> list[str]:
        found = self._data.glob(f"**/*.git/{_ANNOUNCED}")
        return sorted(str(path.parent.relative_to(self._data)).removesuffix(".git") for path in found)

    def _lock(self, repository: str) -> threading.Lock:
        with self._mutex:
            return self._locks.setdefault(repository, threading.Lock())


def _environment() -> dict[str, str]:
    """Nobody's own git settings, and no question to a person."""
    keep = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return keep | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _git(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=path, env=_environment(), check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.decode()


def _refs(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What each ref holds, and the commit behind it where there is one."""
    form = "--format=%(refname) %(objectname) %(objecttype) %(*objectname) %(*objecttype)"
    rows = [line.split(" ") for line in _git(path, "for-each-ref", form).splitlines()]
    values = {row[0]: row[1] for row in rows}
    commits = {row[0]: row[1] if row[2] == "commit" else row[3] for row in rows if "commit" in {row[2], row[4]}}
    return values, commits


def _ref_update(path: Path, ref: str, old: str | None, new: str | None) -> dict[str, str]:
    if old is None or new is None:
        kind = "CREATE" if old is None else "DELETE"
    else:
        # Exit 1: not an ancestor; 128: one of them is not a commit. Both are no fast-forward.
        ancestor = subprocess.run(
            ["git", "merge-base", "--is-ancestor", old, new],
            cwd=path,
            env=_environment(),
            check=False,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        kind = "UPDATE_NON_FAST_FORWARD" if ancestor.returncode else "UPDATE_FAST_FORWARD"
    update = {"refName": ref, "updateType": kind}
    return update | ({"oldId": old} if old else {}) | ({"newId": new} if new else {})


def _read_headers(output: IO[bytes]) -> tuple[int, Mapping[str, str]]:
    status, headers = 200, {}
    while line := output.readline().strip():
        name, value = line.decode("latin-1").split(":", 1)
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers


def _rest(output: IO[bytes], process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    with process, output:
        while chunk := output.read(1 << 16):
            yield chunk


def _write(path: Path, content: Any) -> None:
    """Whole or not at all, also over a kill -9."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)
