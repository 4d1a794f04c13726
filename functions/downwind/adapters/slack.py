"""Slack, by its Web API: `chat.postMessage`, then `chat.update` by the message's `ts`.

Slack has no idempotency key, but a message may carry metadata of ours, and `conversations.history` gives it back: so after a
send of which nobody knows, the channel is asked first. Scopes: chat:write; channels:history (groups:history) to ask.
"""

import re
from datetime import datetime
from typing import Any

from downwind.adapters.notify_http import Answer, NoticeHttp, is_object
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.model.channels import Slack
from downwind.model.notice import Notice

API = "https://slack.com"
EVENT_TYPE = "downwind_rollout"
_TS = re.compile(r"\d{1,12}\.\d{1,9}")
_BACK = 60.0
"""Seconds: our clock, the store's and Slack's are three."""
_PAGE = 200
_PAGES = 5
_MARKS = {"started": "⏳", "succeeded": "✅", "failed": "❌", "blocked": "❌", "cancelled": "🛑", "superseded": "⏭️"}
_NOT_DONE = {"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org", "accesslimited"}
_UNKNOWN = {"internal_error", "fatal_error", "request_timeout"}
_RIGHTS = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
    "not_in_channel",
    "no_permission",
    "org_login_required",
    "access_denied",
    "ekm_access_denied",
}
_FIX = "give the secret a bot's token with chat:write and channels:history, and invite the bot into the channel"


def send(
    http: NoticeHttp,
    target: Slack,
    notice: Notice,
    token: str,
    deadline: float,
    *,
    receipt: str | None = None,
    look: bool = False,
    since: datetime | None = None,
    endpoint: str | None = None,
) -> str:
    """The message's `ts`."""
    slack = _Slack(http, f"{endpoint}/slack" if endpoint is not None else API, target.channel, token, deadline)
    ts = receipt or (slack.find(notice.id, since) if look else None)
    if ts is not None and slack.update(ts, notice):
        return ts
    return slack.post(notice)


class _Slack:
    def __init__(self, http: NoticeHttp, base: str, channel: str, token: str, deadline: float) -> None:
        self._http, self._base, self._channel, self._token, self._deadline = http, base, channel, token, deadline

    def post(self, notice: Notice) -> str:
        ts = self._call("chat.postMessage", self._message(notice)).get("ts")
        if not isinstance(ts, str) or _TS.fullmatch(ts) is None:
            raise UnknownOutcome("Slack took the message and named no ts")
        return ts

    def update(self, ts: str, notice: Notice) -> bool:
        """False: somebody has deleted it."""
        answer = self._ask("chat.update", {**self._message(notice), "ts": ts})
        if _error(answer) == "message_not_found":
            return False
        _checked(answer)
        return True

    def find(self, identifier: str, since: datetime | None) -> str | None:
        query = {"channel": self._channel, "limit": str(_PAGE), "include_all_metadata": "true"}
        if since is not None:
            query["oldest"] = f"{since.timestamp() - _BACK:.6f}"
        for _ in range(_PAGES):
            found = self._call("conversations.history", None, query)
            for message in found.get("messages") or ():
                if _ours(message) == identifier and isinstance(message.get("ts"), str):
                    return str(message["ts"])
            cursor = (found.get("response_metadata") or {}).get("next_cursor")
            if not found.get("has_more") or not cursor:
                return None
            query["cursor"] = cursor
        raise TransientError(f"Slack's channel has more than {_PAGE * _PAGES} messages since then")

    def _message(self, notice: Notice) -> dict[str, Any]:
        text = f"{_MARKS[notice.state]} {escape(notice.text)}"
        if notice.link:
            text += f" <{escape_link(notice.link)}|open>"
        return {
            "channel": self._channel,
            "text": text,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"id": notice.id, "state": notice.state}},
        }

    def _call(self, method: str, body: Any, query: dict[str, str] | None = None) -> dict[str, Any]:
        return _checked(self._ask(method, body, query))

    def _ask(self, method: str, body: Any, query: dict[str, str] | None = None) -> Answer:
        return self._http.call(
            "POST" if body is not None else "GET",
            f"{self._base}/api/{method}",
            deadline=self._deadline,
            headers={"Authorization": f"Bearer {self._token}"},
            body=body,
            query=query,
        )


def escape(text: str) -> str:
    """Plain text as mrkdwn: no link, no mention (`<!channel>`) can come out of it. Slack's rule: these three, no more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_link(link: str) -> str:
    return escape(link).replace("|", "%7C")


def _ours(message: Any) -> Any:
    """The id in the metadata of a message of ours."""
    metadata = message.get("metadata") if is_object(message) else None
    if not is_object(metadata) or metadata.get("event_type") != EVENT_TYPE:
        return None
    payload = metadata.get("event_payload")
    return payload.get("id") if is_object(payload) else None


def _error(answer: Answer) -> str | None:
    """Slack says no with 200 and `ok: false`."""
    body = answer.json()
    return str(body.get("error")) if answer.status == 200 and is_object(body) and body.get("ok") is False else None


def _checked(answer: Answer) -> dict[str, Any]:
    error = _error(answer)
    if error is None:
        body = answer.checked(credentials=_FIX)
        if not is_object(body):
            raise UnknownOutcome("Slack answered no JSON")
        return dict(body)
    if error in _NOT_DONE:
        raise TransientError(f"Slack answered {error}")
    if error in _UNKNOWN:
        raise UnknownOutcome(f"Slack answered {error}")
    if error in _RIGHTS:
        raise Misconfigured(f"Slack answered {error}", fix=_FIX)
    raise Refused(f"Slack answered {error[:100]}")
