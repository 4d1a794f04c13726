"""`ports.Notifier` over all kinds of receivers: the secret of the channel, one deadline, and the kind's own adapter."""

from collections.abc import Callable
from datetime import datetime

from downwind.adapters import (
    bitbucket_status,
    github_deployments,
    github_status,
    gitlab_status,
    google_chat,
    slack,
    teams,
    webhook,
)
from downwind.adapters.mail import MailSender
from downwind.adapters.notify_http import NoticeHttp
from downwind.adapters.secrets import forget
from downwind.errors import Misconfigured
from downwind.model.channels import (
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
from downwind.ports import Secrets

_STATUSES = {"github": github_status.post, "gitlab": gitlab_status.post, "bitbucket": bitbucket_status.post}


class Notifiers:
    """`endpoint`: stands for all systems whose address is fixed (the local world's catcher). `local`: plain http and SMTP on
    this machine are taken too. `chat_token`: makes the source of tokens for Google Chat at its first use."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        timeout: float = 20,
        endpoint: str | None = None,
        local: bool = False,
        chat_token: Callable[[], Callable[[], str]] = google_chat.google_token,
        mail: MailSender | None = None,
    ) -> None:
        self._secrets = secrets
        self._endpoint = endpoint
        self._http = NoticeHttp(timeout, plain=local)
        self._mail = mail or MailSender(timeout, plain=local)
        self._make_chat_token = chat_token
        self._chat_token: Callable[[], str] | None = None

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        channel: Channel,
        notice: Notice,
        *,
        receipt: str | None = None,
        look: bool = False,
        since: datetime | None = None,
    ) -> str | None:
        secret = self._secrets.read(channel.credentials) if channel.credentials else None
        try:
            return self._send(channel, notice, secret, receipt, look=look, since=since)
        except Misconfigured:
            if channel.credentials:
                forget(self._secrets, channel.credentials)
            raise

    def _send(
        self,
        channel: Channel,
        notice: Notice,
        secret: str | None,
        receipt: str | None,
        *,
        look: bool,
        since: datetime | None,
    ) -> str | None:
        http, deadline, token = self._http, self._http.deadline(), secret or ""
        match channel.target:
            case CommitStatus() as target:
                _STATUSES[target.host](http, target, notice, token, deadline, self._endpoint)
                return None
            case GithubDeployments() as target:
                return github_deployments.send(
                    http, target, notice, token, deadline, receipt=receipt, look=look, endpoint=self._endpoint
                )
            case Slack() as target:
                return slack.send(
                    http,
                    target,
                    notice,
                    token,
                    deadline,
                    receipt=receipt,
                    look=look,
                    since=since,
                    endpoint=self._endpoint,
                )
            case GoogleChat() as target:
                google_chat.send(http, target, notice, self._token_for_chat(), deadline, self._endpoint)
            case Teams():
                teams.send(http, notice, token, deadline)
            case Webhook() as target:
                webhook.send(http, target, notice, secret, deadline)
            case Mail() as target:
                self._mail.send(target, notice, secret)
        return None

    def _token_for_chat(self) -> Callable[[], str]:
        if self._chat_token is None:
            self._chat_token = self._make_chat_token()
        return self._chat_token
