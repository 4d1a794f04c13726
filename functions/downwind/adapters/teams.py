"""Microsoft Teams, by the address of a workflow ("When a Teams webhook request is received"), which takes one Adaptive Card.

It answers 202 and no id: a message can be neither changed nor asked for. The address is the secret.
"""

from typing import Any

from downwind.adapters.notify_http import NoticeHttp
from downwind.model.notice import Notice

_FIX = "make the workflow anew, and give the secret its address"
_COLOURS = {"succeeded": "Good", "failed": "Attention", "blocked": "Attention"}


def send(http: NoticeHttp, notice: Notice, address: str, deadline: float) -> None:
    http.call("POST", address, deadline=deadline, body=message(notice)).checked(credentials=_FIX)


def message(notice: Notice) -> dict[str, Any]:
    # A TextRun shows its text as it is; a TextBlock would take Markdown and mentions in it.
    run = {"type": "TextRun", "text": notice.text, "color": _COLOURS.get(notice.state, "Default")}
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [run]}],
    }
    if notice.link:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": notice.link}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}
