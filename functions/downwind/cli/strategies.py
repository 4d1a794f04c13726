"""The shipped pipelines, copied for one application: what `downwind app init --strategy` writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from downwind.shipped import shipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """`parts`: of the bundle, part name to folder; none where the environment has one folder."""

    about: str
    parts: Mapping[str, str]


STRATEGIES: Mapping[str, Strategy] = {
    "rolling": Strategy(about="a rolling update", parts={}),
    "judgment": Strategy(about="a person says yes first", parts={}),
    "blue-green": Strategy(about="a second ReplicaSet, then the traffic", parts={}),
    "canary": Strategy(
        about="a canary, a person looks, then everything",
        parts={"canary": "deploy/production-canary", "full": "deploy/production"},
    ),
    "job-first": Strategy(
        about="a job such as a migration first", parts={"job": "deploy/production-job", "full": "deploy/production"}
    ),
}
STAGING = "rolling"


def pipeline_text(strategy: str, *, application: str, environment: str, namespace: str) -> str:
    """The shipped file with the names filled in and its comments kept. What differs from one installation to the next
    (accounts, the bucket) stays a placeholder. Names are lower case letters, digits and `-`: they need no quotes of their own."""
    lines = shipped(f"pipelines/{strategy}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("# yaml-language-server"))
    values = {
        "application": application,
        "environment": environment,
        "namespace": namespace,
        "pipeline_application": application,
        "pipeline": f"deploy-{environment}",
    }
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text
