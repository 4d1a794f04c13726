"""Gate and the catalog, as the engine asks for them, by what `downwind pipelines save`, `downwind spinnaker application save` and
`downwind app apply` use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.bootstrap.cloud import NotYet
from downwind.bootstrap.write import Request
from downwind.errors import Misconfigured, PermanentError, TransientError
from downwind.model.read_catalog import read_application
from downwind.perform import catalog
from downwind.perform.pipelines import save
from downwind.perform.world import World
from downwind.ports import Pipelines
from downwind.ports_of_people import Spinnaker
from downwind.render.yaml_reader import read_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    address: str
    """From here."""
    pipelines: Pipelines
    spinnaker: Spinnaker


class GateCalls:
    """`cloud.Calls` for requests whose api is `gate`. `reach`: Gate; None while there is none."""

    def __init__(self, reach: Callable[[], Gate | None]) -> None:
        self._reach = reach

    def read(self, request: Request) -> Any:
        gate = self._reach()
        if gate is None:
            return None
        try:
            return _asked(gate, request)
        except Misconfigured:
            raise
        except TransientError as error:
            text = f"{error} ({gate.address}); where Gate has another address from here: --gate URL"
            raise TransientError(text) from error

    def send(self, request: Request) -> Any:
        gate = self._reach()
        if gate is None:
            raise NotYet("Gate is not there yet")
        match (request.method, *request.path.split("/", 2)):
            case ("POST", "pipelines"):
                return save(gate.pipelines, request.body, request.seen, _name(request.body))
            case ("POST", "tasks"):
                return gate.spinnaker.save_application(request.body["job"][0]["application"])
            case ("DELETE", "pipelines", application, name):
                standing = gate.pipelines.config(application, name)
                return None if standing is None else gate.pipelines.delete(standing)
        raise PermanentError(f"Gate is not asked for {request.method} {request.path} here")


def _asked(gate: Gate, request: Request) -> Any:
    match request.path.split("/", 3):
        case ["applications", application, "pipelineConfigs", name]:
            found = gate.pipelines.config(application, name)
            return None if found is None else {"document": found.document, "standing": found}
        case ["applications", application]:
            return gate.spinnaker.application(application)
    raise PermanentError(f"Gate is not asked for {request.path} here")


def _name(document: Mapping[str, Any]) -> str:
    return f"pipeline {document.get('application')}/{document.get('name')}"


class CatalogCalls:
    """`cloud.Calls` for requests whose api is `catalog`: one file, with the tips of today as its baseline. `world`: the stores of
    the installation, and what reaches the repository."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world

    def read(self, request: Request) -> Any:
        raise PermanentError(f"the catalog is read as a bucket, not by {request.path}")

    def send(self, request: Request) -> Any:
        text = request.body.encode()
        (document,) = read_documents("the sample's catalog", text)
        try:
            return catalog.apply(self._world(), read_application(document), text)
        except TransientError as error:
            raise NotYet(str(error)) from error
