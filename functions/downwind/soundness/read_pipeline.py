"""The text of one pipeline file, as plain data. Pure; `model.pipeline_file` fills it in."""

from typing import Any

from downwind.errors import Refused
from downwind.render.limits import LIMITS, Limits
from downwind.render.yaml_reader import read_documents

BYTES = 1024 * 1024


def read_pipeline(file: str, data: bytes, limits: Limits = LIMITS) -> dict[str, Any]:
    """`file` stands in errors; a name that ends in .json is read as JSON. Refused: no YAML (as Kubernetes reads it: a key
    once, no surprises with `on` and `yes`), not one mapping, more than 1 MiB."""
    if len(data) > BYTES:
        raise Refused(f"{file}: {len(data)} bytes are too many", fix=f"a pipeline has at most {BYTES} bytes")
    documents = read_documents(file, data, limits)
    if len(documents) != 1:
        raise Refused(f"{file}: holds {len(documents)} documents", fix="write one pipeline a file")
    return documents[0]
