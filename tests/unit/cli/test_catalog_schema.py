"""The JSON Schema for editors and `read_application` say the same; where only the reader can know, the table says so."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from downwind.model.fields import Invalid
from downwind.model.policy import DENIABLE, REQUIRABLE
from downwind.model.read_catalog import read_application

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "functions/downwind/cli/schemas/application.schema.json").read_text())
DESIGN = (Path(__file__).parent / "design-example.yaml").read_text()
"""The catalog of the design, as it stands there."""
READ = yaml.safe_load(DESIGN)
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
DELETE = object()
Change = tuple[str, Any]


def changed(*changes: Change) -> dict[str, Any]:
    """The design's catalog with other values at dotted places."""
    document: dict[str, Any] = copy.deepcopy(READ)
    for path, value in changes:
        *way, last = path.split(".")
        at: Any = document
        for step in way:
            at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
        key: Any = int(last) if last.isdigit() else last
        if value is DELETE:
            del at[key]
        else:
            at[key] = copy.deepcopy(value)
    return document


def says(check: Callable[[Any], Any], document: Any, error: type[Exception]) -> bool:
    try:
        check(document)
    except error:
        return False
    return True


def schema_says(document: Any) -> bool:
    return says(VALIDATOR.validate, document, jsonschema.ValidationError)


def reader_says(document: Any) -> bool:
    return says(read_application, document, Invalid)


REDIS = {"repository": "https://charts.acme.example", "name": "redis", "version": "1.2.3", "sha256": "a" * 64}
KEY = {"id": "keys/1", "pem": "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n"}
ELSEWHERE = {"address": "https://github.com/acme/deploy.git"}
CHANNELS: dict[str, dict[str, Any]] = {
    "commit-status": {"name": "commits", "to": "commit-status", "credentials": "github"},
    "github-deployments": {"name": "deployments", "to": "github-deployments", "credentials": "github"},
    "slack": {"name": "ops", "to": "slack", "channel": "C0123456789", "credentials": "slack"},
    "google-chat": {"name": "space", "to": "google-chat", "space": "spaces/AAAA"},
    "teams": {"name": "team", "to": "teams", "credentials": "teams"},
    "webhook": {"name": "hook", "to": "webhook", "address": "https://hooks.acme.example/downwind"},
    "mail": {
        "name": "mail",
        "to": "mail",
        "server": "smtp.acme.example:587",
        "sender": "downwind@acme.example",
        "recipients": ["sre@acme.example"],
    },
}


def without(channel: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in channel.items() if name != field}


