"""Errors in Google's shape: https://cloud.google.com/storage/docs/json_api/v1/status-codes"""

from werkzeug.wrappers import Response

from downwind.local.http import json_response


class StorageError(Exception):
    """One refused call: status, Google's `reason`, and a sentence."""

    def __init__(self, status: int, reason: str, message: str, **where: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.where = where

    def response(self, *, media: bool = False) -> Response:
        """`media`: a download's errors are plain text, as the real service sends them."""
        if self.status == 304:
            return Response(b"", 304)
        if media:
            return Response(self.message, self.status, content_type="text/html; charset=UTF-8")
        first = {"message": self.message, "domain": "global", "reason": self.reason, **self.where}
        return json_response({"error": {"code": self.status, "message": self.message, "errors": [first]}}, self.status)


def invalid(message: str) -> StorageError:
    return StorageError(400, "invalid", message)


def no_bucket() -> StorageError:
    return StorageError(404, "notFound", "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> StorageError:
    return StorageError(404, "notFound", f"No such object: {bucket}/{name}")


def condition_failed() -> StorageError:
    text = "At least one of the pre-conditions you specified did not hold."
    return StorageError(412, "conditionNotMet", text, locationType="header", location="If-Match")


def not_modified() -> StorageError:
    return StorageError(304, "notModified", "Not Modified")


def not_here(what: str) -> StorageError:
    """What this server does not have, said loudly: better no answer than a plausible one."""
    return StorageError(501, "notImplemented", f"storage: {what} is not part of the local world")
