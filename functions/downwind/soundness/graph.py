"""The order of a pipeline's stages, as Orca builds it of `refId` and `requisiteStageRefIds`."""

from collections.abc import Iterator

from downwind.model.fields import Path, Problem
from downwind.soundness.document import Document, behind, items, problem, stages, texts


def check_graph(document: Document) -> Iterator[Problem]:
    """If no stage has a refId, Orca chains them in the file's order: then there is nothing to say."""
    found = stages(document)
    if not found:
        yield problem(("stages",), "is empty: such a run ends TERMINAL at once", "give at least one stage")
    if not any(stage.get("refId") is not None for _, stage in found):
        for index, stage in found:
            if stage.get("requisiteStageRefIds"):
                yield problem(
                    ("stages", index, "requisiteStageRefIds"),
                    "names stages, but no stage has a refId",
                    "give every stage a refId of its own",
                )
        return
    known: dict[str, int] = {}
    for index, stage in found:
        yield from _name(index, stage, known)
    before = behind(document)
    for index, stage in found:
        reference = str(stage.get("refId"))
        seen: set[str] = set()
        for place, each in enumerate(items(stage.get("requisiteStageRefIds"))):
            path: Path = ("stages", index, "requisiteStageRefIds", place)
            if str(each) == reference:
                yield problem(path, f"names the stage itself ({each})", "name the stage that comes before it")
            elif str(each) not in known:
                fix = f"refIds are: {', '.join(known)}"
                yield problem(path, f"{each!r} is no stage's refId: Orca would never start this stage", fix)
            elif str(each) in seen:
                yield problem(path, f"{each!r} stands twice", "take one away")
            seen.add(str(each))
        direct = set(texts(stage.get("requisiteStageRefIds")))
        if reference in before[reference] and reference not in direct:
            circle = sorted(each for each in before[reference] if each in known and reference in before[each])
            if reference == circle[0] and len(circle) > 1:
                yield problem(
                    ("stages", index, "requisiteStageRefIds"),
                    f"leads in a circle ({', '.join(circle)}): none of them would ever start",
                    "let one of them come first",
                )
    if not any(not stage.get("requisiteStageRefIds") for _, stage in found):
        yield problem(
            ("stages",), "has no first stage: every stage waits for another", "leave requisiteStageRefIds of one empty"
        )


def _name(index: int, stage: Document, known: dict[str, int]) -> Iterator[Problem]:
    reference = stage.get("refId")
    if reference is None or reference == "":
        others = "the other stages have one, and Orca chains stages only where none has"
        yield problem(("stages", index, "refId"), f"is missing: {others}", "give it a refId of its own")
    elif str(reference) in known:
        fix = f"stages[{known[str(reference)]}] has it too; give each its own"
        yield problem(("stages", index, "refId"), f"{str(reference)!r} stands twice: Orca keeps one of the two", fix)
    else:
        known[str(reference)] = index
