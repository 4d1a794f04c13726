"""Files of this repository that the package brings along: read in a checkout where they stand, else from the installed wheel."""

from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """`name` as it stands in the repository (`infra/admission/sequence-policy.yaml`)."""
    beside = _PACKAGE.parent.parent / name
    return beside if beside.exists() else _PACKAGE / "files" / name


@cache
def admission_policy() -> tuple[dict[str, Any], ...]:
    """The ValidatingAdmissionPolicies and bindings of infra/admission, in the file's order. Not to be changed by the reader."""
    import yaml

    text = shipped("infra/admission/sequence-policy.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load_all(text))


def break_glass() -> dict[str, Any]:
    """The ClusterRole of infra/admission/break-glass.yaml."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(shipped("infra/admission/break-glass.yaml").read_text(encoding="utf-8"))
    return found
