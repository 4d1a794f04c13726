"""What is on the wire, and what may not be: markup that was not ours, header lines, redirects, plain http, secrets in errors."""

import email
import email.policy
import hashlib
import hmac
import json
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.mail import MailSender
from downwind.adapters.notifiers import Notifiers
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.local.http import json_response
from downwind.model.channels import CommitStatus, GithubDeployments, Mail, Webhook

NASTY = "<!channel> & <https://evil.example|click> <users/all> **bold** [x](https://evil.example)"


def last(wire: Any, where: str) -> Any:
    return wire.catcher.messages(where)[-1].bodies[-1]


def test_slack_takes_no_mention_and_no_link_out_of_a_text(wire: Any, make_notice: Any) -> None:
    wire.notifier.send(wire.channels["slack"], make_notice("failed", text=NASTY, link="https://deck.example/a|b>c"))
    text = last(wire, "slack C0123456789")["text"]
    assert "<!channel>" not in text
    assert text.count("<") == 1, "our own link only"
    assert text.endswith("<https://deck.example/a%7Cb&gt;c|open>")


def test_google_chat_and_teams_take_no_markup_out_of_a_text(wire: Any, make_notice: Any) -> None:
    for kind in ("chat", "teams"):
        wire.notifier.send(wire.channels[kind], make_notice("failed", text=NASTY))
    widget = last(wire, "chat AAAA")["cardsV2"][0]["card"]["sections"][0]["widgets"][0]
    assert "<" not in widget["textParagraph"]["text"]
    block = last(wire, "teams ops")["attachments"][0]["content"]["body"][0]
    assert block == {
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": NASTY, "color": "Attention"}],
    }


def test_google_chat_names_the_message_by_our_id_and_says_what_it_changes(wire: Any, make_notice: Any) -> None:
    seen: list[tuple[str, Any]] = []
    wire.catcher.disturb = lambda request: seen.append((request.path, request.args.to_dict()))
    wire.notifier.send(wire.channels["chat"], make_notice())
    path = f"/chat/v1/spaces/AAAA/messages/client-{1:040x}"
    assert seen == [(path, {"updateMask": "cardsV2", "allowMissing": "true"})]
    assert len(path.rpartition("/")[2]) <= 63


def test_a_webhook_is_signed_as_github_signs_and_says_all_fields(wire: Any, make_notice: Any) -> None:
    bodies: list[bytes] = []
    wire.catcher.disturb = lambda request: bodies.append(request.get_data())
    for _ in range(2):
        wire.notifier.send(wire.channels["hook"], make_notice("failed"))
    assert bodies[0] == bodies[1], "a repeat is equal"
    headers = wire.catcher.messages("hook own")[-1].headers
    expected = hmac.new(b"a-key-of-ours", bodies[0], hashlib.sha256).hexdigest()
    assert headers["X-Downwind-Signature"] == f"sha256={expected}"
    document = json.loads(bodies[0])
    assert document["id"] == headers["X-Downwind-Id"] == f"{1:040x}"
    assert (document["state"], document["environment"], document["sequence"]) == ("failed", "staging", "1")


def test_a_webhook_without_a_secret_is_not_signed(wire: Any, make_notice: Any) -> None:
    wire.notifier.send(replace(wire.channels["hook"], credentials=None), make_notice())
    assert "X-Downwind-Signature" not in wire.catcher.messages("hook own")[-1].headers


def test_a_mail_has_tls_one_id_and_no_header_that_is_not_ours(wire: Any, make_notice: Any) -> None:
    wire.notifier.send(
        wire.channels["mail"],
        make_notice("failed", subject="shop\r\nBcc: evil@evil.example\x00 ü", text=".\r\nBcc: x\n."),
    )
    ((recipients, text),) = wire.mail.mails
    assert recipients == ["a@acme.example", "b@acme.example"]
    assert "STARTTLS" in wire.mail.said[: wire.mail.said.index("AUTH")]
    message = email.message_from_string(text, policy=email.policy.default)
    assert message["Bcc"] is None
    assert message["Subject"] == "shopBcc: evil@evil.example ü"
    assert message["Message-ID"] == f"<{1:040x}.failed@acme.example>"
    assert message["References"] == f"<{1:040x}@acme.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "https://deck.acme.example" in message.get_content()


def test_no_mail_and_no_password_go_out_without_tls(wire: Any, make_notice: Any) -> None:
    wire.mail.offers_tls = False
    with pytest.raises(Refused, match="offers no TLS"):
        wire.notifier.send(wire.channels["mail"], make_notice("failed"))
    assert "AUTH" not in wire.mail.said
    assert wire.mail.mails == []


