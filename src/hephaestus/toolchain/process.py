"""Children: one way to run a tool - an exact environment, no stdin, output captured and redacted."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.boundary import boundary
from hephaestus.release.errors import ReleaseError
from hephaestus.toolchain.redaction import redact

__all__ = ["Completed", "ToolHangsError", "ToolMissingError", "run_child"]

#: Seconds a child gets to end by itself after an interrupt: an upload must not be cut in half.
GRACE = 10.0


class ToolMissingError(ReleaseError):
    """Raised when a program that should be in the stage's environment is not there."""

    def __init__(self, *, program: str) -> None:
        super().__init__(
            what=f"{program} cannot be started: no such program in this stage's environment",
            why="the environment was changed or only half made",
            next_step="run the same command again with nox's `--reuse-venv never`",
        )


class ToolHangsError(ReleaseError):
    """Raised when a child did not end in the time it had; it has been ended."""

    def __init__(self, *, command: str, seconds: float) -> None:
        super().__init__(
            what=f"`{command}` did not end within {seconds:.0f} s and was stopped",
            why="a service that accepts a connection and never answers looks like this",
            next_step="run the same command again: what had already arrived is recognised by its hash",
        )


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A child that ended: ``output`` is stdout and stderr as they came, ``stdout`` alone where asked for."""

    argv: tuple[str, ...]
    code: int
    output: str
    stdout: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0


def run_child(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float | None = None,
    stdin: str | None = None,
    separate: bool = False,
    umask: int | None = None,
) -> Completed:
    """Run a child to its end; never raises for its exit code.

    ``env`` is the whole environment; ``argv[0]`` is looked up on its PATH. ``separate`` keeps stdout apart from
    stderr (for programs that answer in JSON). ``umask`` is the child's own, ours otherwise (POSIX).
    Raises ToolMissingError, ToolHangsError. On an interrupt the child gets GRACE seconds before it is terminated.
    """
    program = shutil.which(argv[0], path=env.get("PATH"))
    if program is None:
        raise ToolMissingError(program=argv[0])
    name = Path(argv[0]).stem
    boundary(f"child start {name}")
    child = subprocess.Popen(
        [program, *argv[1:]], env=dict(env), cwd=cwd, text=True, encoding="utf-8", errors="replace",
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE if separate else subprocess.STDOUT,
        umask=-1 if umask is None else umask,
    )  # fmt: skip
    try:
        out, err = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _stop(child)
        raise ToolHangsError(command=redact(shlex.join(argv)), seconds=timeout or 0) from error
    except BaseException:
        _stop(child)
        raise
    boundary(f"child end {name}")
    return Completed(
        argv=tuple(argv),
        code=child.returncode,
        output=redact(f"{out}{err or ''}" if separate else out),
        stdout=out if separate else "",
    )


def _stop(child: subprocess.Popen[str]) -> None:
    _end(child)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            # What it never read cannot be flushed into it any more.
            with contextlib.suppress(OSError):
                stream.close()


def _end(child: subprocess.Popen[str]) -> None:
    for send in (_interrupt, subprocess.Popen.terminate, subprocess.Popen.kill):
        with contextlib.suppress(ProcessLookupError):
            send(child)
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
        return


def _interrupt(child: subprocess.Popen[str]) -> None:
    if os.name == "posix":
        child.send_signal(signal.SIGINT)
