"""Ctrl-C stops a command once: while it waits, while it is busy, while it asks."""

import os
import signal

import click
import pytest

from downwind.cli.stop_signals import stopped_by_signals


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_further_signals_do_not_break_off_the_stopping() -> None:
    stopped = []
    with pytest.raises(SystemExit) as ended, stopped_by_signals():
        try:
            ctrl_c()
        finally:
            ctrl_c()
            ctrl_c()
            stopped.append("all of it")
    assert (ended.value.code, stopped) == (130, ["all of it"])


def test_ctrl_c_at_a_question_says_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, stopped_by_signals():
        raise click.Abort
    assert (ended.value.code, capsys.readouterr().err) == (130, "stopped\n")


def test_what_was_there_before_handles_signals_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopped_by_signals():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
