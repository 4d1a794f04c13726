"""`downwind.config.yaml`: what one installation decides. The schema (infra/downwind.config.schema.json) holds
forms, defaults and fixes."""

import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from downwind.errors import Refused
from downwind.model.fields import Invalid, Problem
from downwind.render.yaml_reader import read_documents
from downwind.shipped import shipped


@cache
def schema() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(shipped("infra/downwind.config.schema.json").read_text(encoding="utf-8"))
    return found


def read_config(file: str, text: bytes) -> dict[str, Any]:
    """The configuration with every default filled in. Refused when it is not one YAML document; Invalid with every problem."""
    documents = read_documents(file, text)
    if len(documents) != 1:
        raise Refused(f"{file} holds {len(documents)} documents", fix="write one configuration a file")
    return complete(documents[0])


def complete(document: Any) -> dict[str, Any]:
    """Raises Invalid with every problem: of the form by the schema, and of what the schema cannot say."""
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(dict(schema())).iter_errors(document), key=lambda each: list(map(str, each.absolute_path))
    )
    problems = [problem for error in errors for problem in _told(error)]
    if problems:
        raise Invalid(problems)
    config: dict[str, Any] = _filled(document, schema())
    problems = list(_beyond_the_schema(config))
    if problems:
        raise Invalid(problems)
    return config


def _told(error: Any) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    fix = str(error.schema.get("description", "see infra/downwind.config.schema.json"))
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        # One error a missing name: the text of the library names it.
        name = next((each for each in missing if error.message.startswith(f"'{each}'")), missing[0])
        about = error.schema["properties"][name]
        yield Problem(path=(*path, name), message="is missing", fix=str(about.get("description", "give it")))
    elif error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        for name in sorted(set(map(str, error.instance)) - set(known)):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            yield Problem(path=(*path, name), message="is not a field", fix=hint)
    else:
        value = json.dumps(error.instance, default=str, ensure_ascii=False)
        yield Problem(path=path, message=f"{value[:100]} is not right", fix=fix)


def _filled(value: Any, form: Mapping[str, Any]) -> Any:
    if isinstance(value, list) and isinstance(form.get("items"), Mapping):
        return [_filled(each, form["items"]) for each in value]
    if not isinstance(value, Mapping):
        return value
    filled = dict(value)
    for name, about in form.get("properties", {}).items():
        if name not in filled and "default" in about:
            filled[name] = copy.deepcopy(about["default"])
        if name in filled:
            filled[name] = _filled(filled[name], about)
    return filled


def _beyond_the_schema(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config["spinnaker"]["install"] and config["cluster"]["create"] == "none" and not config["cluster"]["location"]:
        yield Problem(
            path=("cluster", "location"),
            message="is missing: Spinnaker is to be installed into a cluster that is there already",
            fix="give the cluster's location, or create: autopilot",
        )
    if config["builds"]["repositories"] and not config["builds"]["connection"]:
        yield Problem(
            path=("builds", "connection"),
            message="is missing: repositories are reached by it",
            fix="give the connection",
        )
    if config["cluster"]["minNodes"] > config["cluster"]["maxNodes"]:
        yield Problem(path=("cluster", "minNodes"), message="is more than maxNodes", fix="make it the smaller one")
    if config["deploy"] and not config["builds"]["connection"]:
        yield Problem(
            path=("builds", "connection"),
            message="is missing: the repository to deploy from is reached by it",
            fix="give the connection, or leave deploy out",
        )
    names = [each["name"] for each in config["builds"]["repositories"]]
    if config["deploy"] and "deploy" in names:
        yield Problem(
            path=("builds", "repositories", names.index("deploy"), "name"),
            message="'deploy' is the name of the repository to deploy from",
            fix="name it otherwise",
        )
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(
                path=("builds", "repositories", index, "name"),
                message=f"{name!r} stands twice",
                fix="name it otherwise",
            )
    for index, branch in enumerate(each["branch"] for each in config["builds"]["repositories"]):
        try:
            re.compile(branch)
        except re.error as error:
            path = ("builds", "repositories", index, "branch")
            yield Problem(path=path, message=f"is not a regular expression: {error}", fix="write ^main$")
