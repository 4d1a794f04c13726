"""Fields that Spinnaker does not know, misses, or would read as something else than they look like."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from downwind.model.fields import Path, Problem
from downwind.soundness import shapes
from downwind.soundness.document import Document, items, label, mapping, problem, stages

_SENDERS = ("email", "slack", "bearychat", "googlechat", "microsoftteams", "sms", "pubsub", "github", "cdevents")


def check_fields(document: Document, allowed: Collection[str] = ()) -> Iterator[Problem]:
    """`allowed`: stage types that a plugin of this Spinnaker brings."""
    for name in ("application", "name"):
        if not str(document.get(name) or "").strip():
            yield problem(
                (name,),
                "is missing",
                f"give the {'Spinnaker application' if name == 'application' else 'pipeline'}'s name",
            )
    if any(letter in str(document.get("name") or "") for letter in "/\\%;"):
        text = "has a slash, a backslash, a percent sign or a semicolon: Gate refuses every call that names it"
        yield problem(("name",), text, "use other characters")
    for name in shapes.OF_THE_SERVER:
        if name in document:
            yield problem((name,), "is written by Spinnaker itself", "take it out: save compares it for you")
    if document.get("type") == "templatedPipeline":
        yield problem(
            ("type",),
            "is templatedPipeline: its stages stand in a template, which is not looked at here",
            "write the stages out",
        )
    yield from known_fields(document, shapes.PIPELINE, (), skip=shapes.OF_THE_SERVER)
    for place, each in enumerate(items(document.get("parameterConfig"))):
        yield from known_fields(each, shapes.PARAMETER, ("parameterConfig", place))
        if mapping(each).get("default") == "" and str(mapping(each).get("required")).lower() == "true":
            text = "is empty: a start without the parameter passes, with an empty value (Deck writes it so)"
            yield problem(("parameterConfig", place, "default"), text, "take default out, or give a value")
    for place, each in enumerate(items(document.get("notifications"))):
        yield from _notification(each, ("notifications", place))
    for index, stage in stages(document):
        yield from _stage(index, stage, allowed)
    for index, each in enumerate(items(document.get("stages"))):
        if not isinstance(each, Mapping):
            yield problem(("stages", index), "is not a mapping", "write it as `key: value` lines")


def _stage(index: int, stage: Document, allowed: Collection[str]) -> Iterator[Problem]:
    kind, path = stage.get("type"), ("stages", index)
    shape = shapes.STAGES.get(str(kind))
    if not kind:
        yield problem((*path, "type"), "is missing", "give the stage's type, such as deployManifest")
        return
    if shape is None:
        if kind not in allowed:
            near = difflib.get_close_matches(str(kind), shapes.STAGES, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            fix = f"{hint}A stage of a plugin: --allow-stage {kind}"
            yield problem((*path, "type"), f"{kind!r} is not a stage of Orca: the run would end there", fix.strip())
        return
    known = {**shapes.COMMON, **shape.fields}
    if not shape.others:
        yield from known_fields(stage, known, path)
    for name in shape.needed:
        if stage.get(name) in (None, ""):
            yield problem(
                (*path, name), f"is missing: {label(stage)} can't run without it", f"give {_form(known[name])}"
            )
    for place, each in enumerate(items(stage.get("notifications"))):
        yield from _notification(each, (*path, "notifications", place))


def known_fields(value: Any, known: Mapping[str, str], path: Path, *, skip: Collection[str] = ()) -> Iterator[Problem]:
    for name, item in mapping(value).items():
        if name in skip:
            continue
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1, cutoff=0.75)
            fix = f"did you mean {near[0]!r}?" if near else "take it out: Spinnaker keeps it and nobody reads it"
            yield problem((*path, str(name)), "is not a field", fix)
        elif item is not None and not _fits(item, known[name]):
            yield problem(
                (*path, str(name)), f"{_shown(item)} is not {_KINDS.get(known[name])}", f"give {_form(known[name])}"
            )


def _fits(value: Any, kind: str) -> bool:
    expression = isinstance(value, str) and "${" in value
    flags = isinstance(value, str) and value.lower() in {"true", "false"}
    numbers = isinstance(value, str) and value.strip().lstrip("-").isdigit()
    match kind:
        case shapes.TEXT:
            return isinstance(value, str)
        case shapes.FLAG:
            return isinstance(value, bool) or flags or expression
        case shapes.NUMBER:
            return (isinstance(value, int | float) and not isinstance(value, bool)) or numbers or expression
        case shapes.TEXTS:
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
        case shapes.LIST:
            return isinstance(value, list) or expression
        case shapes.OBJECT:
            return isinstance(value, Mapping) or expression
        case _:
            return True


_KINDS = {
    shapes.TEXT: "a text",
    shapes.FLAG: "true or false",
    shapes.NUMBER: "a number",
    shapes.TEXTS: "a list of texts",
    shapes.LIST: "a list",
    shapes.OBJECT: "a mapping",
}


def _form(kind: str) -> str:
    quoted = ", in quotes if in doubt" if kind in {shapes.TEXT, shapes.TEXTS} else ""
    return f"{_KINDS.get(kind, 'a value')}{quoted}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _notification(value: Any, path: Path) -> Iterator[Problem]:
    kind = mapping(value).get("type")
    if kind not in _SENDERS:
        yield problem((*path, "type"), f"{kind!r} is no way that Echo sends", f"use one of: {', '.join(_SENDERS)}")
    if not items(mapping(value).get("when")):
        yield problem(
            (*path, "when"), "is missing: nothing would ever be sent", "give a list, such as [pipeline.failed]"
        )