def test_a_certificate_that_does_not_hold_ends_it(wire: Any, make_notice: Any) -> None:
    with pytest.raises(TransientError, match="SSLCertVerificationError"):
        MailSender(10).send(wire.channels["mail"].target, make_notice("failed"), "u:p")
    assert "AUTH" not in wire.mail.said


def test_the_local_world_may_do_without_tls_to_this_machine_only(wire: Any, make_notice: Any) -> None:
    wire.mail.offers_tls = False
    target = wire.channels["mail"].target
    MailSender(10, plain=True).send(target, make_notice("failed"), None)
    assert len(wire.mail.mails) == 1


@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("RCPT", "550 nobody", Refused),
        ("RCPT", "450 later", TransientError),
        ("DATA", "554 no", Refused),
        (".", "452 full", TransientError),
        (".", "554 spam", Refused),
        (".", None, UnknownOutcome),
        ("EHLO", None, TransientError),
        ("MAIL", None, UnknownOutcome),
    ],
)
def test_a_mail_server_says_no_for_now_or_for_good(
    wire: Any, make_notice: Any, verb: str, reply: str | None, error: type[DownwindError]
) -> None:
    wire.mail.replies[verb] = reply
    with pytest.raises(error) as caught:
        wire.notifier.send(wire.channels["mail"], make_notice("failed"))
    assert isinstance(caught.value, UnknownOutcome) == (error is UnknownOutcome)


def test_a_password_without_a_user_is_named_as_such(wire: Any, make_notice: Any) -> None:
    wire.secrets.known["login"] = "secret-password"
    with pytest.raises(Misconfigured, match="not USER:PASSWORD") as caught:
        wire.notifier.send(wire.channels["mail"], make_notice("failed"))
    assert "secret-password" not in str(caught.value)


