"""What an upload has to do, from our digests and the index's: pure, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from packaging.version import Version

from hephaestus.services.project import IndexFile, IndexProject

__all__ = ["COMPLETION_DAYS", "FileState", "PlannedFile", "UploadPlan", "plan_upload"]

COMPLETION_DAYS = 14
"""Days after its first file during which a release takes further ones (facts: pypi, section 3)."""


class FileState(Enum):
    """How one of our files stands on the index."""

    MISSING = "missing"
    IDENTICAL = "identical"
    CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True)
class PlannedFile:
    """One of our files. ``remote`` is what stands in its place: the same name, or the same bytes under another one."""

    filename: str
    sha256: str
    state: FileState
    remote: IndexFile | None = None

    @property
    def reason(self) -> str:
        """For a conflict: what differs, both digests named; otherwise empty."""
        if self.state is not FileState.CONFLICT or self.remote is None:
            return ""
        if self.remote.filename != self.filename:
            return f"the index has these bytes already, as {self.remote.filename} (sha256 {self.sha256})"
        return f"ours has sha256 {self.sha256}, the index has {self.remote.sha256 or 'one without a sha256'}"


@dataclass(frozen=True, kw_only=True)
class UploadPlan:
    """Our files against the index's. ``foreign`` are files of this version that are none of ours.

    ``deadline``: until then the release takes further files; None when nothing of it is there yet.
    """

    version: Version
    files: tuple[PlannedFile, ...]
    foreign: tuple[IndexFile, ...] = ()
    deadline: datetime | None = None

    @property
    def missing(self) -> tuple[PlannedFile, ...]:
        """What is to be sent."""
        return self._in(FileState.MISSING)

    @property
    def identical(self) -> tuple[PlannedFile, ...]:
        """What is there already, byte for byte."""
        return self._in(FileState.IDENTICAL)

    @property
    def conflicts(self) -> tuple[PlannedFile, ...]:
        """What can never be sent: nothing may be uploaded at all while there is one."""
        return self._in(FileState.CONFLICT)

    @property
    def complete(self) -> bool:
        """Whether all of ours, and nothing foreign, is there."""
        return not self.missing and not self.conflicts and not self.foreign

    def too_late(self, now: datetime) -> bool:
        """Whether something is missing that the index takes no more: then only a new version helps."""
        return bool(self.missing) and self.deadline is not None and now > self.deadline

    def until(self, now: datetime) -> str:
        """Until when the release can be completed, in words; nothing where nothing is missing or nothing is there."""
        if not self.missing or self.deadline is None:
            return ""
        end, left = f"{self.deadline:%Y-%m-%d %H:%M} UTC", self.deadline - now
        if self.too_late(now):
            return f"the {COMPLETION_DAYS} days after its first file ended {end}: a new version is needed"
        hours = int(left.total_seconds() // 3600)
        rest = f"{left.days} days" if left.days > 1 else f"{hours} hours" if hours > 1 else "less than two hours"
        return f"to be completed before {end} ({rest} left)"

    def _in(self, state: FileState) -> tuple[PlannedFile, ...]:
        return tuple(file for file in self.files if file.state is state)


def plan_upload(
    local: Mapping[str, str],
    remote: IndexProject | None,
    version: Version | str,
    *,
    days: int | None = COMPLETION_DAYS,
) -> UploadPlan:
    """Compare ``local`` (file name to sha256, hex) with the index's page of the project (None: no such project).

    ``days``: how long after its first file the index takes further ones; None: for ever.
    """
    wanted = Version(str(version))
    there = () if remote is None else remote.files
    ours = () if remote is None else remote.release_files(wanted)
    times = [file.upload_time for file in ours if file.upload_time is not None]
    by_name = {file.filename: file for file in there}
    by_bytes = {file.sha256: file for file in there if file.sha256 is not None}
    return UploadPlan(
        version=wanted,
        files=tuple(
            _planned(filename, sha256, by_name.get(filename), by_bytes.get(sha256))
            for filename, sha256 in sorted(local.items())
        ),
        foreign=tuple(file for file in ours if file.filename not in local),
        deadline=min(times) + timedelta(days=days) if times and days is not None else None,
    )


def _planned(filename: str, sha256: str, same_name: IndexFile | None, same_bytes: IndexFile | None) -> PlannedFile:
    remote = same_name or same_bytes
    if remote is None:
        state = FileState.MISSING
    elif remote.filename == filename and remote.sha256 == sha256:
        state = FileState.IDENTICAL
    else:
        state = FileState.CONFLICT
    return PlannedFile(filename=filename, sha256=sha256, state=state, remote=remote)
