"""What the commands of `downwind bootstrap` share: the configuration, the plan, and how steps are shown."""

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.config import read_config
from downwind.bootstrap.files import Files
from downwind.bootstrap.gcloud import Gcloud, Writer, make_session
from downwind.bootstrap.package import digest, read_package
from downwind.bootstrap.plan import UNREAD, Plan, Step, said
from downwind.bootstrap.programs import HelmProgram
from downwind.bootstrap.reach import join
from downwind.bootstrap.values import Values
from downwind.cli.bootstrap_files import read_files
from downwind.cli.file_problem import placed
from downwind.cli.output import printable
from downwind.errors import Refused
from downwind.model.fields import Invalid

CONFIG = "downwind.config.yaml"

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(CONFIG),
    show_default=True,
    help="What the installation decides; downwind bootstrap init writes one.",
)
package_option = click.option(
    "--package",
    "package_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The zip of the functions' source. [default: the newest of scripts/package]",
)

gate_option = click.option(
    "--gate",
    metavar="URL",
    help="Gate's address from here, such as a port-forward's. [default: DOWNWIND_GATE_URL, else as configured]",
)


@dataclass
class Place:
    """One configuration file; the cloud is called at the first use alone."""

    config_file: Path
    package_file: Path | None = None
    offline: bool = False
    gate: str | None = None
    ways: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Refused with every problem, one a line: file, line, column, field and fix."""
        file = str(self.config_file)
        try:
            text = self.config_file.read_bytes()
        except OSError as error:
            raise Refused(
                f"{file} cannot be read: {error.strerror}", fix="downwind bootstrap init writes one"
            ) from error
        try:
            return read_config(file, text)
        except Invalid as error:
            problems = placed(file, text, error.problems)
            for problem in problems:
                click.echo(str(problem), err=True)
            raise Refused(f"{file}: {len(problems)} to put right", fix="see above") from error

    @cached_property
    def packaged(self) -> bool:
        """Is it known which package ought to run?"""
        try:
            return bool(read_package(self.package_file))
        except Refused:
            if self.package_file is not None:
                raise
            return False

    @cached_property
    def package(self) -> bytes:
        return read_package(self.package_file, offline=self.offline)

    @cached_property
    def plan(self) -> Plan:
        return Plan(Values(self.config, digest(self.package), self.files))

    @cached_property
    def files(self) -> Files:
        return read_files(self.config, self.config_file.absolute().parent)

    @cached_property
    def cloud(self) -> Cloud:
        """What is opened on the way is closed with the command."""
        cloud = Cloud(make_session(os.environ), os.environ, package=self.package)
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.ways.close)
        gate = self.gate or os.environ.get("DOWNWIND_GATE_URL")
        return join(cloud, self.plan.values, self.ways, os.environ, gate=gate)

    def writer(self, *, gcloud: bool) -> Writer:
        helm = HelmProgram(self.plan.values, self.cloud, os.environ)
        return Writer(self.cloud, Gcloud(os.environ) if gcloud and Gcloud.there() else None, helm)


def write_file(file: Path, text: str) -> None:
    """Refused where that cannot be."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}", fix="name a file in a folder of yours") from error


def lines(steps: Sequence[Step], endpoints: Mapping[str, str]) -> Iterator[str]:
    """As terraform says it: a sign, what, why, and the line that does it."""
    signs = {"create": "+", "change": "~", "replace": "!", "delete": "-", "keep": "=", "foreign": "?", UNREAD: "?"}
    for step in steps:
        yield printable(f"{signs[step.action]} {step.action:<8}{step.resource.key}")
        yield printable(f"      {step.why}")
        for write in step.writes:
            entry = said(write, endpoints)
            if entry["command"]:
                yield printable(f"      $ {shlex.join(entry['command'])}")
            else:
                request = entry["request"]
                yield printable(f"      {request['method']} {request['url']} {json.dumps(request['body'])}")


def summary(steps: Sequence[Step]) -> str:
    counts = {
        action: sum(1 for each in steps if each.action == action)
        for action in ("create", "change", "replace", "delete", "keep", "foreign", UNREAD)
    }
    return (
        ", ".join(
            f"{number} to {action}" if action not in {"keep", "foreign", UNREAD} else f"{number} {action}"
            for action, number in counts.items()
            if number
        )
        or "nothing"
    )


def needs_attention(steps: Sequence[Step]) -> bool:
    return any(step.due or (step.action == "foreign" and step.differs) for step in steps)