GOOD: list[list[Change]] = [
    [],
    [("paths", DELETE), ("build", DELETE)],
    [("paths", None), ("build", None), ("repository.also", None), ("repository.credentials", None)],
    [("build.start", True)],
    [("build.start", None)],
    [("images.0.tag", DELETE)],
    [("images.0.tag", "v-{short_commit}")],
    [("images.0.name", "localhost:5000/a/b.c-d_e")],
    [("repository.address", "http://127.0.0.1:8080/shop.git")],
    [("repository.address", "http://localhost/shop.git")],
    [("environments.0.refs", ["refs/heads/release/*", "refs/tags/v*"])],
    [("environments.0.refs", DELETE)],
    [("environments.1.refs", [])],
    [("environments.1.freeze", None), ("environments.1.operators", None)],
    [("environments.1.promotion", "request"), ("environments.1.on_newer", "queue")],
    [("environments.1.promotion", None), ("environments.1.on_newer", None), ("environments.1.on_failure", None)],
    [("environments.1.freeze.0.timezone", DELETE)],
    [("environments.1.freeze.0.cron", "*/5 0-6 1,15 JAN-MAR *")],
    [("environments.1.manifests", {"parts": {"canary": "deploy/canary", "full": "deploy/production"}})],
    [("manifests", {"path": "deploy", "repository": ELSEWHERE, "ref": "refs/heads/main"})],
    [("manifests", {"path": "deploy", "parts": {}, "repository": None, "ref": None})],
    [("manifests", {"path": None, "parts": {"full": "deploy"}})],
    [("manifests.recursive", True), ("manifests.kustomize", None), ("manifests.helm", None)],
    [("manifests.kustomize", {})],
    [("manifests.kustomize", {"remote": ["github.com", "git.acme.example/team/bases"]})],
    [("manifests.kustomize", {"load": "repository", "namespace": "x", "name_prefix": "a-", "name_suffix": "-b.c"})],
    [("manifests.helm", {"inline": None, "values": None})],
    [("manifests.helm", {"release": "shop", "namespace": "x", "skip_crds": True, "hooks": "leave"})],
    [
        (
            "manifests.helm",
            {"values": ["a.yaml", "/env/{environment}/*.yaml"], "inline": {"a": [1, 1.5, None, "b", True]}},
        )
    ],
    [("manifests.helm", {"kubernetes_version": "v1.30.2", "api_versions": ["monitoring.coreos.com/v1"]})],
    [("manifests.helm", {"charts": [REDIS], "redirects": ["release-assets.githubusercontent.com"]})],
    [("manifests.helm", {"charts": [REDIS | {"url": "https://github.com/acme/x/releases/download/v1/redis.tgz"}]})],
    [("manifests.helm", {"charts": [REDIS | {"url": "oci://registry-1.docker.io/bitnamicharts/redis"}]})],
    [("manifests.helm", {"charts": [REDIS, REDIS | {"version": "v1.2.4-rc.1+b"}], "redirects": None})],
    [("manifests.helm", {"charts": [REDIS | {"repository": "oci://ghcr.io:443/acme/charts/", "url": None}]})],
    [("manifests", DELETE), ("environments.0.manifests", {"path": "a"}), ("environments.1.manifests", {"path": "b"})],
    [("policy", None), ("image_paths", None), ("environments.0.cluster", None), ("environments.0.policy", None)],
    [("policy", {}), ("environments.0.policy", {"kinds": None}), ("environments.0.cluster", "eu-1")],
    [
        ("policy.kinds", {"allow": ["ConfigMap", "apps/*"], "deny": ["rbac.authorization.k8s.io/*"]}),
        ("policy.namespaces", ["shop", "shop-*"]),
        ("policy.registries", ["us-docker.pkg.dev/acme/*", "localhost:5000/*"]),
        ("policy.deny", list(DENIABLE)),
        ("policy.require", list(REQUIRABLE)),
        ("policy.labels", ["team", "acme.example/cost-centre"]),
    ],
    [("image_paths", [{"kind": "argoproj.io/Workflow", "path": "spec.templates[*].script.image"}])],
    [("verify", None)],
    [("verify", {})],
    [("verify", {"provenance": "build", "builders": ["a@acme.iam.gserviceaccount.com"], "platforms": ["linux/amd64"]})],
    [("verify", {"provenance": "attestation", "keys": [KEY]})],
    [("verify", {"keys": None})],
    [("verify", {"provenance": None, "builders": None, "platforms": ["linux/arm64/v8"]})],
    [("notify", None)],
    *([("notify", [channel])] for channel in CHANNELS.values()),
    [
        (
            "notify",
            [CHANNELS["mail"] | {"when": None, "environments": None, "text": None, "link": None, "subject": None}],
        )
    ],
    [("notify", [CHANNELS["slack"] | {"text": "{{{status}}}", "link": "https://deck.acme.example/#/{execution}"}])],
    [("notify", [CHANNELS["commit-status"] | {"host": "gitlab", "repository": "https://git.acme.example/a/b"}])],
]
BAD: list[list[Change]] = [
    [("apiVersion", "downwind.dev/v2")],
    [("apiVersion", DELETE)],
    [("kind", DELETE)],
    [("kind", "Deployment")],
    [("name", "Shop")],
    [("name", "-shop")],
    [("name", "a" * 64)],
    [("name", 5)],
    [("name", None)],
    [("name", DELETE)],
    [("owner", "me")],
    [("repository", DELETE)],
    [("repository", "https://github.com/acme/shop.git")],
    [("repository.address", "git@github.com:acme/shop.git")],
    [("repository.address", "https://me:secret@github.com/acme/shop.git")],
    [("repository.address", "http://github.com/acme/shop.git")],
    [("repository.also", "projects/acme/repos/shop")],
    [("repository.also", [""])],
    [("repository.credentials", " ")],
    [("repository.branch", "main")],
    [("paths", ["/shop"])],
    [("paths", ["../shop"])],
    [("paths", [5])],
    [("build.trigger", "shop")],
    [("build.trigger", DELETE)],
    [("build.start", "yes")],
    [("images", [])],
    [("images", DELETE)],
    [("images", None)],
    [("images.0", "shop")],
    [("images.0.name", "shop")],
    [("images.0.name", "gcr.io/acme/shop@sha256:" + "d" * 64)],
    [("images.0.tag", "latest")],
    [("images.0.tag", "{commit}-{short_commit}")],
    [("images.0.digest", "sha256:" + "d" * 64)],
    [("manifests", DELETE)],
    [("manifests", {})],
    [("manifests.recursive", "yes")],
    [("manifests.kustomize", [])],
    [("manifests.kustomize", {"load": "all"})],
    [("manifests.kustomize", {"enable_helm": True})],
    [("manifests.kustomize", {"remote": ["https://github.com"]})],
    [("manifests.kustomize", {"remote": ["localhost"]})],
    [("manifests.kustomize", {"remote": "github.com"})],
    [("manifests.kustomize", {"name_prefix": "A"})],
    [("manifests.helm", "shop")],
    [("manifests.helm", {"release": "-x"})],
    [("manifests.helm", {"release": "a" * 54})],
    [("manifests.helm", {"values": ["--post-renderer=x"]})],
    [("manifests.helm", {"values": ["../x.yaml"]})],
    [("manifests.helm", {"values": ["//host/x.yaml"]})],
    [("manifests.helm", {"values": "x.yaml"})],
    [("manifests.helm", {"inline": []})],
    [("manifests.helm", {"kubernetes_version": 1.3})],
    [("manifests.helm", {"kubernetes_version": "latest"})],
    [("manifests.helm", {"api_versions": ["--x"]})],
    [("manifests.helm", {"hooks": True})],
    [("manifests.helm", {"charts": REDIS})],
    [("manifests.helm", {"charts": [{name: value for name, value in REDIS.items() if name != "sha256"}]})],
    [("manifests.helm", {"charts": [REDIS | {"sha256": "A" * 64}]})],
    [("manifests.helm", {"charts": [REDIS | {"sha256": f"sha256:{'a' * 64}"}]})],
    [("manifests.helm", {"charts": [REDIS | {"version": "~1.2"}]})],
    [("manifests.helm", {"charts": [REDIS | {"version": 1.2}]})],
    [("manifests.helm", {"charts": [REDIS | {"version": "01.2.3"}]})],
    [("manifests.helm", {"charts": [REDIS | {"name": "../x"}]})],
    [("manifests.helm", {"charts": [REDIS | {"digest": "x"}]})],
    [("manifests.helm", {"charts": [REDIS | {"repository": "oci://ghcr.io/acme", "url": "https://ghcr.io/x.tgz"}]})],
    *(
        [("manifests.helm", {"charts": [REDIS | {"repository": each}]})]
        for each in (
            "http://charts.acme.example",
            "https://ann:pw@charts.acme.example",
            "https://charts.acme.example/a/../b",
            "https://charts.acme.example?x=1",
            "https://169.254.169.254",
            "https://localhost",
            "https://2130706433",
            "file:///etc",
            "@alias",
        )
    ),
    [("manifests.helm", {"charts": [REDIS | {"url": "https://charts.acme.example/x.tgz?token=1"}]})],
    [("manifests.helm", {"charts": [REDIS | {"url": "http://charts.acme.example/x.tgz"}]})],
    [("manifests.helm", {"redirects": ["https://charts.acme.example"]})],
    [("manifests.helm", {"redirects": ["127.0.0.1"]})],
    [("manifests.helm", {"redirects": "charts.acme.example"})],
    [("manifests", "deploy")],
    [("manifests.path", "/deploy")],
    [("manifests.path", "deploy/../..")],
    [("manifests.parts", {"full": "deploy"})],
    [("manifests", {"parts": {"Full": "deploy"}})],
    [("manifests", {"parts": {"full": ""}})],
    [("manifests.repository", ELSEWHERE)],
    [("manifests.ref", "refs/heads/main")],
    [("manifests", {"path": "deploy", "repository": ELSEWHERE, "ref": "main"})],
    [("environments", [])],
    [("environments", DELETE)],
    [("environments", {"staging": {}})],
    [("environments.0.name", "stage.eu")],
    [("environments.0.namespace", DELETE)],
    [("environments.0.namespace", "Shop")],
    [("environments.0.pipeline", DELETE)],
    [("environments.0.pipeline", {"application": "shop"})],
    [("environments.0.pipeline.stage", "x")],
    [("environments.0.refs", ["main"])],
    [("environments.0.refs", ["refs/changes/1"])],
    [("environments.1.refs", ["refs/heads/main"])],
    [("environments.1.promotion", "manual")],
    [("environments.1.on_newer", "cancel")],
    [("environments.1.on_failure", "retry")],
    [("environments.1.requests", "everybody")],
    [("environments.1.operators", "sre@acme.example")],
    [("environments.1.freeze", {"cron": "0 16 * * FRI", "lasts": "64h"})],
    [("environments.1.freeze.0.cron", "0 16 * *")],
    [("environments.1.freeze.0.cron", DELETE)],
    [("environments.1.freeze.0.lasts", "64 hours")],
    [("environments.1.freeze.0.lasts", DELETE)],
    [("environments.1.manifests", {"path": "a", "parts": {"full": "b"}})],
    [("environments.1.manifests", {})],
    [("verify", True)],
    [("verify", {"provenance": "cosign"})],
    [("verify", {"builders": ["a@b.example"]})],
    [("verify", {"platforms": ["amd64"]})],
    [("verify", {"signature": "x"})],
    [("verify", {"keys": [KEY]})],
    [("verify", {"provenance": "build", "keys": [KEY]})],
    [("verify", {"provenance": "attestation", "keys": [{"id": "a"}]})],
    [("verify", {"provenance": "attestation", "keys": [KEY | {"pem": "MFkwEwYH"}]})],
    [("verify", {"provenance": "attestation", "keys": [KEY | {"pem": KEY["pem"].replace("PUBLIC", "PRIVATE")}]})],
    [("verify", {"provenance": "attestation", "keys": [KEY | {"algorithm": "x"}]})],
    [("verify", {"provenance": "attestation", "keys": KEY})],
    [("policy", "strict")],
    [("policy.kind", ["Secret"])],
    [("policy.kinds.allow", ["a b"])],
    [("policy.kinds.only", ["Secret"])],
    [("policy.namespaces", ["Shop"])],
    [("policy.registries", ["https://gcr.io"])],
    [("policy.deny", ["secrets"])],
    [("policy.require", ["limits"])],
    [("policy.labels", ["a b"])],
    [("image_paths", [{"kind": "Workflow"}])],
    [("image_paths", [{"kind": "Workflow", "path": "spec.images[*]"}])],
    [("image_paths", [{"kind": "Workflow", "path": "spec.image", "tag": "x"}])],
    [("environments.0.cluster", "")],
    [("environments.0.policy.deny", ["secrets"])],
    [("notify", CHANNELS["slack"])],
    *([("notify", [channel | {"zzz": 1}])] for channel in CHANNELS.values()),
    *([("notify", [without(channel, "to")])] for channel in CHANNELS.values()),
    *([("notify", [without(channel, "name")])] for channel in CHANNELS.values()),
    *(
        [("notify", [without(channel, field)])]
        for channel in CHANNELS.values()
        for field in set(channel) & {"channel", "space", "address", "server", "sender", "recipients"}
    ),
    *([("notify", [without(CHANNELS[kind], "credentials")])] for kind in ("commit-status", "slack", "teams")),
    [("notify", [CHANNELS["slack"] | {"to": "pager"}])],
    [("notify", [CHANNELS["slack"] | {"space": "spaces/A"}])],
    [("notify", [CHANNELS["slack"] | {"channel": "#ops"}])],
    [("notify", [CHANNELS["slack"] | {"when": "always"}])],
    [("notify", [CHANNELS["slack"] | {"credentials": "xoxb 1"}])],
    [("notify", [CHANNELS["slack"] | {"text": "{user}"}])],
    [("notify", [CHANNELS["slack"] | {"text": "{status"}])],
    [("notify", [CHANNELS["slack"] | {"text": " "}])],
    [("notify", [CHANNELS["slack"] | {"link": "http://deck.acme.example/"}])],
    [("notify", [CHANNELS["slack"] | {"link": "https://{execution}/"}])],
    [("notify", [CHANNELS["slack"] | {"link": "https://deck.acme.example/{link}"}])],
    [("notify", [CHANNELS["commit-status"] | {"context": "{status}"}])],
    [("notify", [CHANNELS["commit-status"] | {"host": "gitea"}])],
    [("notify", [CHANNELS["commit-status"] | {"repository": "https://github.com/shop"}])],
    [("notify", [CHANNELS["google-chat"] | {"credentials": "x"}])],
    [("notify", [CHANNELS["webhook"] | {"address": "http://hooks.acme.example/"}])],
    [("notify", [CHANNELS["mail"] | {"recipients": []}])],
    [("notify", [CHANNELS["mail"] | {"recipients": ["a@b\r\nBcc: c@d"]}])],
    [("notify", [CHANNELS["mail"] | {"sender": "Downwind <a@b>"}])],
    [("notify", [CHANNELS["mail"] | {"server": "smtp.acme.example"}])],
    [("notify", [CHANNELS["mail"] | {"subject": "{nobody}"}])],
]
ONLY_THE_READER_KNOWS: list[list[Change]] = [
    [("images", [{"name": "gcr.io/acme/shop"}, {"name": "gcr.io/acme/shop"}])],
    [("environments.1.name", "staging")],
    [("environments.1.after", "stage")],
    [("environments.1.after", "production")],
    [("environments.1.freeze.0.cron", "0 25 * * FRI")],
    [("environments.1.freeze.0.lasts", "32d")],
    [("environments.1.freeze.0.timezone", "Europe/Atlantis")],
    [("manifests.helm", {"charts": [REDIS, REDIS | {"sha256": "b" * 64}]})],
    [("notify", [CHANNELS["slack"], CHANNELS["mail"] | {"name": "ops"}])],
    [("notify", [CHANNELS["slack"] | {"environments": ["nowhere"]}])],
    [("notify", [CHANNELS["commit-status"] | {"repository": "https://git.acme.example/a/b"}])],
]


