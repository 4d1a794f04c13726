"""A catalog file on disk: its application, or every problem with line, column, field and fix. Offline."""

from dataclasses import dataclass
from pathlib import Path

from downwind.cli.file_problem import FileProblem, placed, unreadable
from downwind.errors import Refused
from downwind.model.catalog import Application
from downwind.model.fields import Invalid
from downwind.model.read_catalog import read_application
from downwind.render.yaml_reader import read_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """`application` is None exactly when there are problems."""

    file: str
    text: bytes
    application: Application | None
    problems: tuple[FileProblem, ...] = ()


def read_file(path: Path) -> CatalogFile:
    """Refused when the file cannot be read at all."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", fix="name a catalog file") from error
    return read_text(str(path), text)


def read_text(file: str, text: bytes) -> CatalogFile:
    try:
        documents = read_documents(file, text)
    except Refused as error:
        return CatalogFile(file=file, text=text, application=None, problems=(unreadable(file, text, error),))
    if len(documents) != 1:
        problem = FileProblem(
            file=file,
            line=1,
            column=1,
            field=None,
            message=f"holds {len(documents)} documents",
            fix="write one application a file",
        )
        return CatalogFile(file=file, text=text, application=None, problems=(problem,))
    try:
        return CatalogFile(file=file, text=text, application=read_application(documents[0]))
    except Invalid as error:
        return CatalogFile(file=file, text=text, application=None, problems=placed(file, text, error.problems))
