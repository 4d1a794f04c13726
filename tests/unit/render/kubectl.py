"""kubectl's own reader of manifests, without a cluster; and the corpus of scalars with its answers.

`python -m tests.unit.render.kubectl` asks the kubectl on the path again and writes its answers down. Recorded with kubectl
1.32.4; 1.37.1 says the same.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KUBECTL = shutil.which("kubectl")
CORPUS = Path(__file__).parent / "corpus" / "scalars.jsonl"
REFUSED = "kubectl refuses"
PLACES = {
    "value": "spec:\n  value: {}\n",
    "item": "spec:\n- {}\n",
    "flow": "spec: [{}]\n",
    "key": "spec:\n  {}: value\n",
}
"""Where a scalar may stand. `{}` is the scalar as it is written in the file."""


def manifest(place: str, scalar: str, name: str = "a") -> str:
    """An object of a kind that nobody knows, so that no schema has a say."""
    return f"apiVersion: acme.example/v1\nkind: Trap\nmetadata: {{name: {name}}}\n" + PLACES[place].replace(
        "{}", scalar
    )


def read(text: str | bytes) -> list[dict[str, Any]] | None:
    """The objects as kubectl hands them to the API server; None where it refuses the file."""
    assert KUBECTL, "no kubectl on the path"
    data = text.encode() if isinstance(text, str) else text
    command = [KUBECTL, "annotate", "--local", "--filename", "-", "--output", "json", "asked=yes"]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    if done.returncode:
        return None
    decoder, found, rest = json.JSONDecoder(), [], done.stdout.decode().strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def corpus() -> list[tuple[str, str, Any]]:
    """(place, scalar, what kubectl makes of `spec`), or REFUSED."""
    return [tuple(json.loads(line)) for line in CORPUS.read_text().splitlines()]


def answers(cases: Sequence[tuple[str, str]]) -> list[Any]:
    """Asks for many at once, and where kubectl refuses, for each half."""
    text = "---\n".join(manifest(place, scalar, f"n{number}") for number, (place, scalar) in enumerate(cases))
    found = read(text)
    if found is not None and len(found) == len(cases):
        return [each.get("spec") for each in found]
    if len(cases) == 1:
        return [REFUSED]
    half = len(cases) // 2
    return [*answers(cases[:half]), *answers(cases[half:])]


def main() -> None:
    cases = [(place, scalar) for place, scalar, _ in corpus()]
    lines = [json.dumps([place, scalar, answer]) for (place, scalar), answer in zip(cases, answers(cases), strict=True)]
    CORPUS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
