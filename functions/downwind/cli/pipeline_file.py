"""A pipeline file on disk: filled in from the catalog file beside it, or every problem with its line and fix. Offline."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from downwind.cli.catalog_file import read_file
from downwind.cli.file_problem import FileProblem, placed, unreadable
from downwind.errors import Refused
from downwind.model.catalog import Application, Environment
from downwind.model.fields import Problem
from downwind.model.pipeline_file import PLACEHOLDERS, fill, placeholders
from downwind.soundness.check import check
from downwind.soundness.document import items, mapping
from downwind.soundness.read_pipeline import read_pipeline
from downwind.soundness.served import Served, served_by

CATALOG_FILE = "downwind.yaml"
_ASKS_FOR_US = re.compile(r"trigger(\.|\[['\"])downwind")
Place = tuple[Application, Environment]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """`document` is None where the file could not be read; filled in as far as `catalogs` and `bundles` say. `place`: the
    environment that it serves; `template`: it is for any environment."""

    file: str
    document: dict[str, Any] | None
    place: Place | None = None
    template: bool = False
    problems: tuple[FileProblem, ...] = ()

    @property
    def about(self) -> str:
        if self.place is not None:
            application, environment = self.place
            return f"serves {application.name}/{environment.name}"
        return "for any environment" if self.template else "of no environment: only Spinnaker's rules were looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What a file is filled in from. `environment`: the only one that counts (`shop/production`); `bundles`: the bucket."""

    applications: Sequence[Application] = ()
    environment: str | None = None
    bundles: str | None = None
    allowed: Collection[str] = field(default_factory=tuple)

    def places(self) -> Iterator[Place]:
        for application in self.applications:
            for environment in application.environments:
                yield application, environment


def beside(file: Path) -> list[Application]:
    """The application of the catalog file in the file's folder, in the one above, or in this one; none is no error. Refused:
    it has problems of its own."""
    for folder in (file.absolute().parent, file.absolute().parent.parent, Path.cwd()):
        if (folder / CATALOG_FILE).is_file():
            return [application_of(folder / CATALOG_FILE)]
    return []


def application_of(file: Path) -> Application:
    found = read_file(file)
    if found.application is None:
        raise Refused(f"{found.problems[0]}", fix=f"downwind app check {file}")
    return found.application


def read(file: Path, catalog: Catalog) -> PipelineFile:
    """Refused when the file cannot be read at all, or the environment asked for is not there."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}", fix="name a pipeline file") from error
    try:
        document = read_pipeline(str(file), text)
    except Refused as error:
        return PipelineFile(file=str(file), document=None, problems=(unreadable(str(file), text, error),))
    place = _place(document, file, catalog)
    unknown = [each for each in placeholders(document) if each[1] not in PLACEHOLDERS]
    template = place is None and bool(placeholders(document))
    if unknown and (place is not None or template):
        return PipelineFile(
            file=str(file), document=None, place=place, problems=placed(str(file), text, _unknown(unknown))
        )
    bundles = catalog.bundles or _bundles_in(document)
    served = None
    if place is not None:
        document = filled(document, place, bundles, str(file))
        served = served_by(*place, bundles)
    elif template:
        served = _any(document)
    problems = [*check(document, served, catalog.allowed), *_nobodys(document, served, catalog)]
    return PipelineFile(
        file=str(file),
        document=document,
        place=place,
        template=template,
        problems=placed(str(file), text, problems),
    )


def filled(document: Mapping[str, Any], place: Place, bundles: str, file: str) -> dict[str, Any]:
    """As it is saved. What nobody says stays as it stands: `{{account}}` where the catalog names none."""
    application, environment = place
    return fill(
        document,
        application=application.name,
        environment=environment.name,
        bundles_bucket=bundles,
        namespace=environment.namespace,
        account=environment.account or "{{account}}",
        artifact_account=environment.artifact_account,
        pipeline_application=environment.pipeline_application,
        pipeline=environment.pipeline,
        file=file,
    )


def _place(document: Mapping[str, Any], file: Path, catalog: Catalog) -> Place | None:
    """By the environment asked for, else by the pipeline's names; where those are placeholders, by the file's name."""
    places = list(catalog.places())
    if catalog.environment is not None:
        for application, environment in places:
            if catalog.environment == f"{application.name}/{environment.name}":
                return application, environment
        known = ", ".join(f"{application.name}/{environment.name}" for application, environment in places) or "none"
        raise Refused(f"the catalog has no environment {catalog.environment!r}", fix=f"environments are: {known}")
    name, owner = str(document.get("name", "")), str(document.get("application", ""))
    for application, environment in places:
        named = file.stem if "{{" in name else name
        if named == environment.pipeline and ("{{" in owner or owner == environment.pipeline_application):
            return application, environment
    return None


def _bundles_in(document: Mapping[str, Any]) -> str:
    """The bucket that the file itself names, where it names one."""
    for each in items(document.get("expectedArtifacts")):
        name = str(mapping(mapping(each).get("matchArtifact")).get("name", ""))
        match = re.match(r"gs://([^/{}]+)/", name)
        if match:
            return match[1]
    return "{{bundles}}"


def _any(document: Mapping[str, Any]) -> Served:
    """A template's own placeholders are what has to stand there; its parts are those that it expects."""
    base = "gs://{{bundles}}/{{application}}/{{environment}}"
    named = [
        str(mapping(mapping(each).get("matchArtifact")).get("name", ""))
        for each in items(document.get("expectedArtifacts"))
    ]
    parts = tuple(name.removeprefix(f"{base}/") for name in named if name.startswith(f"{base}/"))
    return Served(
        application="{{application}}",
        environment="{{environment}}",
        namespace="{{namespace}}",
        bundles="{{bundles}}",
        parts=parts or ("manifests",),
    )


def _unknown(found: Sequence[tuple[tuple[str | int, ...], str]]) -> list[Problem]:
    fix = "use one of " + ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
    return [Problem(path=path, message=f"unknown placeholder {{{{{name}}}}}", fix=fix) for path, name in found]


def _nobodys(document: Mapping[str, Any], served: Served | None, catalog: Catalog) -> list[Problem]:
    """A pipeline that asks for Downwind, and that no environment names, is one whose name is wrong."""
    if served is not None or not catalog.applications or not _ASKS_FOR_US.search(str(document.get("stages"))):
        return []
    names = [f"{each.pipeline_application}/{each.pipeline}" for _, each in catalog.places()]
    text = f"no environment of the catalog has the pipeline {document.get('application')}/{document.get('name')}"
    return [Problem(path=("name",), message=text, fix=f"pipelines of the catalog are: {', '.join(names)}")]
