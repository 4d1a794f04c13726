"""One run of the command line: where its settings come from, and the world that they open."""

import json
import os
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from downwind.errors import Refused
from downwind.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from downwind.perform.world import World
    from downwind.ports import Cluster, Renderer
    from downwind.ports_of_people import Spinnaker

PREFIX = "DOWNWIND_"


def _make_world(settings: Settings) -> "World":
    from downwind.wiring import make_world

    return make_world(settings)


def _make_cluster(settings: Settings, context: str | None) -> "Cluster":
    from downwind.wiring import make_cluster

    return make_cluster(settings, context)


def _make_spinnaker(settings: Settings) -> "Spinnaker":
    from downwind.wiring import make_spinnaker

    return make_spinnaker(settings)


def _make_renderer(timeout: float) -> "Renderer":
    from downwind.wiring import make_renderer

    return make_renderer(timeout)


def _post_order(settings: Settings, environment: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    from downwind.cli.operate_client import post_order

    return post_order(settings, environment, body)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Session:
    """Settings and world are made at their first use. A test gives other makers, an own clock and its own `sleep`."""

    environment: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    folder: Path = field(default_factory=Path.cwd)
    world_file: Path | None = None
    make_world: Callable[[Settings], "World"] = _make_world
    make_cluster: Callable[[Settings, str | None], "Cluster"] = _make_cluster
    make_spinnaker: Callable[[Settings], "Spinnaker"] = _make_spinnaker
    make_renderer: Callable[[float], "Renderer"] = _make_renderer
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep
    post_order: Callable[[Settings, Mapping[str, str], Mapping[str, Any]], dict[str, Any]] = _post_order

    @cached_property
    def settings(self) -> Settings:
        """Raises SettingsError that names every way to give them."""
        if self.world_file is None and any(name.startswith(PREFIX) for name in self.environment):
            return read_settings(self.environment, receives=False)
        file = self.world_file or find_world_file(self.folder)
        if file is None:
            raise SettingsError(
                "nothing says where to look: set the DOWNWIND_* variables of an installation, "
                "or start a local world with `downwind local up`, or name one with --world FILE"
            )
        from downwind.local.world_file import around_proxy

        variables = read_world_file(file)
        click.echo(f"using the local world of {file.parent}", err=True)
        for name in [each for each in self.environment if each.startswith(PREFIX)]:
            del self.environment[name]
        # The official clients look for their emulators in the environment too.
        self.environment.update(variables)
        self.environment.update(around_proxy(self.environment))
        return read_settings(variables, receives=False)

    @cached_property
    def world(self) -> "World":
        return self.make_world(self.settings)

    @cached_property
    def spinnaker(self) -> "Spinnaker":
        return self.make_spinnaker(self.settings)

    def uri(self, store: str, name: str, generation: int | None = None) -> str:
        """gs://bucket/object of one of the four stores, with #generation where one is meant."""
        bucket = getattr(self.settings, f"{store}_bucket")
        return f"gs://{bucket}/{name}" + (f"#{generation}" if generation is not None else "")


def tell_unreadable(problems: Sequence[str]) -> None:
    """A file of the catalog that this version can't read stops its own application only."""
    for problem in problems:
        click.echo(f"Error: {' '.join(problem.split())}; correct it, and apply it again", err=True)


pass_session = click.make_pass_decorator(Session)


def find_world_file(folder: Path) -> Path | None:
    """The nearest .downwind/world.json, in this folder or one above."""
    folder = folder.absolute()
    places = (place / ".downwind" / "world.json" for place in (folder, *folder.parents))
    return next((place for place in places if place.is_file()), None)


def read_world_file(file: Path) -> Mapping[str, str]:
    """The variables that `downwind local env` prints, as `downwind local up` wrote them down."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["environment"]
        return {str(name): str(value) for name, value in found.items()}
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}", fix="name the world.json of a local world") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{file} is not the file of a local world", fix="start one afresh with `downwind local up`"
        ) from error
