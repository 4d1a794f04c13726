"""The in-cluster steps as lines that people type: kubectl, Helm and our own command, with what they read piped into them."""

import json
import shlex
from collections.abc import Iterator

from downwind.bootstrap.kinds.objects import COPY_OF, FIELD_MANAGER
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import COPIED_AT_APPLY, Request


def credentials(plan: Plan) -> Iterator[str]:
    """Before the first of them: how kubectl and Helm reach GKE. A context of the kubeconfig is there already."""
    cluster = plan.values.config["cluster"]
    if cluster["context"] is None:
        place = (f"--location={plan.values.location}", f"--project={plan.values.project}", "--dns-endpoint")
        yield shlex.join(("gcloud", "container", "clusters", "get-credentials", cluster["name"], *place))
        yield ""


def by_hand(plan: Plan, resource: Resource, request: Request) -> Iterator[str]:
    kubectl = ("kubectl", f"--context={plan.values.context}")
    match resource.kind:
        case "copy":
            yield from _copied(plan, resource, kubectl)
        case "namespace" | "object" | "release":
            yield from _applied(request, kubectl)
        case "application":
            line = ("downwind", "spinnaker", "application", "save", resource.name, f"--email={resource.body['email']}")
            yield shlex.join(line)
        case "pipeline":
            served = resource.body["environment"]
            which = (f"--environment={served}",) if served else ()
            yield shlex.join(("downwind", "pipelines", "save", resource.body["file"], *which, "--yes"))
        case _:
            yield "downwind app apply /dev/stdin <<'END'"
            yield str(request.body).rstrip("\n")
            yield "END"


def _applied(request: Request, kubectl: tuple[str, ...]) -> Iterator[str]:
    import yaml

    verb = ("replace",) if request.method == "PUT" else ("apply", "--server-side")
    line = (*kubectl, *verb, f"--field-manager={FIELD_MANAGER}", "--filename=-")
    yield f"{shlex.join(line)} <<'END'"
    yield yaml.safe_dump(json.loads(json.dumps(request.body)), sort_keys=False, allow_unicode=True, width=130).rstrip(
        "\n"
    )
    yield "END"


def _copied(plan: Plan, resource: Resource, kubectl: tuple[str, ...]) -> Iterator[str]:
    """The text goes from one program to the other, and stands in no line."""
    secret, key = resource.body["copyOf"], resource.body["key"]
    namespace = resource.body["metadata"]["namespace"]
    read = (
        "gcloud",
        "secrets",
        "versions",
        "access",
        "latest",
        f"--secret={secret}",
        f"--project={plan.values.project}",
    )
    where = f"--namespace={namespace}"
    create = (*kubectl, "create", "secret", "generic", resource.name, where, f"--from-file={key}=/dev/stdin")
    part = " | cut -d: -f2- | tr -d '\\n'" if resource.body.get("password") else ""
    yield f"{shlex.join(read)}{part} | {shlex.join(create)}"
    marks = plan.kinds["copy"].wanted(resource)["metadata"]
    labels = [f"{name}={value}" for name, value in marks["labels"].items()]
    yield shlex.join((*kubectl, "label", "secret", resource.name, where, *labels))
    version = marks["annotations"][COPY_OF].replace(COPIED_AT_APPLY, "1")
    yield shlex.join((*kubectl, "annotate", "secret", resource.name, where, f"{COPY_OF}={version}"))
