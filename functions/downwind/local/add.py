"""Brings an application into the local world: repository, trigger, pipelines, catalog. What the bootstrap and people do in the
cloud, from the same files; only endpoints differ."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from downwind.errors import Refused
from downwind.local.calls import call
from downwind.local.world_file import LocalWorld, around_proxy
from downwind.model.catalog import Application, Environment
from downwind.model.fields import Problem
from downwind.model.pipeline_file import fill
from downwind.model.read_catalog import read_application
from downwind.perform.catalog import apply
from downwind.render.yaml_reader import read_documents
from downwind.settings import read_settings
from downwind.shipped import shipped
from downwind.soundness.check import check
from downwind.soundness.read_pipeline import read_pipeline
from downwind.soundness.served import served_by
from downwind.wiring import make_spinnaker, make_world

ARTIFACT_ACCOUNT = "gcs"
CATALOG_FILE = "downwind.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """`remote`: where to push to."""

    application: Application
    remote: str


def add(world: LocalWorld, directory: Path, say: Callable[[str], None]) -> Added:
    """Can be repeated. Refused with the file and the field when the directory is not an application's."""
    file = directory / CATALOG_FILE
    if not file.is_file():
        raise Refused(f"{directory} has no {CATALOG_FILE}", fix=f"write one: downwind app init > {CATALOG_FILE}")
    documents = read_documents(str(file), file.read_bytes())
    if len(documents) != 1:
        raise Refused(f"{file} must hold one document", fix="one application a file")
    given = read_application(documents[0])
    remote = f"{world.url('git')}/{given.name}.git"
    call("PUT", f"{world.url('git')}/-/repositories/{given.name}")
    say(f"repository {remote}")
    localized = _localized(world, documents[0], given, remote)
    application = read_application(localized)
    if application.build is not None:
        _trigger(world, application)
        say(f"trigger {application.build.trigger} runs cloudbuild.yaml on each push")
    for name in sorted({environment.pipeline_application for environment in application.environments}):
        spinnaker = make_spinnaker(read_settings(world.environment()))
        if spinnaker.application(name) is None:
            spinnaker.save_application({"name": name, "email": f"{name}@local.example", "cloudProviders": "kubernetes"})
            say(f"application {name} in Spinnaker")
    for environment in application.environments:
        source, problems = _save_pipeline(world, application, environment, directory)
        say(f"pipeline {environment.pipeline_application}/{environment.pipeline} from {source}")
        for each in problems:
            say(f"warning: {source}: {each}")
    text = yaml.safe_dump(localized, sort_keys=False, allow_unicode=True).encode()
    for line in apply(connect(world), application, text):
        say(line)
    return Added(application=application, remote=remote)


def connect(world: LocalWorld) -> Any:
    """The same ports as the functions have, from this process."""
    environment = world.environment()
    os.environ.update({name: value for name, value in environment.items() if name.endswith("_EMULATOR_HOST")})
    os.environ.update(around_proxy(os.environ))
    return make_world(read_settings(environment))


def _localized(world: LocalWorld, document: dict[str, Any], given: Application, remote: str) -> dict[str, Any]:
    """The catalog file with this world's endpoints: the repository's address, its trigger's project, Spinnaker's accounts."""
    also = [given.repository.address, *given.repository.also, f"projects/{world.project}/repos/{given.name}"]
    accounts = {"account": world.names.account, "artifact_account": ARTIFACT_ACCOUNT}
    changed = {
        **document,
        "repository": {"address": remote, "also": list(dict.fromkeys(also))},
        "environments": [{**each, "pipeline": {**each["pipeline"], **accounts}} for each in document["environments"]],
    }
    if given.build is not None:
        trigger = f"projects/{world.project}/locations/{given.build.location}/triggers/{given.build.trigger.rpartition('/')[2]}"
        changed["build"] = {**document["build"], "trigger": trigger}
    return changed


def _trigger(world: LocalWorld, application: Application) -> None:
    """As `gcloud builds triggers create cloud-source-repositories` makes it. With `start: true` Downwind runs it itself."""
    rule = application.build
    if rule is None:
        return
    base = f"{world.url('builds')}/v1/projects/{world.project}/locations/{rule.location}/triggers"
    name = rule.trigger.rpartition("/")[2]
    listed = call("GET", base) or {}
    if any(each["name"] == name for each in listed.get("triggers", ())):
        return
    pattern = "^$" if rule.start else ".*"
    template = {"projectId": world.project, "repoName": application.name, "branchName": pattern}
    call("POST", base, {"name": name, "filename": "cloudbuild.yaml", "triggerTemplate": template})


def _save_pipeline(
    world: LocalWorld, application: Application, environment: Environment, directory: Path
) -> tuple[str, list[Problem]]:
    """The application's own `pipelines/<name>.yaml`, else the one shipped: with a judgment where another environment feeds it.
    Saved even with problems, so that they can be tried here."""
    own = directory / "pipelines" / f"{environment.pipeline}.yaml"
    file = own if own.is_file() else shipped_pipelines() / ("judgment.yaml" if environment.after else "rolling.yaml")
    document = fill(
        read_pipeline(str(file), file.read_bytes()),
        application=application.name,
        environment=environment.name,
        bundles_bucket=world.buckets["bundles"],
        namespace=environment.namespace,
        account=world.names.account,
        artifact_account=ARTIFACT_ACCOUNT,
        pipeline_application=environment.pipeline_application,
        pipeline=environment.pipeline,
        file=str(file),
    )
    # The file may be another environment's, copied: what is saved has the name that the catalog gives.
    document |= {"application": environment.pipeline_application, "name": environment.pipeline}
    connect(world).pipelines.save(document)
    source = str(own.relative_to(directory)) if file is own else f"Downwind's pipelines/{file.name}"
    return source, check(document, served_by(application, environment, world.buckets["bundles"]))


def shipped_pipelines() -> Path:
    """`pipelines/` of a checkout, or its copy in an installed wheel."""
    return shipped("pipelines")
