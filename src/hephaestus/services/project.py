"""A project as a package index describes it, read strictly from the simple JSON (PEP 691, 700, 740, 792)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from hephaestus.services.errors import AnswerInvalid, excerpt

__all__ = ["IndexFile", "IndexProject", "plain_name", "version_of"]

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One file on an index. ``sha256`` is None where the index gives none; ``size`` is in bytes.

    ``yanked`` is False, or the reason (empty when none was given). ``provenance`` is the address of its
    attestations (PEP 740).
    """

    filename: str
    url: str
    sha256: str | None
    size: int | None = None
    upload_time: datetime | None = None
    yanked: bool | str = False
    provenance: str | None = None

    @property
    def version(self) -> Version | None:
        """The version in the file's name; None for kinds of files that are no distributions."""
        return version_of(self.filename)

    @property
    def yank(self) -> str | None:
        """The reason of the yank on one line, fit to be shown, perhaps empty; None where it is not yanked."""
        return None if self.yanked is False else excerpt(str(self.yanked))


@dataclass(frozen=True, kw_only=True)
class IndexProject:
    """A project's page. ``status`` is active, archived, quarantined or deprecated (PEP 792)."""

    name: str
    files: tuple[IndexFile, ...]
    versions: tuple[str, ...] = ()
    status: str = "active"
    reason: str = ""

    def file(self, filename: str) -> IndexFile | None:
        """The file of that name."""
        return next((file for file in self.files if file.filename == filename), None)

    def release_files(self, version: Version | str) -> tuple[IndexFile, ...]:
        """The files of that version, equal by PEP 440."""
        wanted = Version(str(version))
        return tuple(file for file in self.files if file.version == wanted)

    @classmethod
    def read(cls, data: Any, *, url: str) -> IndexProject:
        """Read the page's JSON; ``url`` is the page's (file addresses may be relative). Raises AnswerInvalid."""
        if not isinstance(data, dict):
            raise AnswerInvalid(url=url, defect="a JSON object was expected")
        meta = data.get("meta")
        interface = meta.get("api-version") if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(interface, str) or not interface.startswith("1."):
            raise AnswerInvalid(url=url, defect=f"field 'meta.api-version' is {interface!r}, not 1.x")
        files, versions = data.get("files"), data.get("versions", [])
        if not isinstance(data.get("name"), str) or not isinstance(files, list):
            raise AnswerInvalid(url=url, defect="field 'name' or 'files' is missing")
        if not isinstance(versions, list) or not all(isinstance(version, str) for version in versions):
            raise AnswerInvalid(url=url, defect="field 'versions' is not a list of strings")
        # PEP 792 as accepted has an object; PyPI's first form had it below "meta".
        status = data.get("project-status", meta.get("project-status", {}))
        if isinstance(status, str):
            status = {"status": status, "reason": meta.get("project-status-reason")}
        if not isinstance(status, dict):
            raise AnswerInvalid(url=url, defect="field 'project-status' is not an object")
        read = tuple(_file(file, url=url) for file in files)
        twice = sorted(name for name, count in Counter(file.filename for file in read).items() if count > 1)
        if twice:
            raise AnswerInvalid(url=url, defect=f"files listed twice: {', '.join(twice)}")
        return cls(
            name=str(canonicalize_name(data["name"])),
            files=read,
            versions=tuple(versions),
            status=str(status.get("status") or "active"),
            reason=excerpt(str(status.get("reason") or "")),
        )


def version_of(filename: str) -> Version | None:
    """The version in a distribution's file name; None when it is no wheel or sdist by name."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        return parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


def plain_name(filename: str) -> bool:
    """Whether it can be a file's name and nothing else: no path, no white space, every sign of it to be seen."""
    return re.fullmatch(r"[^/\\\s]{1,255}", filename) is not None and filename.isprintable()


def _file(data: Any, *, url: str) -> IndexFile:
    if not isinstance(data, dict):
        raise AnswerInvalid(url=url, defect="an entry of 'files' is not an object")
    filename, place, hashes = data.get("filename"), data.get("url"), data.get("hashes")
    if not isinstance(filename, str) or not plain_name(filename):
        raise AnswerInvalid(url=url, defect=f"a file's 'filename' is {filename!r}")
    if not isinstance(place, str) or not isinstance(hashes, Mapping):
        raise AnswerInvalid(url=url, defect=f"{filename}: 'url' or 'hashes' is missing")
    sha256 = hashes.get("sha256")
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.match(sha256)):
        raise AnswerInvalid(url=url, defect=f"{filename}: 'hashes.sha256' is {sha256!r}")
    size, yanked, provenance = data.get("size"), data.get("yanked", False), data.get("provenance")
    if not isinstance(yanked, (bool, str)) or not isinstance(provenance, (str, type(None))):
        raise AnswerInvalid(url=url, defect=f"{filename}: 'yanked' or 'provenance' has a wrong type")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise AnswerInvalid(url=url, defect=f"{filename}: 'size' is {size!r}")
    return IndexFile(
        filename=filename,
        url=_joined(url, place, filename=filename),
        sha256=sha256,
        size=size,
        upload_time=_moment(data.get("upload-time"), filename=filename, url=url),
        # True without a reason is a yank without a reason, not the reason "True".
        yanked="" if yanked is True else yanked,
        provenance=None if provenance is None else _joined(url, provenance, filename=filename),
    )


def _joined(page: str, place: str, *, filename: str) -> str:
    try:
        return urljoin(page, place)
    except ValueError as error:
        raise AnswerInvalid(url=page, defect=f"{filename}: {place!r} is no address") from error


def _moment(value: Any, *, filename: str, url: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise AnswerInvalid(url=url, defect=f"{filename}: 'upload-time' is {value!r}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
