"""What a program in the sandbox can do with files: read the copy, write its home, no more; and how much of what."""

import os
from pathlib import Path

import pytest

from downwind.adapters import landlock
from downwind.adapters.asked import Asked
from downwind.adapters.sandbox import isolation, run, walls
from downwind.errors import Refused

landlocked = pytest.mark.skipif("files" not in walls(), reason="NOT TESTED: this kernel has no Landlock")
namespaced = pytest.mark.skipif(
    "network" not in walls() or os.geteuid() == 0,
    reason="NOT TESTED: no limit of processes for root, or without unshare",
)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy as an engine gets one, and a file beside it that is none of its business."""
    for name in ("work/copy", "work/home"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "work/copy/a.yaml").write_text("mine\n")
    (tmp_path / "other").write_text("not mine\n")
    (tmp_path / "work/copy/link").symlink_to(tmp_path / "other")
    return tmp_path / "work"


def sh(scratch: Path, text: str) -> bytes:
    return run("sh", ["/bin/sh", "-c", text], scratch / "copy", scratch / "home")


def test_the_copy_can_be_read_and_the_home_be_written(scratch: Path) -> None:
    assert (
        sh(scratch, "read a < a.yaml; echo $a > $HOME/b; read c < $HOME/b; echo $c > /dev/null; echo $c") == b"mine\n"
    )


@landlocked
@pytest.mark.parametrize(
    "line",
    [
        "read a < /etc/hostname",
        "read a < link",
        "read a < ../../other",
        "read a < /proc/self/environ",
        "read a < /proc/1/environ",
        "echo x > a.yaml",
        "echo x > ../../other",
        "echo x > /tmp/downwind-was-here",
        "/bin/cat a.yaml",
    ],
)
def test_nothing_else_can_be_read_written_or_started(scratch: Path, line: str) -> None:
    with pytest.raises(Refused, match=r"(?i)permission denied"):
        sh(scratch, f"{line} && echo done")
    assert not Path("/tmp/downwind-was-here").exists()


def test_a_file_that_it_writes_ends_at_one_mebibyte(scratch: Path) -> None:
    with pytest.raises(Refused, match="sh failed"):
        sh(scratch, "i=0; while [ $i -lt 1200 ]; do printf %1000s x >> $HOME/b; i=$((i+1)); done")
    assert (scratch / "home/b").stat().st_size == 1 << 20


@namespaced
def test_more_processes_than_the_limit_are_not_started(scratch: Path) -> None:
    with pytest.raises(Refused, match="Cannot fork"):
        # What is started before the limit is there has none.
        wait = "l=x; while [ $l != 64 ]; do ulimit -p > $HOME/l; read l < $HOME/l; done"
        sh(scratch, f"{wait}; n=0; f() {{ n=$((n+1)); if [ $n -lt 200 ]; then ( f ); fi; }}; f")


@landlocked
def test_only_the_program_is_confined_and_not_who_started_it(scratch: Path) -> None:
    sh(scratch, "true")
    assert (scratch.parent / "other").read_text() == "not mine\n"
    assert Path("/proc/self/status").read_text()


def test_an_error_of_what_is_started_comes_out() -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        landlock.confined(fails, [])


def test_a_wall_that_could_not_be_put_up_once_is_asked_for_again() -> None:
    """For want of a process, or of time: that passes. What was found to hold is not asked for again."""
    now, answers = [0.0], [(), (), ("unshare",), ()]
    asked = Asked(lambda: answers.pop(0), again=60, clock=lambda: now[0])
    assert asked() == ()
    now[0] = 59
    assert (asked(), len(answers)) == ((), 3)
    now[0] = 60
    assert (asked(), len(answers)) == ((), 2)
    now[0] = 120
    assert asked() == ("unshare",)
    now[0] = 1e6
    assert (asked(), len(answers)) == (("unshare",), 1)


def test_the_walls_of_this_machine_are_asked_for_so() -> None:
    assert isinstance(isolation, Asked)
    assert isinstance(landlock.version, Asked)
