"""Statuses at GitHub: `POST /repos/{owner}/{repo}/statuses/{sha}`. The newest of a context counts: a repeat does no harm."""

from downwind.adapters.github_api import CREDENTIALS, api_of, headers
from downwind.adapters.notify_http import NoticeHttp
from downwind.model.channels import CommitStatus
from downwind.model.notice import Notice

_STATES = {"started": "pending", "succeeded": "success", "failed": "failure", "blocked": "failure"}
"""GitHub knows two more words for an end: `error` is the one that is not the commit's fault."""
_DESCRIPTION = 140
_CONTEXT = 255


def post(
    http: NoticeHttp, target: CommitStatus, notice: Notice, token: str, deadline: float, endpoint: str | None = None
) -> None:
    body = {
        "state": _STATES.get(notice.state, "error"),
        "context": notice.context[:_CONTEXT],
        "description": notice.text[:_DESCRIPTION],
    }
    if notice.link:
        body["target_url"] = notice.link
    url = f"{api_of(target.repository, endpoint)}/statuses/{notice.commit}"
    http.call("POST", url, deadline=deadline, headers=headers(token), body=body).checked(credentials=CREDENTIALS)
