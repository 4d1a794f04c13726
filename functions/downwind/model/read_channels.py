"""The catalog's `notify:` to channels, or its problems."""

import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from downwind.model.channels import (
    CONTEXT,
    FIELDS,
    KINDS,
    LINK_FIELDS,
    NAME_FIELDS,
    SUBJECT,
    TEXT,
    Channel,
    CommitStatus,
    GithubDeployments,
    GoogleChat,
    Mail,
    Slack,
    Target,
    Teams,
    Webhook,
)
from downwind.model.fields import Fields
from downwind.model.patterns import NAME
from downwind.model.template import unknown

HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "bitbucket.org": "bitbucket"}
_PAGES = re.compile(r"https://[^\s@/?#]+(/[^\s@/?#]+){2,}|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s@/?#]+){2,}")
_ADDRESS = re.compile(r"https://[^\s@]+|http://(127\.0\.0\.1|localhost)(:\d+)?/\S+")
_LINK = re.compile(r"https://[^\s@{}/?#]+(/\S*)?")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SLACK = re.compile(r"[CDG][A-Z0-9]{6,20}")
_SPACE = re.compile(r"spaces/[A-Za-z0-9_-]+")
_SERVER = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_SECRET_FORM = "the name of a secret"


def read_channel(fields: Fields, repository: str) -> Channel:
    """`repository` is the application's own address. Problems are collected in `fields`; the channel counts without any."""
    name = fields.text("name", pattern=NAME, form="1 to 63 lower case letters, digits and '-'")
    kind = _kind(fields)
    environments = fields.texts("environments", pattern=NAME, form="the name of an environment")
    when = cast(Any, fields.choice("when", ["all", "ended", "failed"], "all"))
    text = _template(fields, "text", TEXT)
    link = fields.optional("link", pattern=_LINK, form="an https address, its host without fields")
    _check(fields, "link", link, LINK_FIELDS)
    needed = kind not in {"", "google-chat", "webhook", "mail"}
    # A Chat app is the function's own identity: nothing to keep secret.
    credentials = None if kind == "google-chat" else _credentials(fields, needed=needed)
    target = _TARGETS[kind](fields, repository) if kind else Teams()
    if kind:
        fields.done()
    return Channel(
        name=name,
        target=target,
        environments=environments,
        when=when,
        text=text,
        link=link,
        credentials=credentials,
    )


def _kind(fields: Fields) -> str:
    """Without one nothing more can be said of the other fields: "" then."""
    if not fields.has("to"):
        fields.value("to")
        fields.problem("to", "is missing", f"use one of: {', '.join(KINDS)}")
        return ""
    return fields.choice("to", list(KINDS), "")


def _credentials(fields: Fields, *, needed: bool) -> str | None:
    read = fields.text if needed else fields.optional
    return read("credentials", pattern=_SECRET, form=_SECRET_FORM)


def _template(fields: Fields, name: str, default: str, known: tuple[str, ...] = FIELDS) -> str:
    found = fields.optional(name, form="a text with {field}") or default
    _check(fields, name, found, known)
    return found


def _check(fields: Fields, name: str, template: str | None, known: tuple[str, ...]) -> None:
    wrong = unknown(template or "", known)
    if wrong is not None:
        listed = ", ".join(f"{{{each}}}" for each in known)
        fields.problem(name, f"{wrong} is not a field", f"use {listed}; write {{{{ and }}}} for braces")


def _pages(fields: Fields, repository: str) -> str:
    """The address of the repository's pages; the application's own where none is named."""
    found = fields.optional("repository", pattern=_PAGES, form="the repository's https address") or repository
    return found.removesuffix("/").removesuffix(".git")


def _commit_status(fields: Fields, repository: str) -> Target:
    pages = _pages(fields, repository)
    host = urlsplit(pages).hostname or ""
    named = fields.has("host")
    known = fields.choice("host", list(HOSTS.values()), HOSTS.get(host, ""))
    if not known and not named:
        fix = f"name it (host: {', '.join(HOSTS.values())}), or name another repository"
        fields.problem("host", f"does not follow from {host or pages!r}", fix)
    if known == "bitbucket" and host and host != "bitbucket.org" and not _loopback(host):
        fields.problem("host", "is Bitbucket Cloud's only", "Bitbucket Data Center is not supported: use a webhook")
    context = _template(fields, "context", CONTEXT, NAME_FIELDS)
    return CommitStatus(host=cast(Any, known or "github"), repository=pages, context=context)


def _github_deployments(fields: Fields, repository: str) -> Target:
    return GithubDeployments(repository=_pages(fields, repository))


def _slack(fields: Fields, _repository: str) -> Target:
    return Slack(
        channel=fields.text("channel", pattern=_SLACK, form="a channel's id such as C0123456789, not its name")
    )


def _google_chat(fields: Fields, _repository: str) -> Target:
    return GoogleChat(space=fields.text("space", pattern=_SPACE, form="spaces/ID"))


def _teams(_fields: Fields, _repository: str) -> Target:
    return Teams()


def _webhook(fields: Fields, _repository: str) -> Target:
    return Webhook(address=fields.text("address", pattern=_ADDRESS, form="an https address without user and password"))


def _mail(fields: Fields, _repository: str) -> Target:
    recipients = fields.texts("recipients", pattern=MAILBOX, form="an address such as sre@acme.example")
    if not fields.items("recipients"):
        fields.problem("recipients", "is missing", "name at least one address")
    return Mail(
        server=fields.text("server", pattern=_SERVER, form="HOST:PORT, 587 or 465 in most places"),
        sender=fields.text("sender", pattern=MAILBOX, form="an address such as downwind@acme.example"),
        recipients=recipients,
        subject=_template(fields, "subject", SUBJECT),
    )


def _loopback(host: str) -> bool:
    return host in {"127.0.0.1", "localhost"}


_TARGETS: dict[str, Callable[[Fields, str], Target]] = {
    "commit-status": _commit_status,
    "github-deployments": _github_deployments,
    "slack": _slack,
    "google-chat": _google_chat,
    "teams": _teams,
    "webhook": _webhook,
    "mail": _mail,
}
