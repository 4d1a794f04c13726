"""gcloud is asked for a token once for all calls; where nobody is signed in it is asked once, and that is said once."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.cloud import Cloud, Conflict
from downwind.bootstrap.gcloud import Gcloud, make_session
from downwind.cli.main import main
from downwind.errors import Misconfigured, Refused, TransientError

NOBODY = (
    "ERROR: (gcloud.auth.print-access-token) You do not currently have an active account. Please run: gcloud auth login"
)


@pytest.fixture
def asked(tmp_path: Path, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a gcloud of ours writes its lines; what it says stands in `answer`, its exit code in `code`."""
    make_site("smallest", applied=True)
    monkeypatch.delenv("CLOUDSDK_AUTH_ACCESS_TOKEN")
    program = tmp_path / "gcloud"
    program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@" >> asked\ncat answer >&"$(cat to)"\nexit "$(cat code)"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "asked"


def says(asked: Path, text: str, code: int) -> None:
    for name, value in (("answer", text), ("code", str(code)), ("to", "2" if code else "1")):
        (asked.parent / name).write_text(value)


def test_one_token_is_enough_for_all_threads(asked: Path, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    says(asked, "a-token", 0)
    site = make_site("smallest", applied=True)
    monkeypatch.delenv("CLOUDSDK_AUTH_ACCESS_TOKEN")
    cloud = Cloud(make_session(os.environ), os.environ)
    steps = steps_now(site.plan, cloud)
    assert not [each for each in steps if each.due]
    assert asked.read_text().splitlines() == ["auth print-access-token"]
    assert all(each["authorized"] for each in site.google.state.log)


def test_nobody_signed_in_is_found_out_once(asked: Path) -> None:
    says(asked, NOBODY, 1)
    session = make_session(os.environ)
    for _ in range(3):
        with pytest.raises(Misconfigured, match="gcloud auth login"):
            session.request("GET", "http://storage.fake.test/storage/v1/b/x")
    assert asked.read_text().splitlines() == ["auth print-access-token"]


def test_verify_says_it_once_and_does_nothing_else(asked: Path) -> None:
    says(asked, NOBODY, 1)
    line = ["bootstrap", "verify", "--config", str(CONFIGS / "smallest.yaml")]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 3, "not sound would be another thing"
    assert done.output.count("active account") == 1
    assert "nothing was checked" in done.output
    assert asked.read_text().splitlines() == ["auth print-access-token"]


def test_a_token_that_google_takes_no_more_is_followed_by_another(
    asked: Path, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metadata server gives out one with five minutes left, and somebody may revoke it: its life is not known here."""
    says(asked, "one", 0)
    site = make_site("smallest", applied=True)
    monkeypatch.delenv("CLOUDSDK_AUTH_ACCESS_TOKEN")
    now = [0.0]
    session = make_session(os.environ, clock=lambda: now[0])
    session.get("http://storage.fake.test/storage/v1/b/x")
    site.google.state.faults = [Fault("storage", "GET", "", 401, 1, "UNAUTHENTICATED")]
    says(asked, "another", 0)
    now[0] += 360
    assert session.get("http://storage.fake.test/storage/v1/b/x").status_code == 404
    assert session.credentials.token == "another"
    assert asked.read_text().splitlines() == ["auth print-access-token"] * 2


NO_NETWORK = (
    "ERROR: (gcloud.auth.print-access-token) HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded "
    "with url: /token (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f4090da7080>: Failed to "
    "establish a new connection: [Errno 111] Connection refused'))"
)
"""As gcloud 528 says it."""


def test_a_gcloud_without_network_is_asked_again_and_is_no_refusal(asked: Path) -> None:
    says(asked, NO_NETWORK, 1)
    session = make_session(os.environ)
    for _ in range(2):
        with pytest.raises(TransientError, match="Max retries exceeded") as caught:
            session.get("http://storage.fake.test/storage/v1/b/x")
        assert type(caught.value) is TransientError
    assert len(asked.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ERROR: (gcloud.x) ResponseError: status=[409], code=[Conflict], message=[there]", Conflict),
        (
            "ERROR: (gcloud.x) HttpError accessing <https://x>: response: <{'status': '503'}>, content <>",
            TransientError,
        ),
        ("ERROR: (gcloud.x) INVALID_ARGUMENT: projects/124091503429/topics/x is wrong", Refused),
    ],
)
def test_a_status_in_what_gcloud_says_is_a_word_of_its_own(asked: Path, said: str, kind: type[Exception]) -> None:
    says(asked, said, 1)
    with pytest.raises(kind) as caught:
        Gcloud(os.environ).run(("gcloud", "x"))
    assert type(caught.value) is kind
