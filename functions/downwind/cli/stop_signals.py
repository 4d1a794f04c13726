"""Ctrl-C and SIGTERM for commands that run until somebody stops them."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

import click


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event; one that comes while the body is busy breaks it off, and the process ends with 130.

    Only the first counts: further ones would break off the stopping.
    """
    stopping = _Waited()

    def stop(*_: object) -> None:
        if stopping.is_set():
            return
        stopping.set()
        if not stopping.waiting:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    except (KeyboardInterrupt, click.Abort):  # click makes an Abort of what comes while it asks
        click.echo("stopped", err=True)
        sys.exit(130)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Waited(threading.Event):
    """Knows whether somebody waits for it now."""

    waiting = False

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting = True
        try:
            # Short waits, since a signal is only handled between them.
            while not super().wait(0.2 if timeout is None else timeout):
                if timeout is not None:
                    return False
            return True
        finally:
            self.waiting = False
