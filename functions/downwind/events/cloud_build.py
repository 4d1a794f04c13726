"""Cloud Build notifications on topic `cloud-builds`: the Build as REST JSON, attributes `buildId` and `status`.

Source of the shape: "Subscribe to build notifications" and the Build message of API v1. A build sends three or more,
in any order. The same reader takes the answer of `projects.locations.builds.get`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from downwind.errors import Refused
from downwind.events import fields, reference
from downwind.events.limits import PUBSUB_LIMIT, load_json
from downwind.model.event import Build, Event, Ignored, Message

WHOLE_LIMIT = 1024 * 1024  # bytes; a larger notification is read by id instead
_NAME = re.compile(r"projects/([^/\"]+)/locations/([a-z0-9-]+)/builds/([A-Za-z0-9-]+)")
_REGION = re.compile(r";region=([a-z0-9-]+)/")
_BUILD_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_SUBSTITUTIONS = ("COMMIT_SHA", "REVISION_ID", "BRANCH_NAME", "TAG_NAME", "REPO_FULL_NAME", "_PR_NUMBER")
_SOURCES = ("connectedRepository", "developerConnectConfig", "gitSource", "repoSource")


def parse(message: Message) -> tuple[Event, ...] | Ignored:
    """One `Build`. What is over 1 MiB or can't be read but has its attributes gives `whole=False`: read it by id."""
    build, status = (
        _build_id(message.attributes.get("buildId")),
        fields.word(message.attributes.get("status"), "status"),
    )
    if build is None or status is None:
        return (read_build(load_json(message.data, limit=PUBSUB_LIMIT)),)
    try:
        found = read_build(load_json(message.data, limit=WHOLE_LIMIT))
    except Refused:
        return (_by_attributes(build, status, message),)
    if found.build != build:
        raise Refused("attribute buildId differs from the build in the data", field="buildId")
    return (found,)


def _by_attributes(build: str, status: str, message: Message) -> Build:
    """Where to read the build: its resource name, searched in the bytes, else the project of the subscription."""
    names = re.finditer(_NAME.pattern.encode(), message.data)
    for match in names:
        project, location, found = (part.decode("utf-8", "replace") for part in match.groups())
        if found == build:
            return Build(build=build, status=status, project=project, location=location, whole=False)
    owner = re.fullmatch(r"projects/([^/]+)/subscriptions/[^/]+", message.subscription or "")
    return Build(build=build, status=status, project=owner[1] if owner else None, location="global", whole=False)


def read_build(document: Any) -> Build:
    """A Build resource (REST JSON, camelCase). Statuses that we do not know are kept as text; "" counts as absent."""
    body = fields.obj(document, "the build")
    name = fields.text(body.get("name"), "name")
    named = _NAME.fullmatch(name) if name else None
    build = _build_id(body.get("id")) or (named[3] if named else None)
    if build is None:
        raise Refused("id is missing: this is no build", field="id")
    log_url = fields.text(body.get("logUrl"), "logUrl", limit=4096)
    region = _REGION.search(log_url) if log_url else None
    substitutions = _substitutions(body.get("substitutions"))
    sources = list(_sources(body))
    return Build(
        build=build,
        status=fields.word(body.get("status"), "status") or "STATUS_UNKNOWN",
        project=fields.text(body.get("projectId"), "projectId") or (named[1] if named else None),
        location=named[2] if named else region[1] if region else "global",
        trigger=fields.word(body.get("buildTriggerId"), "buildTriggerId"),
        commit=_commit(substitutions, sources),
        ref=_ref(substitutions, sources),
        repository=substitutions.get("REPO_FULL_NAME") or next(filter(None, map(_repository, sources)), None),
        images=tuple(
            reference.with_digest(image.get("name"), image.get("digest"), "results.images")
            for image in _images(body.get("results"))
        ),
        log_url=log_url if log_url and log_url.startswith("https://") else None,
    )


def _build_id(value: Any) -> str | None:
    found = fields.text(value, "id")
    if found is not None and not _BUILD_ID.fullmatch(found):
        raise Refused("the id is not that of a build", field="id")
    return found


def _images(results: Any) -> Iterator[Mapping[str, Any]]:
    for image in fields.items(fields.obj(results, "results").get("images"), "results.images"):
        yield fields.obj(image, "results.images")


def _substitutions(value: Any) -> dict[str, str]:
    """Those that triggers set and we read; users' own may hold anything."""
    found = fields.obj(value, "substitutions")
    return {key: text for key in _SUBSTITUTIONS if (text := fields.text(found.get(key), f"substitutions.{key}"))}


def _sources(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the build was made from: first as Cloud Build resolved it, then as it was asked for."""
    provenance = fields.obj(body.get("sourceProvenance"), "sourceProvenance")
    for key in sorted(provenance):
        if key.startswith("resolved"):
            yield fields.obj(provenance[key], f"sourceProvenance.{fields.shown(key)}")
    source = fields.obj(body.get("source"), "source")
    for key in _SOURCES:
        yield fields.obj(source.get(key), f"source.{key}")


def _commit(substitutions: Mapping[str, str], sources: list[Mapping[str, Any]]) -> str | None:
    candidates: list[Any] = [substitutions.get("COMMIT_SHA"), substitutions.get("REVISION_ID")]
    for source in sources:
        candidates += [source.get("commitSha"), source.get("revision")]
    return next((text for text in candidates if isinstance(text, str) and fields.COMMIT.fullmatch(text)), None)


def _ref(substitutions: Mapping[str, str], sources: list[Mapping[str, Any]]) -> str | None:
    """The full name of the branch or tag; a pull request's build (`_PR_NUMBER`) is of no branch yet, so it has none."""
    if "_PR_NUMBER" in substitutions:
        return None
    branch = [substitutions.get("BRANCH_NAME"), *(source.get("branchName") for source in sources)]
    tag = [substitutions.get("TAG_NAME"), *(source.get("tagName") for source in sources)]
    for prefix, names in (("refs/heads/", branch), ("refs/tags/", tag)):
        for name in names:
            if isinstance(name, str) and name and fields.is_ref(prefix + name):
                return prefix + name
    return None


def _repository(source: Mapping[str, Any]) -> str | None:
    project, repo = source.get("projectId"), source.get("repoName")
    if project and repo:
        return fields.text(f"projects/{project}/repos/{repo}", "repoSource.repoName")
    found = source.get("url") or source.get("repository") or source.get("gitRepositoryLink")
    return fields.text(found, "source", limit=2048)
