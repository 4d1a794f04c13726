"""`downwind.config.yaml`: what one installation decides. The schema (infra/downwind.config.schema.json) holds
forms, defaults and fixes."""

import copy
import difflib
import ipaddress
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
    yield from _cluster(config)
    yield from _namespaces(config)
    yield from _break_glass(config)
    yield from _sample(config)
    if config["builds"]["repositories"] and not config["builds"]["connection"]:
        yield Problem(
            path=("builds", "connection"),
            message="is missing: repositories are reached by it",
            fix="give the connection",
        )
    yield from _of_the_network(config)
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


def reached(config: Mapping[str, Any]) -> bool:
    """Does it name a cluster, there or to be made?"""
    cluster = config["cluster"]
    return bool(cluster["create"] != "none" or cluster["location"] or cluster["context"])


def _cluster(config: Mapping[str, Any]) -> Iterator[Problem]:
    cluster = config["cluster"]
    if cluster["context"] and (cluster["create"] != "none" or cluster["location"]):
        yield Problem(
            path=("cluster", "context"),
            message="is beside create or location: a cluster is reached in one way",
            fix="give one of them",
        )
    if reached(config):
        return
    fix = "give the cluster's location or context, or create: autopilot"
    if config["spinnaker"]["install"]:
        text = "is missing: Spinnaker is to be installed into a cluster that is there already"
        yield Problem(path=("cluster", "location"), message=text, fix=fix)
    if config["namespaces"]:
        text = "is missing: namespaces are to be made in a cluster that is there already"
        yield Problem(path=("cluster", "location"), message=text, fix=fix)


def _break_glass(config: Mapping[str, Any]) -> Iterator[Problem]:
    for index, member in enumerate(config["admission"]["breakGlass"]):
        if member.startswith("domain:"):
            path = ("admission", "breakGlass", index)
            yield Problem(path=path, message="is a whole domain, which a cluster does not know", fix="name a group")


def _namespaces(config: Mapping[str, Any]) -> Iterator[Problem]:
    taken = {config["spinnaker"]["namespace"]} if config["spinnaker"]["install"] else set()
    for index, name in enumerate(each["name"] for each in config["namespaces"]):
        if name in taken:
            yield Problem(
                path=("namespaces", index, "name"), message=f"{name!r} is taken already", fix="name another one"
            )
        taken.add(name)


def _sample(config: Mapping[str, Any]) -> Iterator[Problem]:
    if not config["sample"] and not config["spinnaker"]["pipelines"]:
        return
    if not config["spinnaker"]["email"]:
        text = "is missing: Spinnaker wants an owner of each application"
        yield Problem(path=("spinnaker", "email"), message=text, fix="give an address")
    if not config["sample"]:
        return
    if config["sample"] not in [each["name"] for each in config["builds"]["repositories"]]:
        fix = "list your copy of examples/shop under builds.repositories"
        yield Problem(path=("sample",), message=f"{config['sample']!r} is not under builds.repositories", fix=fix)
    named = {each["name"] for each in config["namespaces"]}
    missing = [name for name in ("shop-staging", "shop") if name not in named]
    if missing and reached(config):
        text = f"lacks {' and '.join(missing)}: the sample deploys to them"
        yield Problem(path=("namespaces",), message=text, fix="list them")
    if not config["registry"]["images"]:
        text = "is null: the sample's builds put their images there"
        yield Problem(path=("registry", "images"), message=text, fix="name a repository for images")


def _of_the_network(config: Mapping[str, Any]) -> Iterator[Problem]:
    network, cluster = config["network"], config["cluster"]
    made = cluster["create"] != "none" and network["create"]
    if cluster["create"] != "none" and not network["create"] and not network["nodes"]:
        fix = "give the subnet of the nodes, or create: true"
        yield Problem(
            path=("network", "nodes"), message="is missing: the cluster is made in a network of yours", fix=fix
        )
    if made and not str(cluster["location"] or config["region"]).startswith(config["region"]):
        fix = f"take {config['region']} or one of its zones, or a network of yours with create: false"
        yield Problem(path=("cluster", "location"), message="is in another region than the functions", fix=fix)
    if network["functions"] and config["functions"]["connector"]:
        yield Problem(
            path=("functions", "connector"), message="and network.functions exclude each other", fix="give one"
        )
    ranges = {}
    for name in ("nodesRange", "functionsRange"):
        try:
            ranges[name] = ipaddress.IPv4Network(network[name])
        except ValueError as error:
            yield Problem(path=("network", name), message=f"is no range: {error}", fix="write 10.60.0.0/20")
    if len(ranges) < 2:
        return
    if ranges["nodesRange"].overlaps(ranges["functionsRange"]):
        yield Problem(path=("network", "functionsRange"), message="overlaps nodesRange", fix="take another one")
    if ranges["functionsRange"].prefixlen > 26:
        yield Problem(path=("network", "functionsRange"), message="is too small", fix="take /26 or larger")
    try:
        inside = ipaddress.IPv4Address(network["gateAddress"]) in ranges["nodesRange"]
    except ValueError:
        inside = False
    if not inside:
        fix = "take an address of nodesRange that is not one of its first two or last two"
        yield Problem(path=("network", "gateAddress"), message="is not in nodesRange", fix=fix)
