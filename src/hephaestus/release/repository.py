"""The project's git repository as bump and notes need it: questions, and the few changes a bump makes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.boundary import boundary
from hephaestus.release.errors import ReleaseError
from hephaestus.release.notes import Commit
from hephaestus.release.source import git_environment

__all__ = ["GitRefusedError", "Ran", "Repository"]

#: Seconds a local git command may take: hooks and a passphrase asked for outside the terminal need their time.
_PATIENCE = 600.0

#: The same where a machine runs us and nobody could answer.
_PATIENCE_IN_CI = 60.0

#: Seconds a git that is told to end gets for it.
_GRACE = 5.0


class GitRefusedError(ReleaseError):
    """Raised when a git command fails that should have done something; ``output`` is what it said."""

    def __init__(self, *, command: Sequence[str], output: str, next_step: str) -> None:
        self.output = output
        lines = [line for line in output.splitlines() if line.strip()]
        super().__init__(
            what=f"`git {' '.join(command[:2])}` failed",
            why="git's own words follow; a hook, a signature or a permission are the usual reasons",
            details=lines[-8:],
            next_step=next_step,
        )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A finished git command."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        """What it answered, without the line end; empty when it failed."""
        return self.output.rstrip("\n") if self.code == 0 else ""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Git in the project's folder. Nothing here ever asks at a terminal."""

    root: Path

    def ask(self, *words: str, env: Mapping[str, str] | None = None, timeout: float = _PATIENCE) -> Ran:
        """Run git and take any answer; a command that does not end in time counts as failed."""
        environment = {**git_environment(), "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", **(env or {})}
        code, output, errors = self._run(words, environment, timeout)
        text = output.decode("utf-8", "surrogateescape")
        return Ran(code=code, output=text, errors=errors.decode("utf-8", "replace"))

    def _run(self, words: Sequence[str], env: Mapping[str, str], timeout: float) -> tuple[int, bytes, bytes]:
        command = ["git", "-c", "core.quotePath=false", *words]
        try:
            # In a session of its own there is no terminal that a hook, ssh or a signer could ask at.
            process = subprocess.Popen(
                command, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            return 127, b"", b"git is not installed, or not on PATH"
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            return 124, b"", f"it did not end within {timeout:.0f} seconds".encode()
        except BaseException:
            _end(process)
            raise
        return process.returncode, output, errors

    def change(self, *words: str, next_step: str) -> str:
        """Run git for its effect; raises GitRefusedError."""
        boundary(f"git {words[0]}")
        machine = bool(os.environ.get("CI"))
        ran = self.ask(*words, timeout=_PATIENCE_IN_CI if machine else _PATIENCE)
        boundary(f"git {words[0]} done")
        if ran.code != 0:
            raise GitRefusedError(command=words, output=f"{ran.output}\n{ran.errors}", next_step=next_step)
        return ran.output.strip()

    def state_folder(self) -> Path:
        """Where git keeps what belongs to this work tree alone."""
        return Path(self.ask("rev-parse", "--absolute-git-dir").text)

    def commit_of(self, name: str) -> str:
        """The commit a name stands for, or empty."""
        return self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").text

    def tags(self, *, merged: str = "") -> list[str]:
        """Every tag; with ``merged`` those which that revision contains."""
        return self.ask("tag", "--list", *(["--merged", merged] if merged else [])).text.split()

    def contains(self, commit: str) -> bool:
        """Whether HEAD is ``commit`` or comes after it; False for a commit that is not known here."""
        return self.ask("merge-base", "--is-ancestor", commit, "HEAD").code == 0

    def setting(self, name: str) -> str:
        """A value of git's configuration, or empty."""
        return self.ask("config", "--get", name).text

    def remote_of(self, branch: str) -> str:
        """The remote a branch belongs to: its own, else ``origin``, else the only one; empty without any."""
        remotes = self.ask("remote").text.split()
        own = self.setting(f"branch.{branch}.remote")
        if own in remotes:
            return own
        return "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""

    def content_at(self, revision: str, path: str) -> bytes | None:
        """A file of the project at a revision, or None where it is not there."""
        code, content, _ = self._run(("show", f"{revision}:./{path}"), git_environment(), _PATIENCE)
        return content if code == 0 else None

    def commits_since(self, tag: str, *, until: str = "HEAD") -> list[Commit]:
        """The commits that changed the project after ``tag`` (all, where it is empty): newest first, no merges."""
        span = f"{tag}..{until}" if tag else until
        shown = self.ask("log", "--no-merges", "-z", "--format=%H%n%B", span, "--", ".")
        commits = []
        for entry in shown.output.split("\0") if shown.code == 0 else ():
            commit, _, message = entry.partition("\n")
            if not commit:
                continue
            message = message.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            subject, _, body = message.strip().partition("\n")
            breaking = any(line.startswith(("BREAKING CHANGE:", "BREAKING-CHANGE:")) for line in body.splitlines())
            commits.append(Commit(id=commit, subject=subject.strip() or "(no subject)", breaking=breaking))
        return commits

    def present(self, path: str) -> bool:
        """Whether git has the file ``path`` of the project, or anything in that folder."""
        return self.ask("ls-files", "--error-unmatch", "--", path).code == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a git and what it started; politely first, so that it takes its locks away."""
    for signum in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signum)
        else:
            process.terminate()
        try:
            process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            continue
        return
