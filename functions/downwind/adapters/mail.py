"""Mail by SMTP, with TLS: from the start on port 465, else by STARTTLS before anything is said.

The Message-ID follows from the rollout and its end: by it mailboxes drop a mail that was sent twice.
"""

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

from downwind.adapters.gate_http import Call
from downwind.adapters.notify_http import LOOPBACK
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.model.channels import Mail
from downwind.model.notice import Notice

_FIX = "give the secret USER:PASSWORD of the mail server"
_IMPLICIT_TLS = 465


class MailSender:
    """`plain`: without TLS to a server on this machine (the local world). `context` is for tests."""

    def __init__(self, timeout: float = 20, *, plain: bool = False, context: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._plain = plain
        self._context = context

    def send(self, target: Mail, notice: Notice, login: str | None) -> None:
        host, _, port = target.server.rpartition(":")
        message = compose(target, notice)
        with Call(self._timeout) as call:
            server = self._before(host, lambda: self._connect(host, int(port)))
            try:
                self._before(host, lambda: self._prepare(server, host, int(port), login))
                if call.over:
                    raise TransientError(f"{host} took too long to begin")
                refused = _transmit(server, host, target, message)
            finally:
                server.close()
        if refused:
            raise Refused(f"{host} took the mail for some, and refused {len(refused)} of its recipients")

    def _connect(self, host: str, port: int) -> smtplib.SMTP:
        if port == _IMPLICIT_TLS:
            return _SecureServer(host, port, timeout=self._timeout, context=self._tls())
        return _Server(host, port, timeout=self._timeout)

    def _prepare(self, server: smtplib.SMTP, host: str, port: int, login: str | None) -> None:
        if port != _IMPLICIT_TLS and not (self._plain and host in LOOPBACK):
            server.starttls(context=self._tls())
        server.ehlo()
        if login is not None:
            user, colon, password = login.partition(":")
            if not colon:
                raise Misconfigured("the secret is not USER:PASSWORD", fix=_FIX)
            server.login(user, password)

    def _tls(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()

    def _before(self, host: str, act: Callable[[], Any]) -> Any:
        """Nothing of the mail is out yet."""
        try:
            return act()
        except smtplib.SMTPAuthenticationError as error:
            raise Misconfigured(f"{host} does not take the password ({error.smtp_code})", fix=_FIX) from None
        except smtplib.SMTPNotSupportedError:
            raise Refused(f"{host} offers no TLS, or no sign-in", fix="name a server and port that do") from None
        except (smtplib.SMTPException, OSError) as error:
            raise TransientError(f"{host} could not be spoken to: {type(error).__name__}") from None


class _Server(smtplib.SMTP):
    """Every reply is waited for within the one deadline of the `Call`."""

    def getreply(self) -> tuple[int, bytes]:
        Call.uses(self.sock)
        return super().getreply()


class _SecureServer(smtplib.SMTP_SSL):
    def getreply(self) -> tuple[int, bytes]:
        Call.uses(self.sock)
        return super().getreply()


def _transmit(server: smtplib.SMTP, host: str, target: Mail, message: EmailMessage) -> Any:
    try:
        return server.send_message(message, target.sender, list(target.recipients))
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _said_no(host, min(codes), "the recipients") from None
    except smtplib.SMTPSenderRefused as error:
        raise _said_no(host, error.smtp_code, "the sender") from None
    except smtplib.SMTPDataError as error:
        raise _said_no(host, error.smtp_code, "the mail") from None
    except (smtplib.SMTPException, OSError) as error:
        raise UnknownOutcome(f"{host} did not answer: {type(error).__name__}") from None


def _said_no(host: str, code: int, what: str) -> TransientError | Refused:
    """4xx is for now (RFC 5321, 4.2.1)."""
    text = f"{host} does not take {what} ({code})"
    return TransientError(text) if 400 <= code < 500 else Refused(text)


def compose(target: Mail, notice: Notice) -> EmailMessage:
    """Header values cannot hold line ends: the library refuses them, and the subject has none any more."""
    message = EmailMessage(policy=SMTP)
    domain = target.sender.rpartition("@")[2]
    message["From"] = target.sender
    message["To"] = ", ".join(target.recipients)
    message["Subject"] = "".join(each for each in notice.subject if each.isprintable())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{notice.id}.{notice.state}@{domain}>"
    # All mails of one rollout are one conversation.
    message["References"] = f"<{notice.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    text = notice.text if not notice.link else f"{notice.text}\n\n{notice.link}"
    message.set_content(text)
    return message
