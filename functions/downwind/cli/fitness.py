"""What `downwind verify` and `downwind spinnaker verify` ask of Spinnaker, and of the `spin` on this machine."""

import shutil
import subprocess
from collections.abc import Sequence

from downwind.cli.context import Session
from downwind.model.catalog import Registered
from downwind.perform.spinnaker import verify_spinnaker
from downwind.perform.verify import Verdict

_SPIN_SECONDS = 10


def fitness(session: Session, found: Sequence[Registered]) -> Verdict:
    from downwind.wiring import ways_of

    return verify_spinnaker(
        session.world,
        session.spinnaker,
        found,
        session.now(),
        ways=ways_of(session.settings),
        spin=spin_on_the_path(session.environment.get("PATH")),
        local=session.settings.local,
    )


def spin_on_the_path(path: str | None) -> str | None:
    """What it says of itself; None: there is none."""
    program = shutil.which("spin", path=path) if path else None
    if program is None:
        return None
    try:
        said = subprocess.run(
            (program, "--version"), capture_output=True, text=True, timeout=_SPIN_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not say its version"
    return said.stdout.strip() or said.stderr.strip() or "does not say its version"
