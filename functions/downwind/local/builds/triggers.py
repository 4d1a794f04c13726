"""Cloud Build triggers: what one may say here, and which push runs it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from downwind.local.builds.api_error import ApiError

_KNOWN = {
    "id", "name", "resourceName", "description", "tags", "disabled", "filename", "build", "substitutions", "createTime",
    "triggerTemplate", "github", "serviceAccount", "includeBuildLogs",
}  # fmt: skip
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSource:
    """One repository and the refs whose pushes run the trigger; RE2's syntax is taken as Python's, searched unanchored."""

    repository: str
    full_name: str
    branch: str | None
    tag: str | None
    inverted: bool

    def matches(self, repository: str, ref: str) -> bool:
        if repository != self.repository:
            return False
        for kind, pattern in (("refs/heads/", self.branch), ("refs/tags/", self.tag)):
            if pattern and ref.startswith(kind):
                return bool(re.search(pattern, ref.removeprefix(kind))) != self.inverted
        return False


def check_trigger(body: Any) -> dict[str, Any]:
    """The trigger as sent; ApiError 400 for what is wrong, 501 for what the local world has not."""
    if not isinstance(body, dict) or not _NAME.fullmatch(str(body.get("name", ""))):
        raise ApiError(400, "a trigger needs a name: letters, digits and '-'")
    if unknown := sorted(set(body) - _KNOWN):
        raise ApiError(501, f"trigger {body['name']}: {', '.join(unknown)}: not part of the local world")
    if bool(body.get("filename")) == bool(body.get("build")):
        raise ApiError(400, f"trigger {body['name']} needs either filename or build")
    source = source_of(body)
    for pattern in (source.branch, source.tag):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ApiError(400, f"trigger {body['name']}: {pattern} is no regular expression: {error}") from error
    return body


def source_of(trigger: Mapping[str, Any]) -> TriggerSource:
    """From `triggerTemplate` (Cloud Source Repositories), or `github` with `push`; both mean our git server's repository."""
    template, github = trigger.get("triggerTemplate"), trigger.get("github")
    if isinstance(template, dict) and template.get("repoName"):
        _only(template, {"projectId", "repoName", "branchName", "tagName", "invertRegex"})
        name = full = str(template["repoName"])
        branch, tag, inverted = template.get("branchName"), template.get("tagName"), template.get("invertRegex")
    elif isinstance(github, dict) and github.get("name"):
        _only(github, {"owner", "name", "push"})
        push = github.get("push") or {}
        _only(push, {"branch", "tag", "invertRegex"})
        name = str(github["name"])
        full = f"{github['owner']}/{name}" if github.get("owner") else name
        branch, tag, inverted = push.get("branch"), push.get("tag"), push.get("invertRegex")
    else:
        raise ApiError(400, "a trigger needs triggerTemplate.repoName or github.name")
    return TriggerSource(repository=name, full_name=full, branch=branch, tag=tag, inverted=bool(inverted))


def _only(found: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(found) - known):
        raise ApiError(501, f"{', '.join(unknown)}: not part of the local world's triggers")
