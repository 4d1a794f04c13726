"""The functions themselves: each target made by functions-framework from the deployed `main.py`, one path each, one process."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import functions_framework
from werkzeug.wrappers import Request, Response

import downwind
from downwind.local.http import Handler, HttpPart, from_a_web_page

TARGETS = ("on_push", "on_build", "on_image", "on_request", "on_execution", "on_tick", "receive", "operate")


def source() -> Path:
    """`functions/main.py` of a checkout, or its copy in an installed wheel."""
    shipped = Path(__file__).parent / "functions" / "main.py"
    return shipped if shipped.is_file() else Path(downwind.__file__).parent.parent / "main.py"


class FunctionsServer(HttpPart):
    """`POST /<target>` is that function, as its own service would be."""

    name = "functions"

    def __init__(self, *, port: int = 0, environment: Mapping[str, str]) -> None:
        # The functions read their settings from the environment, here as in the cloud.
        os.environ.update(environment)
        self._applications: dict[str, Any] = {
            target: functions_framework.create_app(target, str(source()), "http") for target in TARGETS
        }
        super().__init__(port)

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        target = environ.get("PATH_INFO", "").strip("/").split("/")[0]
        application = self._applications.get(target)
        if application is None or from_a_web_page(environ) is not None:
            return super().__call__(environ, start_response)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"/{target}", "/"
        answer: Iterable[bytes] = application(environ, start_response)
        return answer

    def unknown(self, request: Request) -> Response:
        return Response(f"there is no function at {request.path}; there are {', '.join(TARGETS)}\n", 404)
