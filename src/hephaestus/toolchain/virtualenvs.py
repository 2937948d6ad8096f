"""Environments outside nox: made once from a lock, in the cache, by uv where it is there and virtualenv otherwise."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from hephaestus.release.errors import ReleaseError
from hephaestus.release.files import write_text
from hephaestus.toolchain.locks import INSTALL_OPTIONS, Lock
from hephaestus.toolchain.process import run_child
from hephaestus.toolchain.user_cache import named_folder, user_cache

__all__ = ["EnvironmentNotMadeError", "cache_folder", "cached_environment", "made_environment", "python_of"]

_COMPLETE = "hephaestus-lock"


class EnvironmentNotMadeError(ReleaseError):
    """Raised when an environment cannot be made: no network, a wrong hash, a full disk."""

    def __init__(self, *, lock: str, output: str) -> None:
        super().__init__(
            what=f"the {lock} environment could not be made",
            why="its tools are installed from a hash-locked list, wheels only; without them nothing can run",
            details=[line for line in output.strip().splitlines() if line.strip()][-8:],
            next_step="check the network and the package index settings of pip or uv, then run the same command again",
        )


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where environments are kept: HEPHAESTUS_CACHE, else the user's cache."""
    return named_folder(environ, "HEPHAESTUS_CACHE") or user_cache(environ)


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def cached_environment(lock: Lock, *, env: Mapping[str, str], cache: Path) -> Path:
    """The Python of an environment that holds exactly ``lock``; made when it is not there, shared by all projects.

    ``env`` is the child environment of installers. Raises EnvironmentNotMadeError.
    """
    import filelock

    if made := made_environment(lock, cache=cache):
        return made
    folder = _folder(lock, cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if made := made_environment(lock, cache=cache):
            return made
        shutil.rmtree(folder, ignore_errors=True)
        for argv in _commands(folder, lock, env):
            done = run_child(argv, env=env, cwd=folder.parent, timeout=900)
            if not done.ok:
                shutil.rmtree(folder, ignore_errors=True)
                raise EnvironmentNotMadeError(lock=lock.name, output=done.output)
        write_text(folder / _COMPLETE, f"{lock.digest}\n")
    return python_of(folder)


def made_environment(lock: Lock, *, cache: Path) -> Path | None:
    """The Python of that environment where it is complete already; None where it would have to be made."""
    folder = _folder(lock, cache)
    python = python_of(folder)
    return python if (folder / _COMPLETE).is_file() and python.exists() else None


def _folder(lock: Lock, cache: Path) -> Path:
    tag = f"{sys.implementation.cache_tag}-{lock.digest.removeprefix('sha256:')[:16]}"
    return cache / "environments" / f"{lock.name}-{tag}"


def _commands(folder: Path, lock: Lock, env: Mapping[str, str]) -> list[list[str]]:
    requirements = [*INSTALL_OPTIONS, "-r", os.fspath(lock.path)]
    python = os.fspath(python_of(folder))
    if shutil.which("uv", path=env.get("PATH")):
        return [
            ["uv", "venv", "--quiet", "--no-project", "--python", sys.executable, os.fspath(folder)],
            ["uv", "pip", "install", "--quiet", "--python", python, *requirements],
        ]
    return [
        [sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update", os.fspath(folder)],
        [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", *requirements],
    ]
