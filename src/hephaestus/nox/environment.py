"""From a nox.Session to an Environment: the session's own virtual environment, filled from the stage's lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hephaestus.release.errors import ReleaseError
from hephaestus.toolchain.locks import INSTALL_OPTIONS, Lock
from hephaestus.toolchain.virtualenvs import EnvironmentNotMadeError, python_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import nox

__all__ = ["NotIsolatedError", "provision", "refuse_unreal"]

_COMPLETE = "hephaestus-lock"


class NotIsolatedError(ReleaseError):
    """Raised under flags with which nox would run no tool, or run it outside an environment of its own."""

    def __init__(self, *, stage: str, flag: str) -> None:
        super().__init__(
            what=f"{stage}: refused under `{flag}`",
            why="the stage could end well without having done its work, and would leave a receipt that lies",
            next_step=f"run the same command without `{flag}`",
        )


def refuse_unreal(session: nox.Session, stage: str) -> None:
    """Raise NotIsolatedError under ``--no-venv`` and ``--install-only`` (facts: nox, fact 10)."""
    if not session.virtualenv.is_sandboxed:
        raise NotIsolatedError(stage=stage, flag="--no-venv")
    # Nox offers no public way to ask; a test holds this attribute to the flag.
    if session._runner.global_config.install_only:  # noqa: SLF001
        raise NotIsolatedError(stage=stage, flag="--install-only")


def provision(session: nox.Session, lock: Lock, *, env: Mapping[str, str]) -> Path:
    """Install ``lock`` into the session's environment unless it is there already; returns the interpreter.

    A file in the environment holds the lock's digest, so that an unchanged lock installs nothing. Raises
    EnvironmentNotMadeError.
    """
    from nox.command import CommandFailed

    folder = Path(session.virtualenv.location).resolve()
    complete = folder / _COMPLETE
    python = python_of(folder)
    if complete.is_file() and complete.read_text(encoding="utf-8").strip() == lock.digest:
        return python
    complete.unlink(missing_ok=True)
    pip_options = () if session.venv_backend == "uv" else ("--no-compile", "--disable-pip-version-check")
    requirements = (*INSTALL_OPTIONS, *pip_options, "-r", os.fspath(lock.path))
    try:
        session.install(*requirements, env=dict(env), include_outer_env=False, silent=True)
    except CommandFailed as error:
        raise EnvironmentNotMadeError(lock=lock.name, output=error.reason or "") from error
    if session._runner.global_config.no_install:  # noqa: SLF001
        raise NotIsolatedError(stage=session.name, flag="--no-install")
    complete.write_text(f"{lock.digest}\n", encoding="utf-8")
    return python
