"""What a wheel changes against the one published before: dependencies, Python, entry points, files, size.

For people to read before it is public; nothing here is ever a reason to stop.
"""

from __future__ import annotations

import configparser
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hephaestus.release.metadata import BrokenDistribution, read_core_metadata

__all__ = ["Change", "PublicationDifference", "compare_wheels"]

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError)
_LISTED = 8


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that is not as it was: ``what`` names it, an empty ``before`` or ``after`` means there was none."""

    what: str
    before: str = ""
    after: str = ""

    def line(self) -> str:
        """One line for people."""
        if not self.before:
            return f"{self.what}: new ({self.after})"
        return f"{self.what}: {self.before} -> {self.after}" if self.after else f"{self.what}: gone (was {self.before})"


@dataclass(frozen=True, kw_only=True)
class PublicationDifference:
    """A wheel against the published one. Sizes are in bytes; file names have no version in them."""

    before: str
    after: str
    changes: tuple[Change, ...]
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    size_before: int
    size_after: int

    def lines(self) -> list[str]:
        """For people: the sizes first, then every change."""
        share = f" ({(self.size_after - self.size_before) / self.size_before:+.0%})" if self.size_before else ""
        lines = [f"against {self.before}: {self.size_before} -> {self.size_after} bytes{share}"]
        lines += [change.line() for change in self.changes]
        lines += [f"{sign} {_listed(names)}" for sign, names in self._files() if names]
        return lines

    def data(self) -> dict[str, Any]:
        """As JSON data, for the receipt."""
        return asdict(self)

    def _files(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        return (("files added:", self.files_added), ("files removed:", self.files_removed))


def compare_wheels(before: Path, after: Path) -> PublicationDifference:
    """Compare two wheels of one project; raises BrokenDistribution."""
    old, new = read_core_metadata(before), read_core_metadata(after)
    old_files, old_points = _inside(before)
    new_files, new_points = _inside(after)
    changes = [
        *_changes("dependency", _requirements(old.all("requires-dist")), _requirements(new.all("requires-dist"))),
        *_changes("extra", _present(old.all("provides-extra")), _present(new.all("provides-extra"))),
        *_changes("requires-python", _single(old.first("requires-python")), _single(new.first("requires-python"))),
        *_changes("license", _single(old.first("license-expression")), _single(new.first("license-expression"))),
        *_changes("entry point", old_points, new_points),
    ]
    return PublicationDifference(
        before=before.name,
        after=after.name,
        changes=tuple(changes),
        files_added=tuple(sorted(new_files - old_files)),
        files_removed=tuple(sorted(old_files - new_files)),
        size_before=before.stat().st_size,
        size_after=after.stat().st_size,
    )


def _changes(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    changes = []
    for name in sorted(set(before) | set(after)):
        if before.get(name) == after.get(name):
            continue
        label = f"{what} {name}" if name else what
        changes.append(Change(what=label, before=before.get(name, ""), after=after.get(name, "")))
    return changes


def _single(value: str) -> dict[str, str]:
    return {"": value} if value else {}


def _present(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, "offered")


def _requirements(lines: Iterable[str]) -> dict[str, str]:
    """Requirements by name and marker: what is asked of one name in one situation."""
    found: dict[str, str] = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            found[line] = "not a requirement"
            continue
        label: str = canonicalize_name(requirement.name)
        if requirement.marker is not None:
            label = f"{label} ({requirement.marker})"
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        found[label] = f"{extras}{requirement.specifier}" or "any version"
    return found


def _inside(path: Path) -> tuple[set[str], dict[str, str]]:
    """The members, told without the version, and the entry points by ``group name``."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            points = [name for name in names if name.endswith(".dist-info/entry_points.txt") and name.count("/") == 1]
            text = archive.read(points[0]).decode("utf-8", "replace") if points else ""
    except _UNREADABLE as error:
        raise BrokenDistribution(file=path.name, reason=f"bad ZIP archive ({error})") from error
    return {_unversioned(name) for name in names}, _entry_points(text)


def _unversioned(name: str) -> str:
    top, _, rest = name.partition("/")
    for ending in (".dist-info", ".data"):
        if top.endswith(ending):
            return f"{top.removesuffix(ending).rpartition('-')[0] or top}{ending}/{rest}"
    return name


def _entry_points(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment] # names of scripts keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        return {"(unreadable)": type(error).__name__}
    return {f"{group} {name}": value for group in parser.sections() for name, value in parser.items(group)}


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown
