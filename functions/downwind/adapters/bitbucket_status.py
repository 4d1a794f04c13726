"""Build statuses at Bitbucket Cloud: `POST /2.0/repositories/{workspace}/{repo}/commit/{commit}/statuses/build`. One key is one
status: it is overwritten."""

import hashlib
from urllib.parse import urlsplit

from downwind.adapters.notify_http import NoticeHttp
from downwind.model.channels import CommitStatus
from downwind.model.notice import Notice

_STATES = {"started": "INPROGRESS", "succeeded": "SUCCESSFUL", "failed": "FAILED", "blocked": "FAILED"}
_CREDENTIALS = "give the secret a repository's access token with the right to write to it"
_DESCRIPTION = 255


def post(
    http: NoticeHttp, target: CommitStatus, notice: Notice, token: str, deadline: float, endpoint: str | None = None
) -> None:
    parts = urlsplit(target.repository)
    base = f"{endpoint}/bitbucket" if endpoint is not None else "https://api.bitbucket.org"
    body = {
        # At most 40 characters.
        "key": hashlib.sha256(notice.context.encode()).hexdigest()[:40],
        "state": _STATES.get(notice.state, "STOPPED"),
        "name": notice.context,
        "description": notice.text[:_DESCRIPTION],
        # Bitbucket takes no status without an address.
        "url": notice.link or f"{target.repository}/commits/{notice.commit}",
    }
    url = f"{base}/2.0/repositories{parts.path}/commit/{notice.commit}/statuses/build"
    sent = http.call("POST", url, deadline=deadline, headers={"Authorization": f"Bearer {token}"}, body=body)
    sent.checked(credentials=_CREDENTIALS)
