"""The ports that one instance works with, bundled; and the moment at which it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from downwind.errors import DownwindError
from downwind.ports import Builds, Notifier, Pipelines, Publisher, Registry, Renderer, Repository, Store
from downwind.ports_of_artifacts import Attestations
from downwind.timing import Timing

SideBySide = Callable[[Sequence[Callable[[], Any]]], list[Any]]
"""Makes independent calls at once; answers in order; an error of one is raised after all have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    ledger: Store
    work: Store
    catalog: Store
    bundles: Store
    bundles_bucket: str
    repository: Repository
    builds: Builds
    registry: Registry
    attestations: Attestations
    renderer: Renderer
    pipelines: Pipelines
    publisher: Publisher
    notifier: Notifier
    timing: Timing
    monotonic: Callable[[], float]
    """Seconds; only differences count."""
    side_by_side: SideBySide
    deck: str | None = None
    """Spinnaker's pages, for links."""


def one_after_another(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The SideBySide of tests: same answers, no threads."""
    answers: list[Any] = []
    errors: list[DownwindError] = []
    for call in calls:
        try:
            answers.append(call())
        except DownwindError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return answers
