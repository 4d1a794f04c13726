"""Commit statuses at GitLab: `POST /api/v4/projects/{path}/statuses/{sha}`.

A status that runs is changed by its name; the same state again is answered 400 ("Cannot transition status via :run from
:running"), which says that it is there already. An end that is sent again is one more row of the same state.
"""

import re
from urllib.parse import quote, urlsplit

from downwind.adapters.notify_http import Answer, NoticeHttp, is_object
from downwind.model.channels import CommitStatus
from downwind.model.notice import Notice

_STATES = {"started": "running", "succeeded": "success", "failed": "failed", "blocked": "failed"}
_CREDENTIALS = "give the secret a project's token with the scope api and the role Developer"
_ALREADY = re.compile(r"Cannot transition status via :\w+ from :(\w+)")
_DESCRIPTION = 255


def post(
    http: NoticeHttp, target: CommitStatus, notice: Notice, token: str, deadline: float, endpoint: str | None = None
) -> None:
    parts = urlsplit(target.repository)
    base = f"{endpoint}/gitlab" if endpoint is not None else f"{parts.scheme}://{parts.netloc}"
    state = _STATES.get(notice.state, "canceled")
    body = {"state": state, "name": notice.context[:_DESCRIPTION], "description": notice.text[:_DESCRIPTION]}
    if notice.link:
        body["target_url"] = notice.link
    if notice.fields["ref"].startswith(("refs/heads/", "refs/tags/")):
        body["ref"] = notice.fields["ref"].split("/", 2)[2]
    project = quote(parts.path.strip("/"), safe="")
    url = f"{base}/api/v4/projects/{project}/statuses/{notice.commit}"
    answer = http.call("POST", url, deadline=deadline, headers={"PRIVATE-TOKEN": token}, body=body)
    if not _already(answer, state):
        answer.checked(credentials=_CREDENTIALS)


def _already(answer: Answer, state: str) -> bool:
    body = answer.json()
    found = _ALREADY.search(str(body.get("message"))) if answer.status == 400 and is_object(body) else None
    return found is not None and found[1] == state
