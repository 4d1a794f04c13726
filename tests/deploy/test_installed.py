"""Only with an install from the folder's own requirements.txt (scripts/test --deploy)."""

from typing import Any

import pytest

pytestmark = pytest.mark.deploy


def test_what_is_installed_fits_together(installed: Any, uploaded: Any) -> None:
    assert "No broken requirements" in installed.run("-m", "pip", "check", folder=uploaded)


def test_the_package_itself_is_not_installed(installed: Any, uploaded: Any) -> None:
    assert "downwind" not in installed.run("-m", "pip", "list", "--format=freeze", folder=uploaded)
