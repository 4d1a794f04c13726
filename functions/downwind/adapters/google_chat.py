"""Google Chat, as a Chat app: `PATCH /v1/spaces/{space}/messages/client-{id}?allowMissing=true` creates the message or changes
it, by an id of ours: a repeat is the same message, and nothing has to be asked. (An incoming webhook can't change a message.)

The app is the functions' own service account, with the scope chat.bot: there is no secret.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from downwind.adapters.notify_http import NoticeHttp
from downwind.errors import Misconfigured, TransientError
from downwind.model.channels import GoogleChat
from downwind.model.notice import Notice

API = "https://chat.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/chat.bot"
_FIX = "make the functions' project a Chat app, and add the app to the space"
_MARKS = {"started": "⏳", "succeeded": "✅", "failed": "❌", "blocked": "❌", "cancelled": "🛑", "superseded": "⏭️"}
_MASK = "cardsV2"


def send(
    http: NoticeHttp,
    target: GoogleChat,
    notice: Notice,
    token: Callable[[], str],
    deadline: float,
    endpoint: str | None = None,
) -> None:
    base = f"{endpoint}/chat" if endpoint is not None else API
    name = f"{target.space}/messages/client-{notice.id}"
    url = f"{base}/v1/{quote(name)}"
    query = {"updateMask": _MASK, "allowMissing": "true"}
    headers = {"Authorization": f"Bearer {token()}"}
    answer = http.call("PATCH", url, deadline=deadline, headers=headers, body=message(notice), query=query)
    answer.checked(credentials=_FIX)


def message(notice: Notice) -> dict[str, Any]:
    """A card: its text paragraph shows a subset of HTML, so what we say is escaped; a text message would take `<users/all>`
    for a mention."""
    text = f"{_MARKS[notice.state]} {_escape(notice.text)}"
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": text}}]
    if notice.link:
        widgets.append({"buttonList": {"buttons": [{"text": "Open", "onClick": {"openLink": {"url": notice.link}}}]}})
    return {"cardsV2": [{"cardId": "downwind", "card": {"sections": [{"widgets": widgets}]}}]}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def google_token() -> Callable[[], str]:
    """An access token of the functions' own identity; renewed when it has run out."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError as error:
        raise Misconfigured("there are no credentials for Google Chat", fix="run as a service account") from error

    def token() -> str:
        try:
            if not credentials.valid:
                credentials.refresh(Request())
        except GoogleAuthError as error:
            raise TransientError(f"no token for Google Chat: {type(error).__name__}") from error
        return str(credentials.token)

    return token