def test_the_schema_is_a_schema_and_the_package_brings_it(cli: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    done = cli.run("app", "schema")
    assert json.loads(done.stdout) == SCHEMA


def test_the_example_of_the_design_passes_check_as_it_is(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(DESIGN)
    done = cli.run("app", "check", str(tmp_path / "shop.yaml"))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("changes", GOOD)
def test_both_take_a_good_document(changes: list[Change]) -> None:
    assert (reader_says(changed(*changes)), schema_says(changed(*changes))) == (True, True)


@pytest.mark.parametrize("changes", BAD)
def test_both_refuse_a_bad_document(changes: list[Change]) -> None:
    assert (reader_says(changed(*changes)), schema_says(changed(*changes))) == (False, False)


@pytest.mark.parametrize("changes", ONLY_THE_READER_KNOWS)
def test_what_a_schema_cannot_say_the_reader_refuses(changes: list[Change]) -> None:
    assert (reader_says(changed(*changes)), schema_says(changed(*changes))) == (False, True)


@pytest.mark.parametrize("document", [None, [], "shop", 5])
def test_what_is_no_mapping_is_refused_by_both(document: Any) -> None:
    assert (reader_says(document), schema_says(document)) == (False, False)


def test_the_schema_names_every_field_that_the_reader_knows() -> None:
    """An unknown field makes the reader list the known ones."""

    def known(*path: str, more: Change = ("paths", None)) -> set[str]:
        with pytest.raises(Invalid) as caught:
            read_application(changed(more, (".".join([*path, "zzzzzzzz"]), "x")))
        fixes = [each.fix for each in caught.value.problems if each.path[-1:] == ("zzzzzzzz",)]
        match = re.fullmatch(r"known here: (.*)", fixes[0])
        assert match, fixes
        return set(match[1].split(", "))

    defs = SCHEMA["$defs"]
    assert known() == set(SCHEMA["properties"])
    assert known("repository") == set(defs["repository"]["properties"])
    assert known("build") == set(SCHEMA["properties"]["build"]["properties"])
    assert known("images", "0") == set(SCHEMA["properties"]["images"]["items"]["properties"])
    assert known("manifests") == set(defs["manifests"]["properties"])
    assert known("environments", "0") == set(defs["environment"]["properties"])
    assert known("environments", "0", "pipeline") == set(defs["environment"]["properties"]["pipeline"]["properties"])
    assert known("environments", "1", "freeze", "0") == set(defs["freeze"]["properties"])
    policy: Change = ("policy", {"kinds": {}})
    assert known("policy", more=policy) == set(defs["policy"]["properties"])
    assert known("policy", "kinds", more=policy) == set(defs["policy"]["properties"]["kinds"]["properties"])
    paths = ("image_paths", [{"kind": "Workflow", "path": "spec.image"}])
    assert known("image_paths", "0", more=paths) == set(SCHEMA["properties"]["image_paths"]["items"]["properties"])
    assert known("verify", more=("verify", {})) == set(SCHEMA["properties"]["verify"]["properties"])
    common = set(defs["channel"]["properties"])
    for kind in defs["channel"]["oneOf"]:
        channel = CHANNELS[kind["properties"]["to"]["const"]]
        assert known("notify", "0", more=("notify", [channel])) == common | set(kind["properties"])
