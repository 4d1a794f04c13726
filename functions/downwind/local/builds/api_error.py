"""Google's error bodies (google.rpc.Status in JSON), so that the official client raises what it raises in production."""

from typing import Any

_STATUS = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 409: "ALREADY_EXISTS", 501: "UNIMPLEMENTED"}


class ApiError(Exception):
    def __init__(self, code: int, message: str, status: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "error": {"code": code, "message": message, "status": status or _STATUS.get(code, "UNKNOWN")}
        }
