"""Receivers that the cases can send to: the in-memory twin, and the adapters against the catcher and a mail server."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.wrappers import Request, Response

from downwind.adapters.mail import MailSender
from downwind.adapters.memory_notifier import MemoryNotifier
from downwind.adapters.notifiers import Notifiers
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.catcher import TOKEN, Catcher
from downwind.local.http import json_response
from downwind.model.channels import (
    CONTEXT,
    SUBJECT,
    Channel,
    CommitStatus,
    GithubDeployments,
    GoogleChat,
    Mail,
    Slack,
    Teams,
    Webhook,
)
from downwind.model.notice import Notice
from downwind.model.template import fill
from downwind.ports import Notifier

COMMIT = "c" * 40
REPOSITORY = "https://code.acme.example/acme/shop"
STATES = {
    **dict.fromkeys(("pending", "running", "INPROGRESS", "in_progress", "started"), "started"),
    **dict.fromkeys(("success", "SUCCESSFUL", "succeeded"), "succeeded"),
    **dict.fromkeys(("failure", "FAILED", "failed"), "failed"),
    "⏳": "started",
    "✅": "succeeded",
    "❌": "failed",
}


class MailServer:
    """SMTP, one mail at a time: EHLO, STARTTLS, AUTH PLAIN, and what a mail needs. `mails` are as they came."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.mails: list[tuple[list[str], str]] = []
        self.said: list[str] = []
        self.replies: dict[str, str | None] = {}
        """Verb to another reply; None ends the connection there. `.`: after the mail was taken."""
        self.offers_tls = True
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            pass
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not self._over:
            connection, _ = self._listening.accept()
            connection.settimeout(10)
            with contextlib.ExitStack() as kept, contextlib.suppress(OSError):
                self._talk(connection, kept)

    def _talk(self, connection: socket.socket, kept: contextlib.ExitStack) -> None:
        recipients: list[str] = []
        kept.enter_context(connection)
        reader = kept.enter_context(connection.makefile("rb"))
        connection.sendall(b"220 mail.test ESMTP\r\n")
        while line := reader.readline().decode().strip():
            verb = line.split()[0].upper()
            self.said.append(verb)
            if verb in self.replies:
                reply = self.replies[verb]
                if reply is None:
                    return
                connection.sendall(f"{reply}\r\n".encode())
                continue
            match verb:
                case "EHLO":
                    secure = isinstance(connection, ssl.SSLSocket)
                    more = "250-STARTTLS\r\n" if self.offers_tls and not secure else ""
                    connection.sendall(f"250-mail.test\r\n{more}250 AUTH PLAIN\r\n".encode())
                case "STARTTLS":
                    connection.sendall(b"220 go\r\n")
                    connection = kept.enter_context(self._context.wrap_socket(connection, server_side=True))
                    reader = kept.enter_context(connection.makefile("rb"))
                case "AUTH":
                    connection.sendall(b"235 ok\r\n")
                case "RCPT":
                    recipients.append(line.partition(":")[2].strip("<> "))
                    connection.sendall(b"250 ok\r\n")
                case "DATA":
                    connection.sendall(b"354 go on\r\n")
                    mail = b""
                    while not mail.endswith(b"\r\n.\r\n"):
                        mail += reader.readline()
                    self.mails.append((recipients, mail.decode().removesuffix(".\r\n")))
                    if "." in self.replies:
                        reply = self.replies["."]
                        if reply is None:
                            return
                        connection.sendall(f"{reply}\r\n".encode())
                    else:
                        connection.sendall(b"250 taken\r\n")
                case "QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                case _:
                    connection.sendall(b"250 ok\r\n")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(a server's context, that of a client who trusts it)"""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "certificate.pem"))


def status(host: Any) -> Channel:
    return Channel(
        name=f"{host}-status",
        target=CommitStatus(host=host, repository=REPOSITORY, context=CONTEXT),
        credentials="token",
    )


def channels(catcher_url: str, mail_port: int) -> dict[str, Channel]:
    mail = Mail(
        server=f"localhost:{mail_port}", sender="downwind@acme.example", recipients=("a@acme.example", "b@acme.example")
    )
    found = [
        status("github"),
        status("gitlab"),
        status("bitbucket"),
        Channel(name="deployments", target=GithubDeployments(repository=REPOSITORY), credentials="token"),
        Channel(name="slack", target=Slack(channel="C0123456789"), credentials="token"),
        Channel(name="chat", target=GoogleChat(space="spaces/AAAA")),
        Channel(name="teams", target=Teams(), credentials="teams"),
        Channel(name="hook", target=Webhook(address=f"{catcher_url}/hooks/own"), credentials="key"),
        Channel(name="mail", target=mail, credentials="login"),
    ]
    return {each.name: each for each in found}


KINDS = tuple(channels("http://127.0.0.1:1", 1))


def notice(state: Any = "started", *, n: int = 1, text: str | None = None, **more: Any) -> Notice:
    fields = {
        "application": "shop",
        "environment": "staging",
        "sequence": str(n),
        "attempt": "0",
        "commit": COMMIT[:-1] + str(n),
        "short_commit": COMMIT[:7],
        "ref": "refs/heads/main",
        "status": state,
        "reason": "",
        "who": "",
        "why": "",
        "execution": "01",
        "link": "",
    }
    values: dict[str, Any] = {
        "id": f"{n:040x}",
        "state": state,
        "fields": fields,
        "text": text or f"shop staging {n} {state}",
        "subject": fill(SUBJECT, fields),
        "context": fill(CONTEXT, fields),
        "link": "https://deck.acme.example/#/run/01",
    }
    return Notice(**(values | more))


class Receivers(Protocol):
    channels: dict[str, Channel]

    @property
    def notifier(self) -> Notifier: ...
    def shown(self, kind: str) -> list[str]:
        """States of the messages as a person sees them."""

    def lose_answer(self) -> None:
        """The next send arrives, and its answer does not."""

    def say(self, what: str) -> None:
        """The next send is answered: not now, no right, never."""

    def delete(self, kind: str) -> None:
        """A person deletes the messages there."""


class Twin:
    def __init__(self) -> None:
        self.notifier = MemoryNotifier()
        self.channels = channels("http://127.0.0.1:1", 1)

    def shown(self, kind: str) -> list[str]:
        return [state for _, state in self.notifier.shown(kind)]

    def lose_answer(self) -> None:
        self.notifier.lose_answers()

    def say(self, what: str) -> None:
        errors = {
            "not now": TransientError("503"),
            "no right": Misconfigured("401", fix="renew it"),
            "never": Refused("no such place"),
        }
        self.notifier.fail(errors[what])

    def delete(self, kind: str) -> None:
        self.notifier.arrived = [each for each in self.notifier.arrived if each.channel != kind]


class KnownSecrets:
    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def read(self, name: str) -> str:
        return self.known[name]


# Slack says no with 200 and a word; the others by status.
SLACK_WORDS = {"not now": "ratelimited", "no right": "token_revoked", "never": "channel_not_found"}
STATUS_CODES = {"not now": 503, "no right": 401, "never": 404}
MAIL_REPLIES = {"not now": ("MAIL", "451 later"), "no right": ("AUTH", "535 no"), "never": ("MAIL", "550 never")}


class Wire:
    """The adapters against the catcher and the mail server."""

    def __init__(self, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        self.catcher = Catcher()
        self.catcher.start()
        self.mail = MailServer(tls[0])
        known = {
            "token": TOKEN,
            "teams": f"{self.catcher.url}/hooks/teams/ops",
            "key": "a-key-of-ours",
            "login": "downwind:pass:word",
        }
        self.secrets = KnownSecrets(known)
        self.notifier = Notifiers(
            self.secrets,
            timeout=10,
            endpoint=self.catcher.url,
            local=True,
            chat_token=lambda: lambda: TOKEN,
            mail=MailSender(10, context=tls[1]),
        )
        self.channels = channels(self.catcher.url, self.mail.port)

    def stop(self) -> None:
        self.notifier.close()
        self.mail.stop()
        self.catcher.stop()

    def shown(self, kind: str) -> list[str]:
        place = {
            "github-status": "github-status",
            "gitlab-status": "gitlab-status",
            "bitbucket-status": "bitbucket-status",
            "deployments": "github-deployment",
            "slack": "slack C0123456789",
            "chat": "chat AAAA",
            "teams": "teams ops",
            "hook": "hook own",
        }
        if kind == "mail":
            subjects = {}
            for _, mail in self.mail.mails:
                headers = dict(line.split(": ", 1) for line in mail.split("\r\n\r\n")[0].split("\r\n"))
                subjects[headers["Message-ID"]] = headers["Subject"].split()[-1]
            return list(subjects.values())
        return [STATES[self._state(kind, each.bodies[-1])] for each in self.catcher.messages(place[kind])]

    @staticmethod
    def _state(kind: str, body: Any) -> str:
        """Of the messages that are for people only: the mark or the words."""
        match kind:
            case "slack":
                return str(body["text"].split()[0])
            case "chat":
                text = body["cardsV2"][0]["card"]["sections"][0]["widgets"][0]["textParagraph"]["text"]
                return str(text.split()[0])
            case "teams":
                return str(body["attachments"][0]["content"]["body"][0]["inlines"][0]["text"].split()[-1])
        return str(body["state"])

    def lose_answer(self) -> None:
        self.mail.replies["."] = None

        def cut(request: Request) -> None:
            self.catcher.after = None
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)

        self.catcher.after = cut

    def say(self, what: str) -> None:
        verb, reply = MAIL_REPLIES[what]
        self.mail.replies[verb] = reply

        def no(request: Request) -> Response:
            self.catcher.disturb = None
            if "/slack/" in request.path:
                return json_response({"ok": False, "error": SLACK_WORDS[what]})
            return json_response({"message": "no"}, STATUS_CODES[what])

        self.catcher.disturb = no

    def delete(self, kind: str) -> None:
        self.catcher.caught.clear()


@pytest.fixture(params=["twin", "wire"])
def receivers(request: pytest.FixtureRequest) -> Iterator[Receivers]:
    if request.param == "twin":
        yield Twin()
        return
    wire = Wire(request.getfixturevalue("tls"))
    yield wire
    wire.stop()


@pytest.fixture
def wire(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Wire]:
    made = Wire(tls)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def make_notice() -> Callable[..., Notice]:
    return notice


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
