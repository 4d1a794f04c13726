"""Cloud Storage's own shapes: buckets, policies by GET and PUT, objects under a retention."""

import re
from typing import Any

from tests.bootstrap.fake.generic import NOW, merge
from tests.bootstrap.fake.state import Answer, Json, State


def storage(state: State, method: str, path: str, query: dict[str, str], body: Any) -> Json:
    if path == "/storage/v1/b":
        return _buckets(state, method, body)
    upload = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
    if upload:
        return _uploaded(state, upload[1], query, body)
    if re.fullmatch(r"/storage/v1/projects/([^/]+)/serviceAccount", path):
        return {
            "kind": "storage#serviceAccount",
            "email_address": "service-1@gs-project-accounts.iam.gserviceaccount.com",
        }
    one = re.fullmatch(r"/storage/v1/b/([^/]+)(/.*)?", path)
    if not one:
        return None
    bucket, rest = one[1], one[2] or ""
    key = ("storage", f"b/{bucket}")
    if key not in state.resources:
        raise Answer(404, "notFound", "The specified bucket does not exist.")
    if rest == "/iam":
        return state.policy("storage", key[1], "getIamPolicy" if method == "GET" else "setIamPolicy", body)
    if rest == "/o":
        items = [
            value for (api, name), value in state.resources.items() if api == "object" and name.startswith(f"{bucket}/")
        ]
        return {"kind": "storage#objects", **({"items": items} if items else {})}
    if rest.startswith("/o/"):
        return _object(state, method, bucket, rest[3:])
    if rest == "/lockRetentionPolicy":
        state.resources[key].setdefault("retentionPolicy", {})["isLocked"] = True
        return state.resources[key]
    return _bucket(state, method, key, query, body)


def _buckets(state: State, method: str, body: Any) -> Json:
    if method == "GET":
        found = [value for (api, name), value in state.resources.items() if api == "storage" and name.startswith("b/")]
        return {"kind": "storage#buckets", **({"items": found} if found else {})}
    key = ("storage", f"b/{body['name']}")
    if key in state.resources:
        raise Answer(
            409, "conflict", "Your previous request to create the named bucket succeeded and you already own it."
        )
    about = {"kind": "storage#bucket", "id": body["name"], "metageneration": "1", "timeCreated": NOW, "etag": "CAE="}
    state.resources[key] = {**about, **body, "location": body["location"].upper()}
    return state.resources[key]


def _bucket(state: State, method: str, key: tuple[str, str], query: dict[str, str], body: Any) -> Json:
    bucket = state.resources[key]
    if method == "GET":
        return bucket
    if method == "DELETE":
        if any(api == "object" and name.startswith(f"{key[1][2:]}/") for api, name in state.resources):
            raise Answer(409, "conflict", "The bucket you tried to delete is not empty.")
        del state.resources[key]
        state.policies.pop(key, None)
        return {}
    if query.get("ifMetagenerationMatch", bucket["metageneration"]) != bucket["metageneration"]:
        raise Answer(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
    merge(bucket, {name: value for name, value in body.items() if value is not None})
    for name in [each for each, value in body.items() if value is None]:
        bucket.pop(name, None)
    bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
    return bucket


def _uploaded(state: State, bucket: str, query: dict[str, str], body: Any) -> Json:
    name = query["name"]
    if query.get("ifGenerationMatch") == "0" and ("object", f"{bucket}/{name}") in state.resources:
        raise Answer(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
    found = {"kind": "storage#object", "generation": str(next(state.ids)), "bucket": bucket, "name": name, "size": body}
    state.resources["object", f"{bucket}/{name}"] = found
    return found


def _object(state: State, method: str, bucket: str, name: str) -> Json:
    key = ("object", f"{bucket}/{name}")
    if key not in state.resources:
        raise Answer(404, "notFound", "No such object")
    if method == "DELETE":
        if state.resources["storage", f"b/{bucket}"].get("retentionPolicy"):
            raise Answer(403, "retentionPolicyNotMet", "The object is subject to the bucket's retention policy.")
        del state.resources[key]
        return {}
    return state.resources[key]
