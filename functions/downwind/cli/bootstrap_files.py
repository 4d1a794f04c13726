"""The files that a configuration names: read and checked before anything is planned."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from downwind.bootstrap.files import Files, HelmValues, SavedPipeline
from downwind.bootstrap.sample import sample_catalog, sample_pipelines
from downwind.cli.pipeline_file import Catalog, beside, read
from downwind.errors import Refused
from downwind.render.yaml_reader import read_documents


def read_files(config: Mapping[str, Any], folder: Path) -> Files:
    """`folder`: the configuration's. Refused with the file and the fix; every problem of a pipeline file is told."""
    bundles = f"{config['project']}-{config['name']}-bundles"
    saved = [_pipeline(name, folder / name, bundles) for name in config["spinnaker"]["pipelines"]]
    text = ""
    if config["sample"]:
        import yaml

        document = sample_catalog(config)
        saved += sample_pipelines(document, bundles)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    doubles = {each.key for each in saved if [one.key for one in saved].count(each.key) > 1}
    if doubles:
        raise Refused(f"two files are of pipeline {min(doubles)}", fix="leave one of them out")
    return Files(values=tuple(_values(config, folder)), pipelines=tuple(saved), catalog=text)


def _values(config: Mapping[str, Any], folder: Path) -> Iterator[HelmValues]:
    """Only the images may be missing: nothing but an apply needs them."""
    if not config["spinnaker"]["install"]:
        return
    images = config["spinnaker"]["images"]
    for name in (images, *config["spinnaker"]["values"]):
        path = (folder / name).absolute()
        if name == images and not path.exists():
            yield HelmValues(name=name, path=path, values=None, missing=f"scripts/spinnaker-images --output {name}")
            continue
        try:
            documents = read_documents(name, path.read_bytes())
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}", fix="name a file of Helm values") from error
        if len(documents) != 1 or not isinstance(documents[0], dict):
            raise Refused(f"{path} is no mapping", fix="write Helm values, as infra/gke/spinnaker-values.yaml has them")
        yield HelmValues(name=name, path=path, values=documents[0])


def _pipeline(name: str, path: Path, bundles: str) -> SavedPipeline:
    found = read(path, Catalog(applications=beside(path), bundles=bundles))
    for problem in found.problems:
        click.echo(str(problem), err=True)
    if found.problems or found.document is None:
        raise Refused(f"{name} is not right", fix=f"downwind pipelines check {path}")
    if found.template or "{{" in str(found.document.get("name")):
        raise Refused(f"{name} is for any environment", fix="put the catalog file downwind.yaml beside it, or above it")
    place = f"{found.place[0].name}/{found.place[1].name}" if found.place else None
    return SavedPipeline(file=name, document=found.document, environment=place)
