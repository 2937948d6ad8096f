"""Boundaries: counted, listed, and deadly only when asked for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hephaestus.release.boundary import BoundaryFault, arm, boundary

# A forked child only passes boundaries and dies; from 3.12 on Python warns of forks where other tests run threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm(None)


def ended(action: Callable[[], None]) -> int:
    """The wait status of a forked child that does ``action``."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def test_nothing_happens_unarmed() -> None:
    """A boundary that nobody armed is passed."""
    boundary("anything")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("at", [1, 3])
def test_the_process_dies_exactly_there(tmp_path: Path, at: int) -> None:
    """An armed process is killed at the boundary of that number, neither before nor after."""
    trace = tmp_path / "trace"

    def four() -> None:
        arm(BoundaryFault(kill_at=at, trace=trace))
        for number in range(1, 5):
            boundary(f"step {number}")

    status = ended(four)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert trace.read_text(encoding="utf-8").splitlines() == [f"{n} step {n}" for n in range(1, at + 1)]


def test_arming_again_with_the_same_fault_goes_on_counting(tmp_path: Path) -> None:
    """Every session of a run arms the same fault; the count is that of the process, until it is disarmed."""
    fault = BoundaryFault(trace=tmp_path / "trace")
    arm(fault)
    boundary("a")
    arm(BoundaryFault(trace=tmp_path / "trace"))
    boundary("b")
    arm(None)
    arm(fault)
    boundary("c")
    assert (tmp_path / "trace").read_text(encoding="utf-8") == "1 a\n2 b\n1 c\n"


def test_threads_share_one_count(tmp_path: Path) -> None:
    """Children of one stage run side by side; each boundary still has a number of its own."""
    arm(BoundaryFault(trace=tmp_path / "trace"))
    threads = [threading.Thread(target=lambda: [boundary("x") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "trace").read_text(encoding="utf-8") == "".join(f"{n} x\n" for n in range(1, 201))
