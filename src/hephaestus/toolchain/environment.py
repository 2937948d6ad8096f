"""The Environment a stage works in, whoever makes it: nox for sessions, the cache for everything else."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from hephaestus.release.errors import ReleaseError
from hephaestus.toolchain.process import Completed, run_child
from hephaestus.toolchain.redaction import redact

__all__ = ["Environment", "LockedEnvironment", "WorkerError"]

_WORKERS = Path(__file__).resolve().parent.parent / "workers"


class WorkerError(ReleaseError):
    """Raised when a worker ends without its JSON answer: a defect or an environment that was tampered with."""

    def __init__(self, *, worker: str, code: int, output: str) -> None:
        super().__init__(
            what=f"the {worker} worker gave no answer (exit code {code})",
            why="it runs under the stage's own Python because it needs that environment's libraries",
            details=[line for line in output.strip().splitlines() if line.strip()][-8:],
            next_step="run the same command again with nox's `--reuse-venv never` to make the environment afresh",
        )


class Environment(Protocol):
    """An isolated environment made from one lock, installed when first used: a stage that skips installs nothing."""

    @property
    def python(self) -> Path:
        """The interpreter."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout: float | None = None,
        silence: float | None = None,
        umask: int | None = None,
        scripts: Path | None = None,
    ) -> Completed:
        """Run a tool of this environment (its scripts come first on PATH); prints the command, records it.

        ``python`` as first word is this environment's; ``umask`` is the child's own, ours otherwise. ``timeout`` is
        for the whole run, ``silence`` for each line it prints (see ``run_child``). ``scripts`` is a folder of programs
        that comes first on PATH in place of this environment's: for what runs in an environment the stage has made.
        Raises ToolMissingError, ToolHangsError; a failing exit code is the caller's to judge.
        """

    def work(
        self, worker: str, request: Mapping[str, Any], *, env: Mapping[str, str], timeout: float | None = None
    ) -> dict[str, Any]:
        """Run ``hephaestus/workers/<worker>.py`` under this Python (``-I``): JSON in (a file), JSON out (stdout).

        Raises WorkerError when it does not answer with a JSON object.
        """


class LockedEnvironment:
    """The one Environment: ``provision`` installs the lock and says where the interpreter is, when first needed."""

    def __init__(
        self, *, provision: Callable[[], Path], work: Path, announce: Callable[[str], None] = lambda _command: None
    ) -> None:
        self._provision = provision
        self._work = work
        self._announce = announce
        self.commands: list[list[str]] = []

    @cached_property
    def python(self) -> Path:
        """The interpreter; asking for it makes the environment."""
        return self._provision()

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout: float | None = None,
        silence: float | None = None,
        umask: int | None = None,
        scripts: Path | None = None,
    ) -> Completed:
        """See Environment.run."""
        return self._run(
            argv, env=env, cwd=cwd, timeout=timeout, silence=silence, separate=False, umask=umask, scripts=scripts
        )

    def work(
        self, worker: str, request: Mapping[str, Any], *, env: Mapping[str, str], timeout: float | None = None
    ) -> dict[str, Any]:
        """See Environment.work."""
        self._work.mkdir(parents=True, exist_ok=True)
        question = self._work / f"{worker}-{len(self.commands)}.json"
        question.write_text(json.dumps(request, indent=1), encoding="utf-8")
        argv = ["python", "-I", str(_WORKERS / f"{worker}.py"), str(question)]
        done = self._run(argv, env=env, cwd=self._work, timeout=timeout, separate=True)
        try:
            answer = json.loads(done.stdout)
        except ValueError as error:
            raise WorkerError(worker=worker, code=done.code, output=done.output) from error
        if not isinstance(answer, dict):
            raise WorkerError(worker=worker, code=done.code, output=done.output)
        if isinstance(answer.get("error"), str):
            answer["error"] = redact(answer["error"], environ=env)
        return answer

    def _run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        timeout: float | None,
        separate: bool,
        silence: float | None = None,
        umask: int | None = None,
        scripts: Path | None = None,
    ) -> Completed:
        program = str(self.python) if argv[0] == "python" else argv[0]
        words = [program, *argv[1:]]
        self._announce(redact(shlex.join(words), environ=env))
        self.commands.append([redact(word, environ=env) for word in words])
        first = str(scripts or self.python.parent)
        path = os.pathsep.join([first, env["PATH"]]) if env.get("PATH") else first
        self._work.mkdir(parents=True, exist_ok=True)
        return run_child(
            words, env={**env, "PATH": path}, cwd=cwd or self._work, timeout=timeout, silence=silence,
            separate=separate, umask=umask,
        )  # fmt: skip
