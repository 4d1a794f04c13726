"""One JSON line for each thing that happened, on standard output, as Cloud Logging reads it.

An own logger, not the root: with LOG_EXECUTION_ID=true the functions framework sets the root to WARNING.
Only the fields that a caller names are written, cut and escaped; nothing here ever sees a header or a body.
"""

import json
import sys
from typing import Any, TextIO

LIMIT = 2000


def line(severity: str, message: str, **fields: Any) -> str:
    """The line without its end. JSON escapes control characters, so no text can start a second record."""
    record = {"severity": severity, "message": message[:LIMIT]}
    record |= {name: value[:LIMIT] if isinstance(value, str) else value for name, value in fields.items()}
    return json.dumps(record, default=str)


def write(severity: str, message: str, *, stream: TextIO | None = None, **fields: Any) -> None:
    print(line(severity, message, **fields), file=stream or sys.stdout, flush=True)


def info(message: str, **fields: Any) -> None:
    write("INFO", message, **fields)


def warning(message: str, **fields: Any) -> None:
    write("WARNING", message, **fields)


def error(message: str, **fields: Any) -> None:
    write("ERROR", message, **fields)
