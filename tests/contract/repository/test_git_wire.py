"""What only the real adapter can show: what the host sees, other hosts, credentials, broken answers."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from downwind.adapters.repository import GitRepository
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.http import Handler, HttpPart
from downwind.render.tree import files_below
from downwind.wiring import RecentSecrets

MAIN = "refs/heads/main"


class OddHost(HttpPart):
    """Answers every request with `answer(request)` and keeps what was asked."""

    name = "odd"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str | None]] = []
        self.answer: Any = lambda _request: Response("no", 500)

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET", "POST"), "/<path:rest>", self._any)]

    def _any(self, request: Request, rest: str) -> Response:
        self.asked.append((request.method, request.full_path, request.headers.get("Authorization")))
        found: Response = self.answer(request)
        return found


class Folder:
    """ports.Secrets."""

    def __init__(self, **secrets: str) -> None:
        self._secrets = secrets

    @classmethod
    def of(cls, secrets: dict[str, str]) -> "Folder":
        """These very ones, which may change."""
        folder = cls()
        folder._secrets = secrets
        return folder

    def read(self, name: str) -> str:
        return self._secrets[name]


@pytest.fixture
def odd() -> Iterator[OddHost]:
    part = OddHost()
    part.start()
    yield part
    part.stop()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Refused),
        (410, Refused),
        (429, TransientError),
        (500, TransientError),
    ],
)
def test_each_status_is_refused_or_left_for_later(odd: OddHost, status: int, error: type[Exception]) -> None:
    odd.answer = lambda _request: Response("no", status)
    with pytest.raises(error):
        GitRepository().tips(f"{odd.url}/shop.git")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_credentials_that_do_not_open_it_are_no_verdict(odd: OddHost, status: int) -> None:
    """404 too: a host that hides private repositories says so to a token that has run out."""
    odd.answer = lambda _request: Response("no", status)
    repository = GitRepository(Folder(git="old"))
    with pytest.raises(Misconfigured, match="check the address, and that secret git"):
        repository.tips(f"{odd.url}/shop.git", "git")
    with pytest.raises(Misconfigured, match=str(status)):
        files_below(repository.tree(f"{odd.url}/shop.git", "a" * 40, "git"), "")


@pytest.mark.parametrize("headers", [{"Retry-After": "60"}, {"X-RateLimit-Remaining": "0"}])
def test_a_403_for_too_many_requests_asks_for_patience(odd: OddHost, headers: dict[str, str]) -> None:
    odd.answer = lambda _request: Response("slow down", 403, headers)
    with pytest.raises(TransientError, match="patience"):
        GitRepository().tips(f"{odd.url}/shop.git")


def test_a_replaced_secret_is_taken_up_at_once(odd: OddHost) -> None:
    """The cache before it would serve the old one for minutes."""
    folder = {"git": "old"}
    secrets = RecentSecrets(Folder.of(folder))
    odd.answer = lambda _request: Response("no", 401)
    repository = GitRepository(secrets)
    assert secrets.read("git") == "old"
    folder["git"] = "new"
    with pytest.raises(Misconfigured):
        repository.tips(f"{odd.url}/shop.git", "git")
    sent = ["Basic " + b64encode(f"x-access-token:{token}".encode()).decode() for token in ("old", "new")]
    assert [authorization for _, _, authorization in odd.asked] == sent
    with pytest.raises(Misconfigured):
        repository.tips(f"{odd.url}/shop.git", "git")
    assert len(odd.asked) == 3


def test_a_host_that_is_not_there_is_left_for_later(odd: OddHost) -> None:
    odd.stop()
    with pytest.raises(TransientError):
        GitRepository().tips(f"{odd.url}/shop.git")
    odd.start()


def test_a_page_that_is_not_git_is_refused(odd: OddHost) -> None:
    odd.answer = lambda _request: Response("<html>", 200, mimetype="text/html")
    with pytest.raises(Refused, match="does not speak git"):
        GitRepository().tips(f"{odd.url}/shop.git")


def test_an_answer_that_breaks_off_is_left_for_later(odd: OddHost) -> None:
    odd.answer = lambda _request: Response(
        b"001e# service=git-upload-pack\n0000ffff", 200, mimetype="application/x-git-upload-pack-advertisement"
    )
    with pytest.raises(TransientError):
        GitRepository().tips(f"{odd.url}/shop.git")


def test_a_slow_host_is_left_for_later(odd: OddHost) -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b"0"

    odd.answer = lambda _request: Response(drip(), 200, mimetype="application/x-git-upload-pack-advertisement")
    with pytest.raises(TransientError):
        GitRepository(timeout=0.2).tips(f"{odd.url}/shop.git")


def test_a_redirect_to_another_host_is_not_followed(odd: OddHost, git_host: Any) -> None:
    git_host.commit(MAIN, {"a": b"1"})
    odd.answer = lambda request: Response(status=302, headers={"Location": f"{git_host.address}/info/refs"})
    with pytest.raises(Refused, match="points to"):
        GitRepository().tips(f"{odd.url}/shop.git")


@pytest.mark.parametrize(
    ("secret", "login"),
    [("dev:pass:word", "Basic ZGV2OnBhc3M6d29yZA=="), ("token", "Basic eC1hY2Nlc3MtdG9rZW46dG9rZW4=")],
)
def test_a_secret_is_a_user_with_password_or_a_bare_token(odd: OddHost, secret: str, login: str) -> None:
    with pytest.raises(TransientError):
        GitRepository(Folder(shop=secret)).tips(f"{odd.url}/shop.git", "shop")
    assert odd.asked == [("GET", "/shop.git/info/refs?service=git-upload-pack", login)]


@pytest.mark.parametrize("address", ["http://u:p@127.0.0.1/x.git", "ssh://127.0.0.1/x.git", "/etc", "http://"])
def test_an_address_with_a_password_or_another_scheme_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        GitRepository().tips(address)


def test_credentials_are_not_sent_unencrypted() -> None:
    with pytest.raises(Refused, match="unencrypted"):
        GitRepository(Folder(shop="token")).tips("http://git.example.com/x.git", "shop")


def test_credentials_without_any_secrets_are_refused() -> None:
    with pytest.raises(Misconfigured, match="no secrets"):
        GitRepository().tips("https://git.example.com/x.git", "shop")


def test_a_second_environment_of_one_commit_costs_no_second_fetch(git_host: Any, server: Any) -> None:
    commit = git_host.commit(MAIN, {"deploy/staging/a": b"1", "deploy/production/a": b"2"})
    files_below(git_host.repository.tree(git_host.address, commit), "deploy/staging")
    server.stop()
    assert files_below(git_host.repository.tree(git_host.address, commit), "deploy/production") == {"a": b"2"}
    server.start()


def test_a_commit_larger_than_the_cache_is_read_but_not_kept(git_host: Any, server: Any) -> None:
    repository = GitRepository(cache_bytes=10)
    commit = git_host.commit(MAIN, {"a": b"1"})
    assert files_below(repository.tree(git_host.address, commit), "") == {"a": b"1"}
    server.stop()
    with pytest.raises(TransientError):
        files_below(repository.tree(git_host.address, commit), "")
    server.start()


def test_a_tag_object_is_not_taken_for_a_commit(git_host: Any) -> None:
    tag = git_host.tag("refs/tags/v1", git_host.commit(MAIN, {"a": b"1"}))
    with pytest.raises(Refused, match="is not a commit"):
        files_below(git_host.repository.tree(git_host.address, tag), "")


@pytest.mark.parametrize("name", [b"a\\b", b"\xff"])
def test_file_names_that_a_disk_could_misread_are_refused(git_host: Any, name: bytes, tmp_path: Path) -> None:
    commit = git_host.commit(MAIN, {"deploy/" + name.decode("utf-8", "surrogateescape"): b"1"})
    with pytest.raises(Refused, match="not allowed"):
        files_below(git_host.repository.tree(git_host.address, commit), "deploy")


def test_a_redirect_on_the_same_host_is_followed(odd: OddHost, git_host: Any, server: Any) -> None:
    commit = git_host.commit(MAIN, {"a": b"1"})

    def moved(request: Request) -> Response:
        """/old.git/… moved to /shop.git/…, and what is there comes from the real server."""
        if request.path.startswith("/old.git/"):
            return Response(status=301, headers={"Location": request.full_path.replace("/old.git/", "/shop.git/")})
        headers = {key: value for key, value in request.headers if key in {"Git-Protocol", "Content-Type", "Accept"}}
        answer = requests.request(
            request.method, server.url + request.full_path, data=request.get_data(), headers=headers, timeout=5
        )
        return Response(answer.content, answer.status_code, {"Content-Type": answer.headers["Content-Type"]})

    odd.answer = moved
    assert files_below(GitRepository().tree(f"{odd.url}/old.git", commit), "") == {"a": b"1"}
    assert GitRepository().tips(f"{odd.url}/old.git")[MAIN].commit == commit


def test_redirects_without_end_are_refused(odd: OddHost) -> None:
    odd.answer = lambda request: Response(status=302, headers={"Location": request.full_path})
    with pytest.raises(Refused, match="without end"):
        GitRepository().tips(f"{odd.url}/shop.git")
