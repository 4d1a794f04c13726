"""A wheel carries the functions' entry points for its local world. In a development install they are the checkout's own, and
a copy beside them would be one too many: so this can't be a plain `force-include`, which goes into both."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MainFile(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"]["functions/main.py"] = "downwind/local/functions/main.py"
