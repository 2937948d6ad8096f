"""Children: one way to run a tool - an exact environment, no stdin, output captured and redacted."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
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
    """Raised when a child did not end, or fell silent, beyond the time it had; it has been ended.

    ``output`` is what it said until then, where that is known.
    """

    def __init__(self, *, command: str, seconds: float, silent: bool = False, output: str = "") -> None:
        self.output = output
        did = f"said nothing for {seconds:.0f} s" if silent else f"did not end within {seconds:.0f} s"
        super().__init__(
            what=f"`{command}` {did} and was stopped",
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
    silence: float | None = None,
    stdin: str | None = None,
    separate: bool = False,
    umask: int | None = None,
) -> Completed:
    """Run a child to its end; never raises for its exit code.

    ``env`` is the whole environment; ``argv[0]`` is looked up on its PATH. ``separate`` keeps stdout apart from
    stderr (for programs that answer in JSON). ``umask`` is the child's own, ours otherwise (POSIX). ``timeout`` is
    for the whole run, ``silence`` for each line: seconds until the child must have said another (in place of
    ``timeout``, and neither with ``stdin`` nor ``separate``).
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
    said: list[str] = []
    try:
        if silence is None:
            out, err = child.communicate(stdin, timeout=timeout)
        else:
            out, err = _listen(child, said, silence=silence), ""
    except subprocess.TimeoutExpired as error:
        _stop(child)
        raise ToolHangsError(
            command=redact(shlex.join(argv), environ=env), seconds=error.timeout, silent=silence is not None,
            output=redact("".join(said), environ=env),
        ) from error  # fmt: skip
    except BaseException:
        _stop(child)
        raise
    boundary(f"child end {name}")
    return Completed(
        argv=tuple(argv),
        code=child.returncode,
        output=redact(f"{out}{err or ''}" if separate else out, environ=env),
        stdout=out if separate else "",
    )


def _listen(child: subprocess.Popen[str], said: list[str], *, silence: float) -> str:
    """What a child says until its end, collected in ``said``; raises TimeoutExpired when no further line comes."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        # The stream is closed under a child that is ended; what it would still say is nobody's business then.
        with contextlib.suppress(ValueError, OSError):
            for line in child.stdout or ():
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (line := lines.get(timeout=silence)) is not None:
            said.append(line)
    except queue.Empty:
        raise subprocess.TimeoutExpired(child.args, silence) from None
    child.wait(silence)
    if child.stdout is not None:
        child.stdout.close()
    return "".join(said)


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
