"""What holds for every test; and the application shop."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.shop import Shop

from downwind.adapters.engine_programs import Programs
from downwind.adapters.engine_renderer import EngineRenderer
from downwind.adapters.memory import MemoryWorld

# Where CycloneDX's validator has brought a grammar of IRIs, jsonschema reads it at its import, for more than a second in each
# process. Only the bill of materials, which that validator reads (scripts/test --deploy), has a field of that format.
if os.environ.get("WITH_DEPLOY") != "1":
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # so an import of it fails

# The same examples in every run. Slow is no failure: the machine that runs the tests is shared, no test asserts a time.
settings.register_profile(
    "downwind", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("downwind")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without WITH_LONG=1 (scripts/test --long) the long ones are left out, without WITH_ENGINES (scripts/test --engines) those
    of the real engines, and pytest says how many."""
    given = {"long": os.environ.get("WITH_LONG") == "1", "engines": bool(os.environ.get("WITH_ENGINES"))}
    unwanted = [marker for marker, wanted in given.items() if not wanted]
    left = [item for item in items if any(item.get_closest_marker(marker) for marker in unwanted)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    items[:] = long_first(items)


def long_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of two processes each takes half of the items to begin with: the one begins with what plays in the session's world, which
    then is started once, the other with what starts a world of its own."""
    shared = [item for item in items if "downwind_world" in fixtures(item)]
    own = [item for item in items if item.get_closest_marker("e2e") and "downwind_world" not in fixtures(item)]
    rest = [item for item in items if not item.get_closest_marker("e2e") and "downwind_world" not in fixtures(item)]
    first = max(0, len(items) // 2 - len(shared))
    return [*shared, *rest[:first], *own, *rest[first:]]


def fixtures(item: pytest.Item) -> list[str]:
    found: list[str] = getattr(item, "fixturenames", [])
    return found


@pytest.fixture(autouse=True)
def no_settings_are_left() -> Iterator[None]:
    """Settings of an installation that one test left in the environment would be those of the tests after it."""
    before = settings_of_the_environment()
    yield
    left = settings_of_the_environment()
    for name in left.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    assert left == before


def settings_of_the_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("DOWNWIND_")}


@pytest.fixture(scope="session")
def engines() -> EngineRenderer:
    """The real ones. Only tests that are marked `engines` may ask for it."""
    return EngineRenderer(Programs([Path(os.environ["WITH_ENGINES"])]), wall=60)


@pytest.fixture
def memory() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def shop(memory: MemoryWorld) -> Shop:
    return Shop(memory)
