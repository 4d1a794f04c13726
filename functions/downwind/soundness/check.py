"""All that can be said of a pipeline without asking Spinnaker: what Orca knows, and what Downwind promises."""

from collections.abc import Collection

from downwind.model.fields import Problem
from downwind.soundness.artifacts import check_artifacts, check_references
from downwind.soundness.document import Document
from downwind.soundness.expressions import check_expressions
from downwind.soundness.fields import check_fields
from downwind.soundness.graph import check_graph
from downwind.soundness.pipeline import check_promise
from downwind.soundness.served import Served
from downwind.soundness.stages import check_stages


def check(document: Document, served: Served | None, allowed: Collection[str] = ()) -> list[Problem]:
    """In the order of their places. `served`: None where the pipeline is of no environment: then nothing is promised of it.
    `allowed`: stage types of plugins. Of several problems at one place the first stands, since one fix may end them all."""
    found = [
        *check_fields(document, allowed),
        *check_graph(document),
        *(check_promise(document, served) if served is not None else ()),
        *check_artifacts(document),
        *check_references(document),
        *check_expressions(document),
        *check_stages(document),
    ]
    first: dict[tuple[str | int, ...], Problem] = {}
    for each in found:
        first.setdefault(each.path, each)
    return sorted(
        first.values(), key=lambda each: [str(step).zfill(6) if isinstance(step, int) else step for step in each.path]
    )
