"""The applications that are played, and messages as Google, a registry and Echo send them (facts: gcp-events)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from downwind.model.event import Message

REPOSITORY = "https://github.com/acme/shop.git"
IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"
TRIGGER = "projects/acme/locations/us-central1/triggers/shop"
MAIN = "refs/heads/main"
TOPICS = {
    "push": "repo-pushes",
    "build": "cloud-builds",
    "image": "gcr",
    "request": "rollout-requests",
    "execution": "executions",
}
_CATALOG = """
apiVersion: downwind.dev/v1
kind: Application
name: NAME
repository: {address: REPOSITORY, also: [projects/acme/repos/shop]}
BUILD
NOTIFY
images:
  - {name: IMAGE, tag: "{commit}"}
manifests: {path: "deploy/{environment}"}
environments:
  - name: staging
    refs: [REFS]
    namespace: NAME-staging
    pipeline: {application: NAME, name: deploy-staging}
    requests: topic
    on_failure: ON_FAILURE
    operators: [ann@acme.example]
    FREEZE
"""
_PRODUCTION = """
  - name: production
    after: staging
    namespace: NAME
    on_newer: ON_NEWER
    pipeline: {application: NAME, name: deploy-production}
    requests: topic
    on_failure: ON_FAILURE
    operators: [ann@acme.example]
    SOAK
"""
NOTIFY = """
notify:
  - {name: commits, to: commit-status, credentials: github}
  - {name: releases, to: slack, channel: C0123456789, credentials: slack}
  - {name: team, to: teams, credentials: teams}
  - {name: ops, to: mail, server: "smtp.acme.example:587", sender: downwind@acme.example, recipients: [sre@acme.example]}
"""
"""One of each sort: the newest of a place counts, it can be asked, it cannot be asked, the receiver drops a repeat."""
MALFORMED = b'{"verb": "deploy", "application": '
_MANIFEST = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": IMAGE}]}}},
    }
).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to set an application up."""

    name: str
    build: str = f"build: {{trigger: {TRIGGER}}}"
    refs: tuple[str, ...] = (MAIN,)
    patterns: str = MAIN
    on_newer: str = "cancel_waiting"
    on_failure: str = "nothing"
    frozen: tuple[int, int] | None = None
    """Staging's freeze window, from this minute of the history to that one."""
    soak: str = ""
    notify: str = ""
    judged: bool = False
    """A person has to answer in staging too."""
    environments: tuple[str, ...] = ("staging", "production")
    second: bool = False
    """Another application lives in the same repository, of the same builds and images."""

    @property
    def starts(self) -> bool:
        return "start: true" in self.build

    @property
    def acts_on_failure(self) -> bool:
        """There has to be something that succeeds, and something that fails."""
        return self.on_failure != "nothing"

    @property
    def freeze(self) -> str:
        """It begins at nine."""
        if self.frozen is None:
            return ""
        begin, end = self.frozen
        return f"freeze: [{{cron: '{begin} 9 * * *', lasts: {end - begin}m, timezone: UTC}}]"

    @property
    def tagged(self) -> bool:
        """Images come by their tag, without builds."""
        return not self.build

    def applications(self) -> tuple[str, ...]:
        return ("shop", "desk") if self.second else ("shop",)

    def catalog(self, application: str) -> str:
        pairs = {
            "NAME": application,
            "REPOSITORY": REPOSITORY,
            "BUILD": self.build,
            "IMAGE": IMAGE,
            "REFS": self.patterns,
            "ON_NEWER": self.on_newer,
            "ON_FAILURE": self.on_failure,
            "FREEZE": self.freeze,
            "NOTIFY": self.notify,
            "SOAK": self.soak,
        }
        text = _CATALOG + (_PRODUCTION if "production" in self.environments else "")
        for word, value in pairs.items():
            text = text.replace(word, value)
        return text


KINDS = (
    Kind(name="plain"),
    Kind(name="started by us", build=f"build: {{trigger: {TRIGGER}, start: true}}"),
    Kind(name="images by tag", build=""),
    Kind(name="queue", on_newer="queue"),
    Kind(
        name="patterns",
        patterns='"refs/tags/v*", "refs/heads/release/*"',
        refs=("refs/tags/v1", "refs/tags/v2", "refs/heads/release/a"),
    ),
    Kind(name="holds on failure", on_failure="hold", frozen=(2, 5)),
    Kind(name="rolls back on failure", on_failure="rollback"),
    Kind(name="rolls back in a freeze", on_failure="rollback", frozen=(2, 5), soak="for: 2m"),
    Kind(name="tells people", notify=NOTIFY),
    Kind(name="waits for people", judged=True),
    Kind(name="two in one repository", second=True),
)

SHORT_KINDS = tuple(replace(kind, environments=("staging",)) for kind in KINDS if not kind.second)
BRIEF_KINDS = tuple(kind for kind in SHORT_KINDS if not (kind.judged or kind.acts_on_failure or kind.notify))


def files() -> dict[str, bytes]:
    return {f"deploy/{environment}/shop.json": _MANIFEST for environment in ("staging", "production")}


def pipeline(application: str, environment: str, *, judged: bool) -> dict[str, Any]:
    """As pipelines/ has it, as far as anybody here looks: precondition, fence, judgment in production (or everywhere), deploy."""
    fence = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"downwind.{application}.{environment}",
            "namespace": namespace(application, environment),
            "labels": {"downwind.dev/fence": "true"},
        },
    }
    stages: list[dict[str, Any]] = [
        {"refId": "1", "type": "checkPreconditions"},
        {"refId": "2", "type": "deployManifest", "source": "text", "manifests": [fence]},
        *([{"refId": "3", "type": "manualJudgment"}] if judged or environment == "production" else []),
        {"refId": "4", "type": "deployManifest", "source": "artifact"},
    ]
    expected = {
        "id": "bundle",
        "matchArtifact": {"type": "gcs/object", "name": f"gs://acme-bundles/{application}/{environment}"},
    }
    return {
        "application": application,
        "name": f"deploy-{environment}",
        "limitConcurrent": True,
        "stages": stages,
        "expectedArtifacts": [expected],
    }


def namespace(application: str, environment: str) -> str:
    return application if environment == "production" else f"{application}-{environment}"


def message(kind: str, identifier: str, published: str, body: Any, attributes: Mapping[str, str]) -> Message:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(id=identifier, data=data, attributes=dict(attributes), topic=TOPICS[kind], published=published)


def push_body(ref: str, before: str | None, after: str | None) -> dict[str, Any]:
    """Cloud Source Repositories: create without oldId, delete without newId."""
    update = {"refName": ref, "updateType": "UPDATE_FAST_FORWARD"}
    if before is None:
        update["updateType"] = "CREATE"
    else:
        update["oldId"] = before
    if after is None:
        update["updateType"] = "DELETE"
    else:
        update["newId"] = after
    return {
        "name": "projects/acme/repos/shop",
        "url": "https://source.developers.google.com/p/acme/r/shop",
        "eventTime": "2026-11-24T09:00:00.000000Z",
        "refUpdateEvent": {"email": "dev@acme.example", "refUpdates": {ref: update}},
    }


def image_body(commit: str, digest: str) -> dict[str, Any]:
    return {"action": "INSERT", "digest": f"{IMAGE}@{digest}", "tag": f"{IMAGE}:{commit}"}
