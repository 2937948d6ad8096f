"""What a process and everything below it used: CPU seconds, peak memory; and the same of a host that outlives it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CommandFailedError", "Usage", "anchor", "host_cpu", "host_peak", "measured"]


class CommandFailedError(Exception):
    """Raised when a measured command ends otherwise than it should: a figure of a failure is no figure."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Of one process tree: ``cpu`` is user + system seconds, ``wall`` seconds.

    ``peak`` is the most memory (bytes, resident) of its largest process, ``own`` of its first one.
    """

    cpu: float = 0.0
    wall: float = 0.0
    peak: int = 0
    own: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            cpu=self.cpu + other.cpu,
            wall=self.wall + other.wall,
            peak=max(self.peak, other.peak),
            own=max(self.own, other.own),
        )


def measured(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    code: int | None = 0,
    umask: int | None = None,
) -> Usage:
    """Run a command to its end and say what it and all its descendants used.

    ``os.wait4`` counts a child together with every descendant that was waited for; a daemon is not among them
    (``host_cpu``). Output goes to ``log`` (appended). Raises CommandFailedError unless it ends with ``code``.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        before = time.perf_counter()
        child = subprocess.Popen(
            list(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            umask=-1 if umask is None else umask,
        )  # fmt: skip
        watch = _Watch(child.pid)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - before
        watch.end()
    child.returncode = os.waitstatus_to_exitcode(status)
    if code is not None and child.returncode != code:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
        raise CommandFailedError(f"exit code {child.returncode}, not {code}: {' '.join(argv)}\n{tail}")
    return Usage(cpu=used.ru_utime + used.ru_stime, wall=wall, peak=used.ru_maxrss * 1024, own=watch.peak)


class _Watch:
    """Looks at a process's peak memory until it ends; the peak only grows, so the last look is all but exact."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(pid,), daemon=True)
        self._thread.start()

    def _look(self, pid: int) -> None:
        while not self._ended.wait(0.05):
            try:
                self.peak = max(self.peak, host_peak(pid))
            except OSError:
                return

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def host_cpu(pid: int) -> float:
    """CPU seconds a living process has used since its start, with the children it has waited for; 0 without ``pid``.

    Read from ``/proc``: to a hundredth of a second. Raises OSError when the process is gone.
    """
    if not pid:
        return 0.0
    # The name, in parentheses, may hold anything; the numbers begin after the last of them (proc(5), stat).
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def host_peak(pid: int | str = "self") -> int:
    """The most memory (bytes, resident) a living process has held since it began to run its program."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/{pid}/status has no VmHWM")


def anchor() -> float:
    """CPU seconds of one fixed loop: how fast this machine is just now. A batch in which it moves says less."""
    before = time.process_time()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    assert total
    return time.process_time() - before
