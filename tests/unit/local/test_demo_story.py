"""What the demo proposes to try at its end is true of what was played."""

from pathlib import Path
from typing import Any

from downwind.local.demo import next_steps
from downwind.local.world_file import PORTS, LocalWorld


def rollout(environment: str, sequence: int, status: str) -> dict[str, Any]:
    return {"environment": environment, "sequence": sequence, "commit": str(sequence) * 40, "status": status}


def lines(*rollouts: dict[str, Any]) -> list[str]:
    return next_steps(LocalWorld(folder=Path("/w"), ports=dict.fromkeys(PORTS, 80)), list(rollouts))


def test_it_names_what_is_in_production() -> None:
    said = lines(rollout("staging", 2, "succeeded"), rollout("production", 1, "succeeded"))
    (why,) = [line for line in said if "the whole chain of" in line]
    assert ("why 1111111111" in why, why.endswith("the whole chain of what is in production")) == (True, True)


def test_a_person_who_let_nothing_into_production_is_not_told_that_it_is_there() -> None:
    said = lines(rollout("staging", 1, "succeeded"), rollout("production", 1, "cancelled"))
    (why,) = [line for line in said if "the whole chain of" in line]
    assert why.endswith("the whole chain of what is in staging")
    assert not [line for line in said if "overtaken" in line]
