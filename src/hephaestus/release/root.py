"""The top folder ``release/``: its marker, its lock, the place of every release, real and rehearsed."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hephaestus.release.boundary import boundary
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.release.files import TEMPORARY_PREFIX, NotWritableError, write_text

__all__ = ["KEPT_REHEARSALS", "LockedError", "ReleaseRoot", "UnmarkedFolderError"]

#: How many rehearsals are kept beside the one in place.
KEPT_REHEARSALS = 5

_MARKER = ".hephaestus-release"
_MARKER_TEXT = (
    "This folder belongs to hephaestus: releases and rehearsals. Safe to delete when nothing is being published.\n"
)


class UnmarkedFolderError(ReleaseError):
    """Raised when the configured release folder exists, is not empty and was not made by this suite."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(
            what=f"{path} exists, but this suite did not make it",
            why="the suite moves and removes files in its release folder; it must not do so in a folder of yours",
            next_step='move the folder away, or set another one: `[tool.hephaestus.release] directory = "..."`',
        )


class LockedError(ReleaseError):
    """Raised when another run holds the release for longer than we wait."""

    def __init__(self, *, version: str, owner: str, waited: float) -> None:
        super().__init__(
            what=f"release {version} is in use by {owner}; waited {waited:.0f} s",
            why="two runs on one release directory would undo each other's work",
            next_step="let the other run finish (it resumes nothing you would lose), then run the same command again",
        )


@dataclass(frozen=True, kw_only=True)
class ReleaseRoot:
    """The top folder of all releases of one project. ``rehearsal`` selects the rehearsals' part of it."""

    path: Path
    rehearsal: bool

    @property
    def releases(self) -> Path:
        """The folder whose children are release directories."""
        return self.path / "rehearsal" if self.rehearsal else self.path

    @property
    def foreign(self) -> bool:
        """Whether something stands in this place that the suite did not make."""
        if (self.path / _MARKER).is_file():
            return False
        return self.path.is_symlink() or (self.path.exists() and (not self.path.is_dir() or _holds_anything(self.path)))

    def prepare(self) -> None:
        """Make the folder with its marker and ``.gitignore``; raises UnmarkedFolderError, NotWritableError."""
        marker = self.path / _MARKER
        if self.foreign:
            raise UnmarkedFolderError(path=self.path)
        if not marker.is_file():
            write_text(marker, _MARKER_TEXT)
        if not (self.path / ".gitignore").is_file():
            write_text(self.path / ".gitignore", "*\n")
        try:
            self.releases.mkdir(exist_ok=True)
        except OSError as error:
            raise NotWritableError(path=self.releases, error=error) from error

    def directory(self, version: str) -> ReleaseDirectory:
        """The release directory of ``version``, which need not exist yet."""
        return ReleaseDirectory(path=self.releases / version)

    def former(self, version: str, source: str) -> ReleaseDirectory:
        """Where the rehearsal of ``source`` is kept while another source has its place; it need not exist."""
        return ReleaseDirectory(path=self.releases / "former" / f"{version}-{source}")

    def pointer(self, version: str) -> dict[str, Any]:
        """What ``open_world`` wrote for ``version``, or an empty mapping."""
        try:
            data = json.loads(self._pointer_path(version).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def standins(self, source: str) -> Path:
        """Where the stand-ins of the rehearsal of ``source`` keep their state."""
        return self.releases / "standins" / source

    def open_world(self, version: str, source: str, *, commit: str = "") -> None:
        """Make ``release/rehearsal/<version>`` the directory of ``source``.

        A directory of another source is set aside under ``former/``, from where the same source gets it back;
        the oldest beyond KEPT_REHEARSALS are pruned with their stand-ins' state.
        """
        here = self.pointer(version).get("source")
        current = self.releases / version
        former = self.releases / "former"
        back = self.former(version, source).path
        if here == source and (current.exists() or not back.is_dir()):
            return
        former.mkdir(parents=True, exist_ok=True)
        if here != source:
            if current.exists():
                aside = self.former(version, here or "unknown").path
                shutil.rmtree(aside, ignore_errors=True)
                current.replace(aside)
                # A rename leaves the folder's own time alone, and pruning goes by it.
                os.utime(aside)
                boundary(f"set aside {version}")
            # The pointer tells whose ``current`` is, so it changes while there is none: a kill on either side of
            # it leaves a folder to be brought back, never one under another's name.
            pointer = {"version": version, "source": source, "commit": commit}
            write_text(self._pointer_path(version), json.dumps(pointer) + "\n")
        if back.is_dir():
            back.replace(current)
            boundary(f"brought back {version}")
        self._prune(former)

    def _prune(self, former: Path) -> None:
        kept = {self.pointer(path.stem.removeprefix(".")).get("source") for path in self.releases.glob(".*.world")}
        aside = sorted(former.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in aside[KEPT_REHEARSALS:]:
            shutil.rmtree(path, ignore_errors=True)
        kept |= {path.name.rpartition("-")[2] for path in aside[:KEPT_REHEARSALS]}
        standins = self.releases / "standins"
        for state in standins.iterdir() if standins.is_dir() else ():
            if state.name not in kept:
                shutil.rmtree(state, ignore_errors=True)

    def _pointer_path(self, version: str) -> Path:
        return self.releases / f".{version}.world"

    @contextmanager
    def lock(
        self, version: str, *, wait: float = 600.0, waiting: Callable[[str], None] | None = None
    ) -> Iterator[None]:
        """Hold the release exclusively; ``waiting`` is told once who holds it. Raises LockedError.

        The lock is the operating system's: a dead owner's is free at once. Pid and host are for the message only.
        """
        import filelock

        lock = filelock.FileLock(self.releases / f".{version}.lock")
        owner = self.releases / f".{version}.owner"
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if waiting is not None:
                waiting(_read_owner(owner))
            try:
                lock.acquire(timeout=wait)
            except filelock.Timeout as error:
                raise LockedError(version=version, owner=_read_owner(owner), waited=wait) from error
        except OSError as error:
            raise NotWritableError(path=Path(lock.lock_file), error=error) from error
        try:
            # Nobody but the owner of the lock writes here, once marker and .gitignore are in place.
            for leftover in (*self.path.glob(f"{TEMPORARY_PREFIX}*"), *self.releases.glob(f"{TEMPORARY_PREFIX}*")):
                leftover.unlink(missing_ok=True)
            owner.write_text(f"pid {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
            yield
        finally:
            owner.unlink(missing_ok=True)
            lock.release()


def _holds_anything(folder: Path) -> bool:
    """Whether there is more in ``folder`` than what a run left that was killed while it wrote the marker."""
    return any(not entry.name.startswith(TEMPORARY_PREFIX) for entry in folder.iterdir())


def _read_owner(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8") or "another run"
    except OSError:
        return "another run"
