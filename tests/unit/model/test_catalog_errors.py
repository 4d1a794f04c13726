"""An error in a catalog document names its field and its fix, and all errors come at once."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from downwind.model.fields import Invalid
from downwind.model.read_catalog import read_application


@pytest.fixture
def document(catalog_text: str) -> Any:
    return yaml.safe_load(catalog_text)


def problems(value: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read_application(value)
    assert str(caught.value) == "; ".join(map(str, caught.value.problems))
    return [str(each) for each in caught.value.problems]


OPERATOR = "give an e-mail address, or group: and the address of a Google group"
NAME = "give 1 to 63 lower case letters, digits and '-', first and last not '-'"


def put(*path: Any) -> Callable[[Any], None]:
    """Sets the last of `path` at the place that the others lead to."""
    *way, name, value = path

    def change(target: Any) -> None:
        for step in way:
            target = target[step]
        target[name] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    *way, name = path

    def change(target: Any) -> None:
        for step in way:
            target = target[step]
        del target[name]

    return change


WRONG: list[tuple[Callable[[Any], None], list[str]]] = [
    (put("apiVersion", "v2"), ["apiVersion: 'v2' is not known; use one of: downwind.dev/v1"]),
    (drop("apiVersion"), ["apiVersion: is missing; write downwind.dev/v1"]),
    (drop("kind"), ["kind: is missing; write Application"]),
    (put("kind", ["Application"]), ["kind: ['Application'] is not known; use one of: Application"]),
    (drop("name"), [f"name: is missing; {NAME}"]),
    (put("name", "Shop.1"), [f"name: 'Shop.1' does not have the right form; {NAME}"]),
    (put("name", 7), [f"name: is not a text of 1 to 1024 characters; {NAME}, in quotes if in doubt"]),
    (put("name", " "), [f"name: is not a text of 1 to 1024 characters; {NAME}, in quotes if in doubt"]),
    (
        put("repository", "address", "https://" + "a" * 1100),
        [
            (
                "repository.address: is not a text of 1 to 1024 characters; give an https address without user and password, "
                "in quotes if in doubt"
            )
        ],
    ),
    (drop("repository"), ["repository: is missing; give {address: https://…}"]),
    (
        put("repository", "https://github.com/acme/shop"),
        [
            "repository: is not a mapping; write it as `key: value` lines",
            "repository.address: is missing; give an https address without user and password",
        ],
    ),
    (
        put("repository", "address", "https://me:secret@github.com/acme/shop"),
        [
            (
                "repository.address: 'https://me:secret@github.com/acme/shop' does not have the right form; "
                "give an https address without user and password"
            )
        ],
    ),
    (
        put("repository", "address", "http://github.com/acme/shop"),
        [
            (
                "repository.address: 'http://github.com/acme/shop' does not have the right form; "
                "give an https address without user and password"
            )
        ],
    ),
    (
        put("repository", "adress", "https://github.com/acme/shop"),
        ["repository.adress: is not a field; did you mean 'address'?"],
    ),
    (
        put("repository", "zzz", 1),
        ["repository.zzz: is not a field; known here: address, also, credentials"],
    ),
    (put("repository", "also", "x"), ["repository.also: is not a list; write one `- item` a line"]),
    (
        put("repository", "also", ["x", 7, ""]),
        [
            "repository.also[1]: 7 is not right; give a text",
            "repository.also[2]: '' is not right; give a text",
        ],
    ),
    (
        put("paths", ["/services", "a/../b", "ok/**"]),
        [
            f"paths[{index}]: {path!r} is not right; "
            "give a path pattern from the root of the repository, such as services/shop/**"
            for index, path in enumerate(["/services", "a/../b"])
        ],
    ),
    (
        put("build", "trigger", "shop"),
        ["build.trigger: 'shop' does not have the right form; give projects/PROJECT/locations/LOCATION/triggers/NAME"],
    ),
    (put("build", "start", "yes"), ["build.start: is neither true nor false; write true or false"]),
    (put("build", "begin", True), ["build.begin: is not a field; known here: start, trigger"]),
    (drop("images"), ["images: is missing; name at least one image that a release is made of"]),
    (
        put("images", 0, "name", "shop@sha256:" + "0" * 64),
        [
            (
                f"images[0].name: 'shop@sha256:{'0' * 64}' does not have the right form; "
                "give HOST/PATH without tag and digest"
            )
        ],
    ),
    (
        put("images", 1, "tag", "latest"),
        ["images[1].tag: 'latest' does not have the right form; give a template with {commit} or {short_commit}"],
    ),
    (
        put("images", 1, "name", "us-central1-docker.pkg.dev/acme/apps/shop"),
        ["images[1].name: 'us-central1-docker.pkg.dev/acme/apps/shop' stands twice; give each its own"],
    ),
    (put("images", 1, "digest", "x"), ["images[1].digest: is not a field; known here: name, tag"]),
    (
        drop("manifests"),
        ["environments[0].manifests: is missing; give manifests here or for the application"],
    ),
    (
        put("manifests", {}),
        ["manifests: needs exactly one of path and parts; give path: deploy/{environment}, or parts: {name: path}"],
    ),
    (
        put("manifests", "parts", {"full": "deploy"}),
        ["manifests: needs exactly one of path and parts; give path: deploy/{environment}, or parts: {name: path}"],
    ),
    (
        put("manifests", "path", "../deploy"),
        [
            (
                "manifests.path: '../deploy' does not have the right form; "
                "give a path below the repository's root, without .."
            ),
            "manifests: needs exactly one of path and parts; give path: deploy/{environment}, or parts: {name: path}",
        ],
    ),
    (
        put("manifests", {"parts": ["deploy"]}),
        [
            "manifests.parts: is not a mapping; write it as `key: value` lines",
            "manifests: needs exactly one of path and parts; give path: deploy/{environment}, or parts: {name: path}",
        ],
    ),
    (
        put("manifests", {"parts": {"Full": "a", "canary": "b"}}),
        ["manifests.parts.Full: is not a name; use 1 to 63 lower case letters, digits and '-', first and last not '-'"],
    ),
    (
        put("manifests", "ref", "refs/heads/main"),
        ["manifests: repository and ref belong together; give both, or neither for the application's own repository"],
    ),
    (
        drop("environments", 1, "manifests", "ref"),
        [
            (
                "environments[1].manifests: repository and ref belong together; "
                "give both, or neither for the application's own repository"
            )
        ],
    ),
    (drop("environments"), ["environments: is missing; name at least one environment"]),
    (
        put("environments", [3]),
        [
            "environments[0]: is not a mapping; write it as `key: value` lines",
            "environments[0].pipeline: is missing; give {application: SPINNAKER APPLICATION, name: PIPELINE}",
            f"environments[0].name: is missing; {NAME}",
            "environments[0].namespace: is missing; give the Kubernetes namespace of fence and guard",
        ],
    ),
    (
        put("environments", 0, "pipeline", {"name": "deploy"}),
        ["environments[0].pipeline.application: is missing; give the name of Spinnaker's application"],
    ),
    (
        put("environments", 0, "refs", ["main"]),
        [
            (
                "environments[0].refs[0]: 'main' is not right; "
                "give a full ref name or pattern, such as refs/heads/main or refs/tags/v*"
            )
        ],
    ),
    (
        put("environments", 0, "after", "production"),
        [
            (
                "environments[0].after: stands beside refs; "
                "an environment is fed by refs or by another environment, not by both"
            ),
            "environments[0].after: leads in a circle; one environment must be fed by refs",
            "environments[1].after: leads in a circle; one environment must be fed by refs",
        ],
    ),
    (
        put("environments", 1, "after", "test"),
        ["environments[1].after: 'test' is not an environment; environments are: staging, production"],
    ),
    (
        put("environments", 1, "name", "staging"),
        [
            "environments[1].name: 'staging' stands twice; give each its own",
            "environments[1].after: leads in a circle; one environment must be fed by refs",
        ],
    ),
    (
        put("environments", 1, "on_newer", "cancel"),
        ["environments[1].on_newer: 'cancel' is not known; use one of: cancel_waiting, queue"],
    ),
    (
        put("environments", 1, "freeze", [{"cron": "61 * * * *", "lasts": "9w", "timezone": "Mars"}]),
        [
            "environments[1].freeze[0].cron: '61' is outside 0-59; give five cron fields such as \"0 16 * * FRI\"",
            "environments[1].freeze[0].lasts: '9w' is not a length of 1m to 31d; give a length such as 64h",
            "environments[1].freeze[0].timezone: 'Mars' is not a time zone; give a name such as Europe/Vienna",
        ],
    ),
    (
        put("environments", 1, "for", "soon"),
        ["environments[1].for: 'soon' is not a length of 1m to 31d; give a length such as 30m"],
    ),
    (
        put("environments", 1, "for", "30m"),
        ["environments[1].for: waits for nothing; it belongs beside after, with promotion: automatic"],
    ),
    (
        put("environments", 0, "for", "30m"),
        ["environments[0].for: waits for nothing; it belongs beside after, with promotion: automatic"],
    ),
    (
        put("environments", 1, "operators", ["sre"]),
        [f"environments[1].operators[0]: 'sre' is not right; {OPERATOR}"],
    ),
    (
        put("environments", 1, "freeze", [{"cron": "0 16 * * FRI"}]),
        ["environments[1].freeze[0].lasts: is missing; give a length such as 64h"],
    ),
]


@pytest.mark.parametrize(("change", "wanted"), WRONG, ids=[each[1][0].partition(";")[0][:60] for each in WRONG])
def test_an_error_names_the_field_and_the_fix(change: Callable[[Any], None], wanted: list[str], document: Any) -> None:
    change(document)
    assert problems(document) == wanted


def test_an_environment_whose_upstream_leads_nowhere_is_not_blamed_for_it(document: Any) -> None:
    document["environments"][0].pop("refs")
    document["environments"][0]["after"] = "nowhere"
    assert problems(document) == [
        "environments[0].after: 'nowhere' is not an environment; environments are: staging, production"
    ]


def test_all_problems_come_at_once(document: Any) -> None:
    for change in (put("name", "Shop"), drop("images"), put("build", "start", 1), drop("environments", 1, "pipeline")):
        change(document)
    assert [each.partition(":")[0] for each in problems(document)] == [
        "name",
        "build.start",
        "environments[1].pipeline",
        "images",
    ]


@pytest.mark.parametrize("value", [None, [], "shop", 7])
def test_a_document_that_is_no_mapping_is_named_as_the_document(value: Any) -> None:
    assert problems(value)[0] == "(document): is not a mapping; write it as `key: value` lines"
