"""From a trigger, a push or a request to a new build in the store."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from downwind.local.builds import source
from downwind.local.builds.api_error import ApiError
from downwind.local.builds.config import check_config, read_config
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.logbook import now
from downwind.local.builds.substitutions import check_names, resolve, substitute
from downwind.local.builds.triggers import TriggerSource, source_of

_REF_KINDS = {"refs/heads/": ("BRANCH_NAME", "branchName"), "refs/tags/": ("TAG_NAME", "tagName")}


class Launcher:
    """Makes Build bodies; saving and running them is the server's."""

    def __init__(
        self,
        data: Path,
        *,
        project: str,
        number: str,
        address: Callable[[str], str],
        log_url: Callable[[str], str],
    ) -> None:
        self._data = data
        self._project = project
        self._number = number
        self._address = address
        self._log_url = log_url

    def from_trigger(
        self, location: str, trigger: Mapping[str, Any], commit: str, ref: str | None, extra: Mapping[str, str]
    ) -> dict[str, Any]:
        """A QUEUED build of that trigger at that commit. Raises BuildFailure when commit or config can't be read."""
        where = source_of(trigger)
        config = trigger.get("build") or self._config(where, commit, trigger["filename"])
        check_config(config, trigger.get("filename") or "build")
        build = str(uuid.uuid4())
        values = _trigger_values(trigger, where, commit, ref)
        own = {**(config.get("substitutions") or {}), **(trigger.get("substitutions") or {}), **extra}
        check_names(own)
        fixed = {"PROJECT_ID": self._project, "PROJECT_NUMBER": self._number, "BUILD_ID": build, "LOCATION": location}
        resolved = resolve({**fixed, **values, **own})
        body = self._body(location, build, substitute(config, resolved, loose=True))
        body["options"] = {"substitutionOption": "ALLOW_LOOSE", "dynamicSubstitutions": True, **body.get("options", {})}
        body["tags"] = [*body.get("tags", []), f"trigger-{trigger['id']}"]
        return (
            body
            | self._triggered(trigger, where, commit, ref)
            | {"substitutions": {**values, **{key: resolved[key] for key in own}}}
        )

    def failed(
        self, location: str, trigger: Mapping[str, Any], commit: str, ref: str | None, why: str
    ) -> dict[str, Any]:
        """The build of a push whose config can't be read: it fails before it starts, where everybody can see it."""
        where = source_of(trigger)
        body = self._body(location, str(uuid.uuid4()), {"steps": []})
        return (
            body
            | self._triggered(trigger, where, commit, ref)
            | {
                "status": "FAILURE",
                "statusDetail": why,
                "failureInfo": {"type": "FETCH_SOURCE_FAILED", "detail": why},
                "finishTime": now(),
                "substitutions": _trigger_values(trigger, where, commit, ref),
                "tags": [f"trigger-{trigger['id']}"],
            }
        )

    def from_request(self, location: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """builds.create: steps as sent, source from our git server (repoSource) or none."""
        config = {key: value for key, value in request.items() if key not in {"source", "projectId", "status"}}
        check_config(config, "build")
        build = str(uuid.uuid4())
        own = config.get("substitutions") or {}
        check_names(own)
        fixed = {"PROJECT_ID": self._project, "PROJECT_NUMBER": self._number, "BUILD_ID": build, "LOCATION": location}
        loose = (config.get("options") or {}).get("substitutionOption") == "ALLOW_LOOSE"
        body = self._body(location, build, substitute(config, {**fixed, **own}, loose=loose))
        wanted = request.get("source") or {}
        if wanted:
            repo = wanted.get("repoSource")
            if set(wanted) != {"repoSource"} or not isinstance(repo, dict) or not repo.get("repoName"):
                raise ApiError(501, "source: only repoSource with repoName is part of the local world")
            commit, _ref = self.commit(str(repo["repoName"]), repo)
            body["source"] = {"repoSource": {**repo, "projectId": self._project}}
            body["sourceProvenance"] = self._provenance(str(repo["repoName"]), commit)
        return body

    def commit(self, repository: str, wanted: Mapping[str, Any]) -> tuple[str, str | None]:
        """(commit, full ref or None) of a RepoSource: commitSha, branchName or tagName."""
        if wanted.get("commitSha"):
            return str(wanted["commitSha"]), None
        for kind, (_, key) in _REF_KINDS.items():
            if wanted.get(key):
                ref = f"{kind}{wanted[key]}"
                return source.commit_of(self._address(repository), ref), ref
        raise ApiError(400, "the source names neither commitSha, branchName nor tagName")

    def _config(self, where: TriggerSource, commit: str, filename: str) -> dict[str, Any]:
        """The config file at exactly that commit."""
        self._data.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._data, prefix="config-"))
        try:
            tree = folder / "tree"
            source.checkout(self._address(where.repository), commit, tree)
            path = (tree / filename).resolve()
            if not path.is_relative_to(tree.resolve()) or not path.is_file():
                raise BuildFailure(f"no {filename} in {where.repository} at {commit}")
            return read_config(path.read_text(), filename)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _body(self, location: str, build: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": f"projects/{self._number}/locations/{location}/builds/{build}",
            "id": build,
            "projectId": self._project,
            "status": "QUEUED",
            "createTime": now(),
            "timeout": "600s",
            "queueTtl": "3600s",
            "logUrl": self._log_url(build),
            **config,
        }

    def _triggered(
        self, trigger: Mapping[str, Any], where: TriggerSource, commit: str, ref: str | None
    ) -> dict[str, Any]:
        repo = {"projectId": self._project, "repoName": where.repository}
        kind = next((kind for kind in _REF_KINDS if ref and ref.startswith(kind)), None)
        key, value = (_REF_KINDS[kind][1], str(ref).removeprefix(kind)) if kind else ("commitSha", commit)
        return {
            "source": {"repoSource": {**repo, key: value}},
            "sourceProvenance": self._provenance(where.repository, commit),
            "buildTriggerId": trigger["id"],
        }

    def _provenance(self, repository: str, commit: str) -> dict[str, Any]:
        return {"resolvedRepoSource": {"projectId": self._project, "repoName": repository, "commitSha": commit}}


def _trigger_values(trigger: Mapping[str, Any], where: TriggerSource, commit: str, ref: str | None) -> dict[str, str]:
    values = {
        "TRIGGER_NAME": trigger["name"],
        "COMMIT_SHA": commit,
        "REVISION_ID": commit,
        "SHORT_SHA": commit[:7],
        "REPO_NAME": where.repository.rpartition("/")[2],
        "REPO_FULL_NAME": where.full_name,
    }
    if trigger.get("filename"):
        values["TRIGGER_BUILD_CONFIG_PATH"] = trigger["filename"]
    for kind, (name, _) in _REF_KINDS.items():
        if ref is not None and ref.startswith(kind):
            short = ref.removeprefix(kind)
            values |= {name: short, "REF_NAME": short}
    return values
