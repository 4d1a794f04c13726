"""A pipeline file's text is one mapping of YAML as Kubernetes reads it, or a refusal with file, line and fix."""

import pytest

from downwind.errors import Refused
from downwind.soundness.read_pipeline import BYTES, read_pipeline


def test_yaml_and_json_are_read() -> None:
    assert read_pipeline("p.yaml", b"name: deploy # why\nstages: []\n") == {"name": "deploy", "stages": []}
    assert read_pipeline("p.json", b'{"name": "deploy"}') == {"name": "deploy"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"name: a\nname: b\n", "p.yaml:2"),
        (b"- a\n", "not a mapping"),
        (b"name: a\n---\nname: b\n", "holds 2 documents"),
        (b"", "holds 0 documents"),
        (b"#" * (BYTES + 1), "too many"),
        (b"name: [\n", "not YAML"),
    ],
)
def test_what_is_no_pipeline_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_pipeline("p.yaml", text)
    assert refusal.value.reason.startswith("p.yaml")
    assert said in refusal.value.reason
    assert refusal.value.fix
