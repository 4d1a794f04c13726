"""GitHub's deployments, so that its environments show what is where: one deployment for each rollout, found again by the id in
its payload. `auto_inactive` leaves it to GitHub to mark what was there before."""

import json
from typing import Any

from downwind.adapters.github_api import CREDENTIALS, api_of, headers
from downwind.adapters.notify_http import NoticeHttp, is_object
from downwind.errors import DownwindError, UnknownOutcome
from downwind.model.channels import GithubDeployments
from downwind.model.notice import Notice

TASK = "downwind"
_STATES = {"started": "in_progress", "succeeded": "success", "failed": "failure", "blocked": "failure"}
_ENDED_BY_OTHERS = {"superseded": "inactive", "cancelled": "error"}
_DESCRIPTION = 140


def send(
    http: NoticeHttp,
    target: GithubDeployments,
    notice: Notice,
    token: str,
    deadline: float,
    *,
    receipt: str | None = None,
    look: bool = False,
    endpoint: str | None = None,
) -> str:
    """The deployment's id."""
    url = f"{api_of(target.repository, endpoint)}/deployments"
    deployment = receipt or (_find(http, url, notice, token, deadline) if look else None)
    if deployment is not None:
        _say(http, f"{url}/{deployment}/statuses", notice, token, deadline)
        return deployment
    deployment = _create(http, url, notice, token, deadline)
    try:
        _say(http, f"{url}/{deployment}/statuses", notice, token, deadline)
    except DownwindError as error:
        # It is there, and has no state yet: whoever goes on must find it, not make another.
        raise UnknownOutcome(f"the deployment was made, but not its status: {error}") from None
    return deployment


def _say(http: NoticeHttp, url: str, notice: Notice, token: str, deadline: float) -> None:
    body: dict[str, Any] = {
        "state": (_STATES | _ENDED_BY_OTHERS)[notice.state],
        "description": notice.text[:_DESCRIPTION],
        "environment": notice.fields["environment"],
        "auto_inactive": True,
    }
    if notice.link:
        body["log_url"] = notice.link
    http.call("POST", url, deadline=deadline, headers=headers(token), body=body).checked(credentials=CREDENTIALS)


def _find(http: NoticeHttp, url: str, notice: Notice, token: str, deadline: float) -> str | None:
    query = {"sha": notice.commit, "environment": notice.fields["environment"], "task": TASK, "per_page": "100"}
    found = http.call("GET", url, deadline=deadline, headers=headers(token), query=query)
    for each in found.checked(credentials=CREDENTIALS) or ():
        if is_object(each) and _payload(each).get("id") == notice.id:
            return str(each["id"])
    return None


def _payload(deployment: dict[str, Any]) -> dict[str, Any]:
    """An object, or its JSON in a text: GitHub gives back either."""
    found = deployment.get("payload")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            found = None
    return found if isinstance(found, dict) else {}


def _create(http: NoticeHttp, url: str, notice: Notice, token: str, deadline: float) -> str:
    body = {
        "ref": notice.commit,
        "environment": notice.fields["environment"],
        "task": TASK,
        "description": notice.text[:_DESCRIPTION],
        "payload": {"id": notice.id, "sequence": notice.fields["sequence"]},
        # It has happened: nothing is to be merged into it, and no check has a say.
        "auto_merge": False,
        "required_contexts": [],
    }
    answer = http.call("POST", url, deadline=deadline, headers=headers(token), body=body)
    created = answer.checked(credentials=CREDENTIALS)
    if not is_object(created) or not isinstance(created.get("id"), int):
        raise UnknownOutcome(f"{answer.host} took the deployment and named no id")
    return str(created["id"])
