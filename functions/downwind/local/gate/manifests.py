"""What a deployManifest stage deploys: its own text, or a fetched artifact, read as Orca reads it (deploy-manifest.md 3, 4).

SnakeYAML and PyYAML share their rules (YAML 1.1): tab indents and raw control characters fail in both.
Left out: the limit of 3,145,728 code points a document; an object that is not there costs three quick tries, not 102 s.
"""

import base64
import datetime as dt
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import yaml

from downwind.local.gate.work import Work, failed_task

# JSON's `\/`, which PyYAML knows and SnakeYAML does not.
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")
_TRIES = 10
_REFUSALS = 3
_TIMEOUT = 20

Manifest = dict[str, Any]


def resolve_manifests(work: Work, storage_url: str) -> list[Manifest]:
    """The stage's manifests, artifact fetched, expressions evaluated where Orca would."""
    context = work.context
    if context.get("source") != "artifact":
        return [_without_nulls(manifest) for manifest in context.get("manifests") or []]
    artifact = _manifest_artifact(work)
    text = _fetch(work, artifact, storage_url)
    manifests = _parse(text)
    v4 = work.run.document.get("spelEvaluator") == "v4"
    if v4 and context.get("skipExpressionEvaluation"):
        return manifests
    evaluated: list[Manifest] = work.evaluate(manifests)
    return evaluated


def trigger_artifacts(work: Work) -> list[dict[str, Any]]:
    """Orca posts every artifact of the trigger as optional, the manifest's own included; bound ones with their account."""
    trigger = work.run.document["trigger"]
    bound = {_key(item["boundArtifact"]): item["boundArtifact"] for item in trigger["resolvedExpectedArtifacts"]}
    return [bound.get(_key(artifact), artifact) for artifact in trigger["artifacts"]]


def required_artifacts(work: Work) -> list[dict[str, Any]]:
    return [_expected(work, wanted) for wanted in work.context.get("requiredArtifactIds") or []]


def _manifest_artifact(work: Work) -> dict[str, Any]:
    inline = work.context.get("manifestArtifact")
    artifact = dict(inline) if inline else _expected(work, work.context.get("manifestArtifactId"))
    account = work.context.get("manifestArtifactAccount") or artifact.get("artifactAccount")
    if not account:
        raise _failed("No manifest artifact account was specified.", "IllegalArgumentException")
    return {**artifact, "artifactAccount": account}


def _expected(work: Work, expected_id: Any) -> dict[str, Any]:
    for item in work.run.document["trigger"]["resolvedExpectedArtifacts"]:
        if item["id"] == expected_id:
            return dict(item["boundArtifact"])
    raise _failed(
        f"No artifact with id {expected_id} could be found in the pipeline context.", "IllegalArgumentException"
    )


def _fetch(work: Work, artifact: Mapping[str, Any], storage_url: str) -> str:
    try:
        address = artifact_address(artifact, storage_url)
    except ValueError as error:
        raise _failed(str(error), "IllegalArgumentException") from error
    return address.decode() if isinstance(address, bytes) else _get(work, address)


def artifact_address(artifact: Mapping[str, Any], storage_url: str) -> str | bytes:
    """Where its bytes are, or the bytes themselves. ValueError: nothing here handles such an artifact."""
    reference = str(artifact.get("reference", ""))
    if artifact.get("type") == "embedded/base64":
        return base64.b64decode(reference)
    if artifact.get("type") != "gcs/object":
        raise ValueError(f"No credentials registered to handle artifact: {dict(artifact)}")
    bucket, _, name = reference.removeprefix("gs://").partition("/")
    name, _, generation = name.rpartition("#") if "#" in name else (name, "", "")
    if generation and not generation.isdigit():
        raise ValueError(f"the generation of {reference} is no number")
    url = f"{storage_url}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}?alt=media"
    return url + (f"&generation={generation}" if generation else "")


def _get(work: Work, url: str) -> str:
    """Orca tries ten times, each pause twice the one before; an answer that says no is asked for three times only."""
    reason, refusals = "", 0
    for attempt in range(_TRIES):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                reason = (
                    f"Status: {error.code}, Method: PUT, URL: http://clouddriver.local:7002/artifacts/fetch, Message: "
                )
                reason += error.reason
            refusals += 1
            if refusals == _REFUSALS:
                break
        except OSError as error:
            reason = f"{url}: {error}"
        work.sleep(2 * work.run.task_seconds * 2**attempt)
    raise _failed(
        f"com.netflix.spinnaker.kork.retrofit.exceptions.SpinnakerHttpException: {reason}", "IllegalStateException"
    )


def _parse(text: str) -> list[Manifest]:
    if _ESCAPED_SLASH.search(text):
        raise _failed("found unknown escape character /(47)", "ScannerException")
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise _failed(str(error), "ScannerException") from error
    manifests: list[Any] = []
    for document in documents:
        manifests.extend(document if isinstance(document, list) else [] if document is None else [document])
    for manifest in manifests:
        if not isinstance(manifest, dict):
            text = f"Cannot deserialize value of type ImmutableMap from {type(manifest).__name__}"
            raise _failed(text, "MismatchedInputException")
    return [_without_nulls(manifest) for manifest in manifests]


def _without_nulls(value: Any) -> Any:
    """Orca drops nulls in objects, at any depth, and keeps them in lists; unquoted dates become milliseconds."""
    if isinstance(value, dict):
        return {str(key): _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dt.datetime):
        return int(value.replace(tzinfo=value.tzinfo or dt.UTC).timestamp() * 1000)
    if isinstance(value, dt.date):
        return int(time.mktime(value.timetuple())) * 1000
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _key(artifact: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(artifact.get(key) for key in ("type", "name", "location", "reference"))


def _failed(text: str, kind: str) -> Exception:
    return failed_task(text, kind, "resolveDeploySourceManifest")
