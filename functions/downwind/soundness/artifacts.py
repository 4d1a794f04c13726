"""Expected artifacts and the stages that name them (facts of the wire: Orca's ArtifactUtils and ManifestEvaluator)."""

import re
from collections.abc import Iterator

from downwind.model.fields import Path, Problem
from downwind.soundness import shapes
from downwind.soundness.document import Document, items, kind_of, mapping, problem, stages
from downwind.soundness.fields import known_fields


def check_artifacts(document: Document) -> Iterator[Problem]:
    known: set[str] = set()
    for place, each in enumerate(items(document.get("expectedArtifacts"))):
        path: Path = ("expectedArtifacts", place)
        yield from known_fields(each, shapes.EXPECTED_ARTIFACT, path)
        name = mapping(each).get("id")
        if not name:
            yield problem((*path, "id"), "is missing: no stage and no trigger can name it", "give it an id of its own")
        elif str(name) in known:
            yield problem((*path, "id"), f"{name!r} stands twice", "give each its own")
        known.add(str(name))
        match = mapping(mapping(each).get("matchArtifact"))
        if not match.get("type"):
            yield problem((*path, "matchArtifact"), "has no type: it matches every artifact", "give type and name")
        if "#" in str(match.get("name", "")):
            fix = "take #… away; the reference that a trigger sends pins the generation"
            yield problem((*path, "matchArtifact", "name"), "pins a generation: no other bundle would ever match", fix)


def check_references(document: Document) -> Iterator[Problem]:
    """Which expected artifact a stage names, and where it gets it from."""
    expected = (mapping(each) for each in items(document.get("expectedArtifacts")))
    known = {str(each.get("id")): each for each in expected}
    for _, stage in stages(document):  # what a stage makes, as bakeManifest does
        known |= {str(mapping(each).get("id")): mapping(each) for each in items(stage.get("expectedArtifacts"))}
    for index, stage in stages(document):
        yield from _of_stage(("stages", index), stage, known)


def _of_stage(path: Path, stage: Document, known: dict[str, Document]) -> Iterator[Problem]:
    named: list[tuple[Path, object]] = [
        ((*path, "requiredArtifactIds", place), each)
        for place, each in enumerate(items(stage.get("requiredArtifactIds")))
    ]
    wanted = stage.get("manifestArtifactId")
    if wanted is not None:
        named.append(((*path, "manifestArtifactId"), wanted))
    for where, each in named:
        if str(each) not in known and not re.search(r"\$\{", str(each)):
            fix = f"ids of expectedArtifacts are: {', '.join(known) or 'none'}"
            yield problem(where, f"{each!r} names no expected artifact: the stage would fail", fix)
    if stage.get("source") == "artifact":
        inline = mapping(stage.get("manifestArtifact"))
        if wanted is None and not inline:
            yield problem((*path, "manifestArtifactId"), "is missing", "name an expected artifact by its id")
        match = mapping(known.get(str(wanted), {}).get("matchArtifact")) if wanted is not None else inline
        if not stage.get("manifestArtifactAccount") and not match.get("artifactAccount"):
            text = "is missing: Orca ends the stage with `No manifest artifact account was specified.`"
            yield problem((*path, "manifestArtifactAccount"), text, "name Spinnaker's account that reads the bundles")
    elif stage.get("type") == "deployManifest" and not items(stage.get("manifests")) and not stage.get("manifest"):
        text = "is missing: nothing would be deployed, and the stage would succeed"
        yield problem((*path, "manifests"), text, "give manifests, or source: artifact")
    elif wanted is not None and kind_of(stage) in {"deployManifest", "runJobManifest"}:
        yield problem(
            (*path, "source"), "is not artifact: manifestArtifactId counts for nothing", "give source: artifact"
        )
