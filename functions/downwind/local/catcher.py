"""A catcher of notices: the calls of GitHub, GitLab, Bitbucket, Slack and Google Chat that notices make, in their wire shapes,
and hooks for Teams and your own receivers. It keeps what arrived, as its receiver would show it, and shows it at `/`.

Checked against the public references of those APIs (docs/how-to/notices.md names them). What else they can do is not here.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, json_response

TOKEN = "catcher"
_KEPT = 500
_BODY = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Caught:
    """One message: `where` names its receiver, `key` what it is known by there; `bodies` its states, the newest last."""

    where: str
    key: str
    bodies: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


class Catcher(HttpPart):
    """`caught` is in the order of arrival. For tests, `disturb(request)` may answer in a receiver's place."""

    name = "notices"

    def __init__(self, port: int = 0, token: str = TOKEN) -> None:
        super().__init__(port)
        self._token = token
        self._mutex = threading.RLock()
        self.caught: list[Caught] = []
        self.disturb: Callable[[Request], Response | None] | None = None
        self.after: Callable[[Request], None] | None = None
        """Called when a message was taken and before it is answered."""

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        repository = "/github/repos/<owner>/<repo>"
        status = "/bitbucket/2.0/repositories/<owner>/<repo>/commit/<sha>/statuses/build"
        return [
            (("GET",), "/", self._show),
            (("POST",), f"{repository}/statuses/<sha>", self._taken(self._github_status)),
            (("POST",), f"{repository}/deployments", self._taken(self._github_deployment)),
            (("GET",), f"{repository}/deployments", self._taken(self._github_deployments)),
            (("POST",), f"{repository}/deployments/<int:number>/statuses", self._taken(self._github_deployment_status)),
            (("POST",), "/gitlab/api/v4/projects/<path:project>/statuses/<sha>", self._taken(self._gitlab_status)),
            (("POST",), status, self._taken(self._bitbucket_status)),
            (("POST",), "/slack/api/chat.postMessage", self._taken(self._slack_post)),
            (("POST",), "/slack/api/chat.update", self._taken(self._slack_update)),
            (("GET",), "/slack/api/conversations.history", self._taken(self._slack_history)),
            (("PATCH",), "/chat/v1/spaces/<space>/messages/<name>", self._taken(self._chat_message)),
            (("POST",), "/hooks/teams/<name>", self._taken(self._teams)),
            (("POST",), "/hooks/<name>", self._taken(self._hook)),
        ]

    def messages(self, where: str) -> list[Caught]:
        with self._mutex:
            return [each for each in self.caught if each.where == where]

    def _taken(self, handler: Handler) -> Handler:
        def answer(request: Request, **parts: Any) -> Response:
            request.max_content_length = _BODY
            request.get_data()
            disturbed = self.disturb(request) if self.disturb else None
            if disturbed is not None:
                return disturbed
            with self._mutex:
                response = handler(request, **parts)
                del self.caught[:-_KEPT]
            if self.after is not None:
                self.after(request)
            return response

        return answer

    def _show(self, _request: Request) -> Response:
        with self._mutex:
            found = [{"where": each.where, "key": each.key, "state": each.bodies[-1]} for each in self.caught]
        return json_response(found)

    def _find(self, where: str, key: str) -> Caught | None:
        return next((each for each in self.caught if (each.where, each.key) == (where, key)), None)

    def _put(self, where: str, key: str, body: Any, request: Request | None = None) -> Caught:
        found = self._find(where, key)
        if found is None:
            found = Caught(where=where, key=key, headers=dict(request.headers) if request else {})
            self.caught.append(found)
        found.bodies.append(body)
        return found

    def _bearer(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._token}"

    # GitHub: docs.github.com/rest/commits/statuses and /rest/deployments

    def _github_status(self, request: Request, owner: str, repo: str, sha: str) -> Response:
        if not self._bearer(request):
            return json_response({"message": "Bad credentials"}, 401)
        body = request.get_json()
        if body.get("state") not in {"error", "failure", "pending", "success"} or len(body["description"]) > 140:
            return json_response({"message": "Validation Failed"}, 422)
        self._put("github-status", f"{owner}/{repo} {sha} {body['context']}", body)
        return json_response({"state": body["state"], "context": body["context"]}, 201)

    def _github_deployment(self, request: Request, owner: str, repo: str) -> Response:
        if not self._bearer(request):
            return json_response({"message": "Bad credentials"}, 401)
        body = request.get_json()
        number = len(self.messages("github-deployment")) + 1
        self._put("github-deployment", str(number), {"repository": f"{owner}/{repo}", **body, "state": "pending"})
        return json_response({"id": number, "sha": body["ref"], "environment": body["environment"]}, 201)

    def _github_deployments(self, request: Request, owner: str, repo: str) -> Response:
        if not self._bearer(request):
            return json_response({"message": "Bad credentials"}, 401)
        found = []
        for each in reversed(self.messages("github-deployment")):
            first = each.bodies[0]
            asked = {"sha": first["ref"], "environment": first["environment"], "task": first["task"]}
            if first["repository"] == f"{owner}/{repo}" and all(
                request.args.get(key, value) == value for key, value in asked.items()
            ):
                found.append({"id": int(each.key), **asked, "payload": first["payload"]})
        return json_response(found)

    def _github_deployment_status(self, request: Request, owner: str, repo: str, number: int) -> Response:
        if not self._bearer(request):
            return json_response({"message": "Bad credentials"}, 401)
        known = self._find("github-deployment", str(number))
        if known is None or known.bodies[0]["repository"] != f"{owner}/{repo}":
            return json_response({"message": "Not Found"}, 404)
        body = request.get_json()
        allowed = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
        if body.get("state") not in allowed or len(body["description"]) > 140:
            return json_response({"message": "Validation Failed"}, 422)
        known.bodies.append({**known.bodies[0], **body})
        return json_response({"id": len(known.bodies), "state": body["state"]}, 201)

    # GitLab: docs.gitlab.com/api/commits, "Set commit pipeline status"

    def _gitlab_status(self, request: Request, project: str, sha: str) -> Response:
        """Changes the running row of that name; a new end is a new row."""
        if request.headers.get("PRIVATE-TOKEN") != self._token:
            return json_response({"message": "401 Unauthorized"}, 401)
        body = request.get_json()
        if body.get("state") not in {"pending", "running", "success", "failed", "canceled", "skipped"}:
            return json_response({"error": "state does not have a valid value"}, 400)
        key = f"{project} {sha} {body['name']}"
        standing = self._find("gitlab-status", key)
        if standing and standing.bodies[-1]["state"] == body["state"] == "running":
            text = 'Cannot transition status via :run from :running (Reason(s): Status cannot transition via "run")'
            return json_response({"message": text}, 400)
        self._put("gitlab-status", key, body)
        return json_response({"status": body["state"], "name": body["name"]}, 201)

    # Bitbucket Cloud: developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses

    def _bitbucket_status(self, request: Request, owner: str, repo: str, sha: str) -> Response:
        if not self._bearer(request):
            return json_response({"type": "error", "error": {"message": "Access token is invalid"}}, 401)
        body = request.get_json()
        states = {"INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"}
        if body.get("state") not in states or not body.get("url") or len(body.get("key", "")) > 40:
            return json_response({"type": "error", "error": {"message": "Bad request"}}, 400)
        self._put("bitbucket-status", f"{owner}/{repo} {sha} {body['key']}", body)
        return json_response({"key": body["key"], "state": body["state"], "type": "build"}, 201)

    # Slack: api.slack.com/methods/{chat.postMessage,chat.update,conversations.history}

    def _slack_post(self, request: Request) -> Response:
        if not self._bearer(request):
            return json_response({"ok": False, "error": "invalid_auth"})
        body = request.get_json()
        ts = f"1763980000.{len(self.caught) + 1:06d}"
        self._put(f"slack {body['channel']}", ts, body)
        return json_response({"ok": True, "channel": body["channel"], "ts": ts, "message": {"text": body["text"]}})

    def _slack_update(self, request: Request) -> Response:
        if not self._bearer(request):
            return json_response({"ok": False, "error": "invalid_auth"})
        body = request.get_json()
        standing = self._find(f"slack {body['channel']}", body["ts"])
        if standing is None:
            return json_response({"ok": False, "error": "message_not_found"})
        standing.bodies.append(body)
        return json_response({"ok": True, "channel": body["channel"], "ts": body["ts"], "text": body["text"]})

    def _slack_history(self, request: Request) -> Response:
        """Newest first, in pages; without `include_all_metadata` no metadata."""
        if not self._bearer(request):
            return json_response({"ok": False, "error": "invalid_auth"})
        listed = self.messages(f"slack {request.args['channel']}")[::-1]
        start, size = int(request.args.get("cursor", 0)), int(request.args.get("limit", 100))
        whole = request.args.get("include_all_metadata") == "true"
        messages = [
            {"type": "message", "ts": each.key, "text": each.bodies[-1]["text"]}
            | ({"metadata": each.bodies[-1]["metadata"]} if whole else {})
            for each in listed[start : start + size]
        ]
        more = len(listed) > start + size
        cursor = {"response_metadata": {"next_cursor": str(start + size)}} if more else {}
        return json_response({"ok": True, "messages": messages, "has_more": more, **cursor})

    # Google Chat: developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/patch

    def _chat_message(self, request: Request, space: str, name: str) -> Response:
        if not self._bearer(request):
            return json_response(
                {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "no credentials"}}, 401
            )
        known = self._find(f"chat {space}", name)
        if known is None and (request.args.get("allowMissing") != "true" or not name.startswith("client-")):
            return json_response({"error": {"code": 404, "status": "NOT_FOUND", "message": "Message not found"}}, 404)
        if not request.args.get("updateMask"):
            return json_response({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "update_mask"}}, 400)
        self._put(f"chat {space}", name, request.get_json())
        return json_response({"name": f"spaces/{space}/messages/{name}", "clientAssignedMessageId": name})

    # A workflow of Teams, and receivers of your own

    def _teams(self, request: Request, name: str) -> Response:
        """202 and nothing more, before the card is shown."""
        body = request.get_json()
        kinds = [each.get("contentType") for each in body.get("attachments", ())]
        if kinds != ["application/vnd.microsoft.card.adaptive"]:
            return json_response({"error": {"code": "BadRequest", "message": "no adaptive card"}}, 400)
        self._put(f"teams {name}", str(len(self.messages(f"teams {name}")) + 1), body)
        return Response(status=202)

    def _hook(self, request: Request, name: str) -> Response:
        body = request.get_json()
        known = self._put(f"hook {name}", body["id"], body, request)
        known.headers = dict(request.headers)
        return Response(status=204)
