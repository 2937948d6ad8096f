"""The index on disk: one state file, the distributions' bytes, the journal. All of it survives a kill.

::

    state.json      everything but bytes, replaced as a whole
    files/<sha256>  a distribution's bytes;  metadata/<sha256>  its METADATA, named by its own digest
    journal.jsonl   two lines an upload: as it arrived, and as it was answered

Bytes are written before the state that names them, so that what the state names is always there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from hephaestus.standins.index.records import Attempt, Project, Release, State, StoredFile

__all__ = ["Store", "add_project", "files_of", "project_key", "put_release"]


class Store:
    """The kept state of one index and the lock around every check + write.

    Raises ValueError when what is kept is not what this class wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        for part in ("files", "metadata"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for stray in folder.rglob("*.part"):
            stray.unlink()
        path = folder / "state.json"
        try:
            self.state = State.from_json(json.loads(path.read_bytes())) if path.exists() else State()
            self._attempts = self._read_journal()
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            message = f"the index's state in {folder} cannot be read: {error}"
            raise ValueError(message) from error

    @contextmanager
    def change(self) -> Iterator[State]:
        """Hold the lock and save afterwards; an exception leaves the kept state as it was."""
        with self._lock:
            before = json.dumps(self.state.to_json())
            try:
                yield self.state
                after = json.dumps(self.state.to_json())
                if after != before:
                    self._replace(self._folder / "state.json", after.encode())
            except BaseException:
                self.state = State.from_json(json.loads(before))
                raise

    @contextmanager
    def reading(self) -> Iterator[State]:
        """Hold the lock without changing anything."""
        with self._lock:
            yield self.state

    def keep(self, file: StoredFile, content: bytes, metadata: bytes | None) -> None:
        """Write a distribution's bytes and those of its metadata."""
        self._replace(self.path(file), content)
        if metadata is not None and file.metadata_sha256 is not None:
            self._replace(self._folder / "metadata" / file.metadata_sha256, metadata)

    def path(self, file: StoredFile) -> Path:
        """Where a distribution's bytes are."""
        return self._folder / "files" / file.sha256

    def metadata(self, file: StoredFile) -> bytes | None:
        """The bytes of a wheel's METADATA, or None where none are kept."""
        if file.metadata_sha256 is None:
            return None
        return (self._folder / "metadata" / file.metadata_sha256).read_bytes()

    def arrived(self, attempt: Attempt) -> int:
        """Record an upload before anything is decided; returns its number in the journal."""
        with self._lock:
            self._attempts.append(attempt)
            number = len(self._attempts) - 1
            self._append({"number": number, **asdict(attempt)})
            return number

    def answered(self, number: int, *, status: int, message: str, stored: bool) -> None:
        """Record how the upload ``number`` was answered."""
        with self._lock:
            self._attempts[number] = replace(self._attempts[number], status=status, message=message, stored=stored)
            self._append({"number": number, "status": status, "message": message, "stored": stored})

    def journal(self) -> list[Attempt]:
        """Every upload attempt, oldest first."""
        with self._lock:
            return list(self._attempts)

    def _append(self, entry: dict[str, Any]) -> None:
        with (self._folder / "journal.jsonl").open("ab") as stream:
            stream.write(json.dumps(entry).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _read_journal(self) -> list[Attempt]:
        path = self._folder / "journal.jsonl"
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            # A kill in the middle of a write leaves half a line; what it would have said never happened.
            self._replace(path, whole)
        attempts: list[Attempt] = []
        for line in whole.splitlines():
            entry = json.loads(line)
            number = entry.pop("number")
            if number == len(attempts):
                attempts.append(Attempt(**entry))
            else:
                attempts[number] = replace(attempts[number], **entry)
        return attempts

    def _replace(self, path: Path, content: bytes) -> None:
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)


def project_key(name: str) -> str:
    """The normalised name under which a project is kept (PEP 503)."""
    return canonicalize_name(name)


def add_project(state: State, name: str, *, owner: str, now: float) -> Project:
    """Create an empty project; the caller has checked the name."""
    state.serial += 1
    project = Project(name=name, created=now, owner=owner, serial=state.serial)
    state.projects[project_key(name)] = project
    return project


def put_release(state: State, project: str, release: Release) -> None:
    """Add or replace a release and count the project's change."""
    state.serial += 1
    known = state.projects[project]
    state.projects[project] = replace(known, serial=state.serial, releases={**known.releases, release.version: release})


def files_of(state: State, project: str) -> list[StoredFile]:
    """A project's files by name."""
    return sorted((file for file in state.files.values() if file.project == project), key=lambda file: file.filename)
