"""The catalog's `notify:`: what is taken, and what is said of the rest."""

from typing import Any

import pytest
import yaml

from downwind.model.channels import (
    CommitStatus,
    GithubDeployments,
    GoogleChat,
    Mail,
    Slack,
    Teams,
    Webhook,
)
from downwind.model.fields import Invalid
from downwind.model.read_catalog import read_application
from downwind.model.template import fill, unknown


@pytest.fixture
def read(catalog_text: str) -> Any:
    """The channels of a catalog with this `notify:`, and perhaps another repository."""

    def of(*channels: dict[str, Any], repository: str | None = None) -> Any:
        document = yaml.safe_load(catalog_text)
        document["notify"] = list(channels)
        if repository:
            document["repository"]["address"] = repository
        return read_application(document).notify

    return of


@pytest.fixture
def problems(read: Any) -> Any:
    def of(channel: Any, **more: Any) -> list[str]:
        with pytest.raises(Invalid) as caught:
            read(channel, **more)
        return [str(each) for each in caught.value.problems]

    return of


SLACK = {"name": "ops", "to": "slack", "channel": "C0123456789", "credentials": "slack"}
MAIL = {
    "name": "ops",
    "to": "mail",
    "server": "smtp.acme.example:587",
    "sender": "downwind@acme.example",
    "recipients": ["sre@acme.example"],
}


def test_every_kind_is_read(read: Any) -> None:
    found = read(
        {"name": "a", "to": "commit-status", "credentials": "x"},
        {"name": "b", "to": "github-deployments", "credentials": "x"},
        SLACK | {"name": "c"},
        {"name": "d", "to": "google-chat", "space": "spaces/A_-1"},
        {"name": "e", "to": "teams", "credentials": "x"},
        {"name": "f", "to": "webhook", "address": "https://hooks.acme.example/x"},
        MAIL | {"name": "g", "subject": "{status}!", "text": "{reason}", "when": "failed", "environments": ["staging"]},
        repository="https://github.com/acme/shop.git",
    )
    assert [each.target for each in found] == [
        CommitStatus(host="github", repository="https://github.com/acme/shop"),
        GithubDeployments(repository="https://github.com/acme/shop"),
        Slack(channel="C0123456789"),
        GoogleChat(space="spaces/A_-1"),
        Teams(),
        Webhook(address="https://hooks.acme.example/x"),
        Mail(
            server="smtp.acme.example:587",
            sender="downwind@acme.example",
            recipients=("sre@acme.example",),
            subject="{status}!",
        ),
    ]
    mail = found[-1]
    assert (mail.text, mail.when, mail.credentials) == ("{reason}", "failed", None)
    assert (mail.hears_of("staging"), mail.hears_of("production"), found[0].hears_of("production")) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("repository", "named", "host"),
    [
        ("https://github.com/acme/shop.git", {}, "github"),
        ("https://gitlab.com/acme/group/shop", {}, "gitlab"),
        ("https://bitbucket.org/acme/shop", {}, "bitbucket"),
        ("https://git.acme.example/acme/shop", {"host": "gitlab"}, "gitlab"),
        (
            "https://source.developers.google.com/p/acme/r/shop",
            {"repository": "https://github.com/acme/shop"},
            "github",
        ),
        ("http://127.0.0.1:8080/acme/shop", {"host": "bitbucket"}, "bitbucket"),
    ],
)
def test_the_host_follows_from_the_repository_or_is_named(
    read: Any, repository: str, named: dict[str, str], host: str
) -> None:
    (channel,) = read({"name": "a", "to": "commit-status", "credentials": "x", **named}, repository=repository)
    assert channel.target.host == host


def test_an_application_without_notify_tells_nobody(read: Any) -> None:
    assert read() == ()