def test_a_mail_server_that_is_not_there_took_nothing(make_notice: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    mail = Mail(server=f"127.0.0.1:{port}", sender="a@acme.example", recipients=("b@acme.example",))
    with pytest.raises(TransientError, match="ConnectionRefusedError"):
        MailSender(5).send(mail, make_notice("failed"), None)


def test_a_mail_server_that_drips_is_cut_in_time(make_notice: Any) -> None:
    """Its greeting never ends, one byte after another."""
    over = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            while not over.wait(0.05):
                try:
                    connection.sendall(b"2")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        mail = Mail(server=f"127.0.0.1:{port}", sender="a@acme.example", recipients=("b@acme.example",))
        with pytest.raises(TransientError):
            MailSender(0.5, plain=True).send(mail, make_notice("failed"), None)
        over.set()
        thread.join()


@pytest.mark.parametrize("kind", ["github-status", "deployments", "slack", "chat", "teams", "hook"])
def test_a_redirect_is_not_followed(wire: Any, make_notice: Any, kind: str) -> None:
    asked: list[str] = []

    def elsewhere(request: Request) -> Response:
        asked.append(request.path)
        return Response("", 307, {"Location": f"{wire.catcher.url}/hooks/own"})

    wire.catcher.disturb = elsewhere
    with pytest.raises(Refused, match="redirects"):
        wire.notifier.send(wire.channels[kind], make_notice("failed"))
    assert len(asked) == 1


@pytest.mark.parametrize("address", ["http://hooks.acme.example/x", "ftp://127.0.0.1/x", "https://", "http://[::1/x"])
def test_only_https_is_called(wire: Any, make_notice: Any, address: str) -> None:
    wire.secrets.known["teams"] = address
    with pytest.raises(Refused, match=r"https|cannot be read") as caught:
        wire.notifier.send(wire.channels["teams"], make_notice("failed"))
    assert address not in str(caught.value)


def test_plain_http_is_refused_in_the_cloud_even_to_this_machine(wire: Any, make_notice: Any) -> None:
    cloud = Notifiers(wire.secrets, timeout=5)
    with pytest.raises(Refused, match="not https"):
        cloud.send(wire.channels["hook"], make_notice("failed"))
    cloud.close()
    assert wire.shown("hook") == []


def test_an_answer_without_end_is_not_read_to_it(wire: Any, make_notice: Any) -> None:
    wire.catcher.disturb = lambda _request: Response(b"x" * (1024 * 1024 + 1), 200)
    with pytest.raises(UnknownOutcome, match="larger than 1 MiB"):
        wire.notifier.send(wire.channels["hook"], make_notice("failed"))


def test_a_slow_receiver_ends_a_send_as_unknown(wire: Any, make_notice: Any) -> None:
    """It holds the request until the sender has given up."""
    given_up = threading.Event()
    wire.catcher.disturb = lambda _request: given_up.wait(30) and None
    hasty = Notifiers(wire.secrets, timeout=1, endpoint=wire.catcher.url, local=True)
    with pytest.raises(UnknownOutcome):
        hasty.send(wire.channels["slack"], make_notice("failed"))
    given_up.set()
    hasty.close()


@pytest.mark.parametrize("error", ["401", "404", "500", "closed"])
@pytest.mark.parametrize("kind", ["github-status", "gitlab-status", "slack", "teams", "hook", "chat", "deployments"])
def test_no_error_shows_a_secret(wire: Any, make_notice: Any, kind: str, error: str) -> None:
    secrets = set(wire.secrets.known.values())

    def answer(request: Request) -> Response:
        if error == "closed":
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response("no", int(error) if error != "closed" else 200)

    wire.catcher.disturb = answer
    with pytest.raises(DownwindError) as caught:
        wire.notifier.send(wire.channels[kind], make_notice("failed"))
    chain = [repr(each) for each in (caught.value, caught.value.__cause__)]
    assert not [each for each in secrets if any(each in text for text in chain) and each != "catcher"]
    assert "Bearer" not in "".join(chain)
    assert "/hooks/teams" not in "".join(chain)


def test_credentials_that_do_not_hold_are_read_anew_the_next_time(wire: Any, make_notice: Any) -> None:
    forgotten: list[str] = []
    wire.secrets.forget = forgotten.append
    wire.secrets.known["token"] = "old"
    with pytest.raises(Misconfigured):
        wire.notifier.send(wire.channels["slack"], make_notice("failed"))
    with pytest.raises(Misconfigured):
        wire.notifier.send(wire.channels["github-status"], make_notice("failed"))
    assert forgotten == ["token", "token"]


def test_gitlab_takes_a_repeat_of_running_for_what_it_is_and_any_other_400_for_a_no(
    wire: Any, make_notice: Any
) -> None:
    for _ in range(2):
        wire.notifier.send(wire.channels["gitlab-status"], make_notice("started"))
    assert wire.shown("gitlab-status") == ["started"]
    assert last(wire, "gitlab-status")["ref"] == "main"
    wire.catcher.disturb = lambda _request: json_response(
        {"message": "Cannot transition status via :success from :canceled"}, 400
    )
    with pytest.raises(Refused, match="Cannot transition"):
        wire.notifier.send(wire.channels["gitlab-status"], make_notice("succeeded"))


def test_bitbucket_gets_an_address_even_where_there_is_none(wire: Any, make_notice: Any) -> None:
    wire.notifier.send(wire.channels["bitbucket-status"], make_notice("started", link=None))
    assert last(wire, "bitbucket-status")["url"].startswith("https://code.acme.example/acme/shop/commits/")


@pytest.mark.parametrize("kind", ["github-status", "gitlab-status", "deployments", "slack", "chat", "teams", "mail"])
@pytest.mark.parametrize("state", ["started", "succeeded", "failed", "blocked", "cancelled", "superseded"])
def test_every_state_has_a_word_everywhere_with_and_without_a_link(
    wire: Any, make_notice: Any, kind: str, state: str
) -> None:
    wire.notifier.send(wire.channels[kind], make_notice(state, text="x" * 3000, n=1))
    wire.notifier.send(wire.channels[kind], make_notice(state, link=None, n=2))


def test_a_deployment_is_found_by_the_id_in_its_payload_even_where_that_is_a_text(wire: Any, make_notice: Any) -> None:
    first = wire.notifier.send(wire.channels["deployments"], make_notice("started"))
    others = [
        {"id": 7, "payload": "not json"},
        {"id": 8, "payload": None},
        {"id": 9, "payload": json.dumps({"id": f"{1:040x}"})},
    ]

    def answer(request: Request) -> Response | None:
        return json_response(others) if request.method == "GET" else None

    wire.catcher.disturb = answer
    with pytest.raises(Refused, match="404"):
        wire.notifier.send(wire.channels["deployments"], make_notice("failed"), look=True)
    assert first == "1"


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_deployment_that_was_made_without_its_status_is_found_and_not_made_again(
    wire: Any, make_notice: Any, status: int
) -> None:
    wire.catcher.disturb = lambda request: Response("no", status) if request.path.endswith("/statuses") else None
    with pytest.raises(UnknownOutcome):
        wire.notifier.send(wire.channels["deployments"], make_notice("started"))
    wire.catcher.disturb = None
    wire.notifier.send(wire.channels["deployments"], make_notice("failed"), look=True)
    assert wire.shown("deployments") == ["failed"]


@pytest.mark.parametrize(
    ("kind", "body"), [("slack", {"ok": True}), ("slack", []), ("deployments", {}), ("slack", {"ok": True, "ts": "x"})]
)
def test_a_message_that_was_taken_without_a_name_is_an_unknown_outcome(
    wire: Any, make_notice: Any, kind: str, body: Any
) -> None:
    wire.catcher.disturb = lambda _request: json_response(body)
    with pytest.raises(UnknownOutcome):
        wire.notifier.send(wire.channels[kind], make_notice("started"))


def test_slack_is_searched_page_by_page_from_the_claim_on(wire: Any, make_notice: Any) -> None:
    for n in range(1, 251):
        wire.notifier.send(wire.channels["slack"], make_notice("started", n=n))
    since = datetime(2026, 11, 24, tzinfo=UTC)
    asked: list[Any] = []
    wire.catcher.disturb = lambda request: asked.append(request.args.to_dict())
    wire.notifier.send(wire.channels["slack"], make_notice("failed", n=1), look=True, since=since)
    pages = [each for each in asked if each]
    assert [each.get("cursor") for each in pages] == [None, "200"]
    assert {float(each["oldest"]) for each in pages} == {since.timestamp() - 60}
    assert wire.shown("slack").count("failed") == 1
    assert len(wire.shown("slack")) == 250


def test_slack_that_has_too_much_since_then_is_asked_again_later_and_nothing_is_sent(
    wire: Any, make_notice: Any
) -> None:
    page = {"ok": True, "messages": ["odd", {"metadata": {"event_type": "x"}}], "has_more": True}
    wire.catcher.disturb = lambda _request: json_response({**page, "response_metadata": {"next_cursor": "n"}})
    with pytest.raises(TransientError, match="more than"):
        wire.notifier.send(wire.channels["slack"], make_notice("failed"), look=True)


@pytest.mark.parametrize(("error", "kind"), [("internal_error", UnknownOutcome), ("ratelimited", TransientError)])
def test_slacks_words_are_told_apart(wire: Any, make_notice: Any, error: str, kind: type[DownwindError]) -> None:
    wire.catcher.disturb = lambda _request: json_response({"ok": False, "error": error})
    with pytest.raises(kind):
        wire.notifier.send(wire.channels["slack"], make_notice("failed"))


def test_without_time_left_nothing_is_asked(wire: Any, make_notice: Any) -> None:
    late = Notifiers(wire.secrets, timeout=-1, endpoint=wire.catcher.url, local=True)
    with pytest.raises(TransientError, match="no time was left"):
        late.send(wire.channels["hook"], make_notice("failed"))
    late.close()


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://github.com/acme/shop", "https://api.github.com/repos/acme/shop"),
        ("https://git.acme.example/acme/shop", "https://git.acme.example/api/v3/repos/acme/shop"),
    ],
)
def test_github_is_asked_where_the_repository_is(
    wire: Any, make_notice: Any, monkeypatch: pytest.MonkeyPatch, repository: str, expected: str
) -> None:
    asked: list[str] = []

    def refuse(_self: Any, _method: str, url: str, **_: Any) -> Any:
        asked.append(url)
        raise TransientError("seen")

    monkeypatch.setattr("downwind.adapters.notify_http.NoticeHttp.call", refuse)
    cloud = Notifiers(wire.secrets)
    for target in (
        CommitStatus(host="github", repository=repository),
        GithubDeployments(repository=repository),
        CommitStatus(host="gitlab", repository=repository),
        CommitStatus(host="bitbucket", repository=repository),
    ):
        with pytest.raises(TransientError, match="seen"):
            cloud.send(replace(wire.channels["github-status"], target=target), make_notice("failed"))
    cloud.close()
    host, commit = repository.rsplit("/", 2)[0], make_notice().commit
    assert asked == [
        f"{expected}/statuses/{commit}",
        f"{expected}/deployments",
        f"{host}/api/v4/projects/acme%2Fshop/statuses/{commit}",
        f"https://api.bitbucket.org/2.0/repositories/acme/shop/commit/{commit}/statuses/build",
    ]


def test_a_receiver_that_is_not_there_took_nothing(wire: Any, make_notice: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = replace(wire.channels["hook"], target=Webhook(address=f"http://127.0.0.1:{port}/x"))
    with pytest.raises(TransientError, match="could not be reached") as caught:
        wire.notifier.send(gone, make_notice("failed"))
    assert not isinstance(caught.value, UnknownOutcome)
