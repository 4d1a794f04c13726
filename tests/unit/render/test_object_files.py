"""Files of single objects, for people."""

import json

from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.object_files import object_files

RELEASE = ReleaseFacts(application="shop", environment="staging", namespace="shop", commit="c" * 40)


def test_names_lead_nowhere_and_any_text_is_json_again() -> None:
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a/../b:C"},
            "data": {"a": "ä😀", "b": "\ud83d"},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x" * 250}},
    ]
    files = object_files(make_bundle(objects, RELEASE))
    assert list(files) == ["0001-configmap-a-..-b-c.json", f"0002-configmap-{'x' * 190}.json"]
    first = files["0001-configmap-a-..-b-c.json"]
    assert "ä😀".encode() in first
    assert json.loads(first)["data"] == {"a": "ä😀", "b": "\ud83d"}
