"""Rules of a Cloud Build file that neither its schema nor gcloud's parser holds: substitutions, ids, what a step waits for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BUILT_IN = frozenset(
    {
        *(
            "PROJECT_ID",
            "PROJECT_NUMBER",
            "BUILD_ID",
            "LOCATION",
            "TRIGGER_NAME",
            "COMMIT_SHA",
            "REVISION_ID",
            "SHORT_SHA",
        ),
        *("REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH"),
        *("SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT"),
    }
)
_USED = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_USERS = re.compile(r"_[A-Z0-9_]+")
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")


def problems(build: Mapping[str, Any], *, pinned: bool = False) -> list[str]:
    """Where and what; empty for a sound file. `pinned`: every image has to be named by digest."""
    return [*_substitutions(build), *_steps(build.get("steps", ())), *(_pins(build.get("steps", ())) if pinned else ())]


def _substitutions(build: Mapping[str, Any]) -> Iterator[str]:
    given = build.get("substitutions", {})
    for name in given:
        if not _USERS.fullmatch(name):
            yield f"substitutions.{name}: begins with _ and holds capitals, digits and _ only"
    loose = build.get("options", {}).get("substitutionOption") == "ALLOW_LOOSE"
    used = {
        name
        for text in _texts({key: value for key, value in build.items() if key != "substitutions"})
        for name in _named(text)
    }
    used |= {name for text in _texts(given) for name in _named(text)}
    if loose:
        return
    for name in sorted(used - set(given) - BUILT_IN):
        yield f"${{{name}}} is neither given under substitutions nor known to Cloud Build; write $$ for a $ of the shell"
    for name in sorted(set(given) - used):
        yield f"substitutions.{name} is used nowhere, and Cloud Build refuses that"


def _named(text: str) -> Iterator[str]:
    """A `$$` is a dollar of the shell's own."""
    for match in _USED.finditer(text):
        name = match[1] or match[2]
        if name:
            yield name


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before: set[str] = set()
    for index, step in enumerate(steps):
        ident = step.get("id")
        if ident in before:
            yield f"steps[{index}].id: {ident!r} stands twice"
        for name in step.get("waitFor", ()):
            if name != "-" and name not in before:
                yield f"steps[{index}].waitFor: no step before it is called {name!r}"
        if ident:
            before.add(ident)


def _pins(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for index, step in enumerate(steps):
        if not _DIGEST.fullmatch(str(step.get("name", ""))):
            yield f"steps[{index}].name: {step.get('name')!r} is not named by digest"
