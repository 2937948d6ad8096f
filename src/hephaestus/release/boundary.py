"""Boundaries: the instants between two effects, where a run may be killed and must be resumable.

Every write, rename, child start, child end and changing request of the suite passes ``boundary(name)``. A rehearsal
may ask to be killed at one of them (``-- --fault=kill:N``) or to list them (``-- --fault=trace:FILE``); in a publish
neither is accepted.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BoundaryFault", "arm", "boundary"]


@dataclass(frozen=True, kw_only=True)
class BoundaryFault:
    """``kill_at`` counts from 1 within this process; ``trace`` gets one line per boundary passed."""

    kill_at: int | None = None
    trace: Path | None = None


class _State:
    fault: BoundaryFault | None = None
    passed = 0
    lock = threading.Lock()


def arm(fault: BoundaryFault | None) -> None:
    """Arm a fault for this process and count from one again; None disarms."""
    if fault is not None and fault == _State.fault:
        return
    _State.fault = fault
    _State.passed = 0


def boundary(name: str) -> None:
    """Pass one boundary. Dies of SIGKILL here when a rehearsal asked for it."""
    fault = _State.fault
    if fault is None:
        return
    # Children of one stage may run side by side: each boundary has a number of its own all the same.
    with _State.lock:
        _State.passed += 1
        if fault.trace is not None:
            with fault.trace.open("a", encoding="utf-8") as stream:
                stream.write(f"{_State.passed} {name}\n")
        if fault.kill_at == _State.passed:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
