"""The pytest plugin: the fixture `downwind_world` gives tests a whole world on loopback, the same that `downwind local up` runs.

One world serves a whole test session, since it takes seconds to start; give each test its own application or commits.
Nothing is imported or started before a test asks for it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from downwind.local.testing import DownwindWorld


@pytest.fixture(scope="session")
def downwind_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator["DownwindWorld"]:
    """A running `downwind.local.testing.DownwindWorld`; see docs/how-to/test-locally.md."""
    from downwind.local.testing import DownwindWorld

    with DownwindWorld(tmp_path_factory.mktemp("downwind")) as world:
        yield world