STATUS = {"name": "a", "to": "commit-status", "credentials": "x"}
KNOWN = (
    "{application}, {environment}, {sequence}, {attempt}, {commit}, {short_commit}, {ref}, {status}, {reason}, {who}, "
    "{why}, {execution}"
)
BRACES = "write {{ and }} for braces"


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (
            {"name": "ops"},
            "notify[0].to: is missing; use one of: commit-status, github-deployments, slack, google-chat, teams, webhook, mail",
        ),
        (
            {"name": "ops", "to": "pager", "key": "x"},
            (
                "notify[0].to: 'pager' is not known; use one of: commit-status, github-deployments, slack, google-chat, teams, "
                "webhook, mail"
            ),
        ),
        (
            SLACK | {"channel": "#ops"},
            "notify[0].channel: '#ops' does not have the right form; give a channel's id such as C0123456789, not its name",
        ),
        (SLACK | {"address": "https://x"}, "notify[0].address: is not a field; known here:"),
        (SLACK | {"credentials": None}, "notify[0].credentials: is missing; give the name of a secret"),
        (SLACK | {"credentials": "xoxb 1"}, "notify[0].credentials: 'xoxb 1' does not have the right form;"),
        (SLACK | {"name": "Ops"}, "notify[0].name: 'Ops' does not have the right form;"),
        (SLACK | {"when": "always"}, "notify[0].when: 'always' is not known; use one of: all, ended, failed"),
        (
            SLACK | {"environments": ["prod"]},
            "notify[0].environments[0]: 'prod' is not an environment; environments are:",
        ),
        (SLACK | {"text": "{user}"}, f"notify[0].text: {{user}} is not a field; use {KNOWN}, {{link}}; {BRACES}"),
        (SLACK | {"text": "{status"}, f"notify[0].text: {{ is not a field; use {KNOWN}, {{link}}; {BRACES}"),
        (
            SLACK | {"link": "https://deck.acme.example/{link}"},
            f"notify[0].link: {{link}} is not a field; use {KNOWN}; {BRACES}",
        ),
        (
            SLACK | {"link": "https://{execution}.example/"},
            "notify[0].link: 'https://{execution}.example/' does not have",
        ),
        (SLACK | {"link": "http://deck.acme.example/"}, "notify[0].link: 'http://deck.acme.example/' does not have"),
        (
            STATUS | {"context": "{status}"},
            f"notify[0].context: {{status}} is not a field; use {{application}}, {{environment}}; {BRACES}",
        ),
        (
            STATUS | {"repository": "https://git.acme.example/acme/shop"},
            "notify[0].host: does not follow from 'git.acme.example'; name it (host: github, gitlab, bitbucket), or name",
        ),
        (
            STATUS | {"repository": "https://git.acme.example/acme/shop", "host": "bitbucket"},
            "notify[0].host: is Bitbucket Cloud's only; Bitbucket Data Center is not supported: use a webhook",
        ),
        (STATUS | {"host": "gitea"}, "notify[0].host: 'gitea' is not known; use one of: github, gitlab, bitbucket"),
        (
            STATUS | {"repository": "https://github.com/shop"},
            "notify[0].repository: 'https://github.com/shop' does not",
        ),
        ({"name": "a", "to": "google-chat", "space": "AAAA"}, "notify[0].space: 'AAAA' does not have the right form;"),
        ({"name": "a", "to": "webhook", "address": "http://hooks.acme.example/"}, "notify[0].address: 'http://hooks"),
        (MAIL | {"recipients": []}, "notify[0].recipients: is missing; name at least one address"),
        (
            MAIL | {"recipients": ["a@b\r\nBcc: c@d"]},
            "notify[0].recipients[0]: 'a@b\\r\\nBcc: c@d' is not right; give an",
        ),
        (MAIL | {"sender": "Downwind <a@b>"}, "notify[0].sender: 'Downwind <a@b>' does not have the right form;"),
        (MAIL | {"server": "smtp.acme.example"}, "notify[0].server: 'smtp.acme.example' does not have the right form;"),
        (MAIL | {"subject": "{nobody}"}, "notify[0].subject: {nobody} is not a field; use"),
    ],
)
def test_a_wrong_channel_is_told_by_field_and_fix(problems: Any, channel: dict[str, Any], expected: str) -> None:
    (problem,) = problems(channel)
    assert problem.startswith(expected)


def test_two_channels_of_one_name_are_refused(read: Any) -> None:
    with pytest.raises(Invalid, match=r"notify\[1\]\.name: 'ops' stands twice"):
        read(SLACK, MAIL)


def test_a_channel_is_read_even_where_the_repository_is_missing(catalog_text: str) -> None:
    document = yaml.safe_load(catalog_text)
    del document["repository"]
    document["notify"] = [STATUS]
    with pytest.raises(Invalid) as caught:
        read_application(document)
    assert [str(each).split(";")[0] for each in caught.value.problems] == [
        "repository: is missing",
        "notify[0].host: does not follow from ''",
    ]


def test_templates_are_filled_in_once_and_never_run() -> None:
    values = {"a": "{b}", "b": "{a.__class__}"}
    assert fill("{a}{{a}} {b}", values) == "{b}{a} {a.__class__}"
    assert fill("{a}", values, str.upper) == "{B}"
    assert unknown("{a}{{x}}", ("a", "b")) is None
    assert [unknown(text, ("a",)) for text in ("{b}", "{a.b}", "{a!r}", "{}", "{", "}", "{a}}")] == [
        "{b}",
        "{a.b}",
        "{a!r}",
        "{}",
        "{",
        "}",
        "}",
    ]
