"""The sample application (examples/shop) as this installation rolls it out: its own repository, trigger, images and accounts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from downwind.bootstrap.files import SavedPipeline
from downwind.errors import Refused
from downwind.model.pipeline_file import fill
from downwind.model.read_catalog import read_application
from downwind.shipped import shipped
from downwind.soundness.check import check
from downwind.soundness.read_pipeline import read_pipeline
from downwind.soundness.served import served_by

ACCOUNT, ARTIFACT_ACCOUNT = "kubernetes", "gcs"
"""What our chart calls the account of its cluster, and the one that reads bundles."""


def sample_folder() -> Path:
    """Of a checkout, or of an installed wheel, which has it beside the local world."""
    found = shipped("examples/shop")
    return found if found.is_dir() else Path(__file__).parent.parent / "local" / "shop"


def sample_catalog(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sample's catalog file with the configuration's names in it."""
    import yaml

    document: dict[str, Any] = yaml.safe_load((sample_folder() / "downwind.yaml").read_text(encoding="utf-8"))
    project, region = config["project"], config["region"]
    repository = next(each for each in config["builds"]["repositories"] if each["name"] == config["sample"])
    operators = config["operate"]["operators"]
    accounts = {"account": ACCOUNT, "artifact_account": ARTIFACT_ACCOUNT}
    environments = [
        {
            **{key: value for key, value in each.items() if key != "operators"},
            "pipeline": {**each["pipeline"], **accounts},
            **({"operators": operators} if operators else {}),
        }
        for each in document["environments"]
    ]
    return {
        **document,
        "repository": {"address": repository["address"]},
        "build": {"trigger": f"projects/{project}/locations/{region}/triggers/{config['name']}-{repository['name']}"},
        "images": [
            {**each, "name": f"{region}-docker.pkg.dev/{project}/{config['registry']['images']}/shop"}
            for each in document["images"]
        ],
        "environments": environments,
    }


def sample_pipelines(catalog: Mapping[str, Any], bundles: str) -> tuple[SavedPipeline, ...]:
    """One for each environment, filled in and checked. `bundles`: the bucket. Refused: the sample itself is wrong."""
    application = read_application(catalog)
    found = []
    for environment in application.environments:
        file = sample_folder() / "pipelines" / f"{environment.pipeline}.yaml"
        name = f"examples/shop/pipelines/{file.name}"
        document = fill(
            read_pipeline(name, file.read_bytes()),
            application=application.name,
            environment=environment.name,
            bundles_bucket=bundles,
            namespace=environment.namespace,
            account=ACCOUNT,
            artifact_account=ARTIFACT_ACCOUNT,
            pipeline_application=environment.pipeline_application,
            pipeline=environment.pipeline,
            file=name,
        )
        problems = check(document, served_by(application, environment, bundles))
        if problems:
            raise Refused(f"{name}: {problems[0]}", fix=f"downwind pipelines check {name}")
        found.append(SavedPipeline(file=name, document=document, environment=f"{application.name}/{environment.name}"))
    return tuple(found)
