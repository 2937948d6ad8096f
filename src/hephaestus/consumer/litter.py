"""What macOS leaves in folders and archives of others: found, and removed, without ever leaving the folder.

Installers that take every file of a folder trip over it (``._x.whl`` looks like a wheel), so a wheelhouse must be
free of it. Names: Apple's own (AppleDouble, Finder, Spotlight, volumes); matched exactly, and only as the kind of
file they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.errors import ReleaseError

__all__ = ["FolderRefused", "Found", "Litter", "find_litter", "remove_litter"]

#: Resource forks and Finder information of a neighbour, on a file system that has no place for them (RFC 1740).
_FORK = "._"
_FILES = frozenset({
    ".DS_Store", ".LSOverride", ".VolumeIcon.icns", ".apdisk", ".com.apple.timemachine.donotpresent", "Icon\r",
})  # fmt: skip
_FOLDERS = frozenset({
    "__MACOSX", ".AppleDB", ".AppleDesktop", ".AppleDouble", ".DocumentRevisions-V100", ".Spotlight-V100",
    ".TemporaryItems", ".Trashes", ".fseventsd", "Network Trash Folder", "Temporary Items",
})  # fmt: skip


class FolderRefused(ReleaseError):
    """Raised when what was named is no folder of its own."""

    def __init__(self, *, folder: Path, problem: str, next_step: str) -> None:
        super().__init__(
            what=f"{folder} {problem}",
            why="only a folder can be looked through, and nothing outside of it is ever touched",
            next_step=next_step,
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """One piece of litter, or a folder that could not be looked into: its path below the root, and what went wrong."""

    path: str
    trouble: str = ""

    def line(self) -> str:
        """The path as a terminal can show it (a name of Finder's ends in a carriage return), and the trouble."""
        shown = self.path if self.path.isprintable() else repr(self.path)
        return f"{shown}: {self.trouble}" if self.trouble else shown


@dataclass(frozen=True, kw_only=True)
class Litter:
    """What was found below ``root``, what of it was removed, and what could not be read or removed."""

    root: Path
    found: tuple[Found, ...] = ()
    removed: tuple[Found, ...] = ()
    failed: tuple[Found, ...] = field(default=())


def find_litter(root: Path) -> Litter:
    """Look through ``root``: links are not followed, and what is litter itself is not entered.

    Raises FolderRefused when it is missing, no folder, or a link to one.
    """
    if root.is_symlink():
        step = f"name the folder itself: {root.resolve()}"
        raise FolderRefused(folder=root, problem="is a link, and links are not followed", next_step=step)
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise FolderRefused(folder=root, problem=problem, next_step="name the folder that holds the wheels")
    found: list[Found] = []
    failed: list[Found] = []
    for one in sorted(_walk(root), key=lambda one: one.path.split("/")):
        (failed if one.trouble else found).append(one)
    return Litter(root=root, found=tuple(found), failed=tuple(failed))


def remove_litter(root: Path) -> Litter:
    """Remove what ``find_litter`` finds; one that cannot be removed does not keep the others. Raises FolderRefused."""
    litter = find_litter(root)
    removed: list[Found] = []
    failed = list(litter.failed)
    for one in litter.found:
        try:
            _remove(root / one.path)
        except OSError as error:
            failed.append(Found(path=one.path, trouble=_reason(error)))
        else:
            removed.append(one)
    return Litter(root=root, found=litter.found, removed=tuple(removed), failed=tuple(failed))


def _walk(root: Path) -> Iterator[Found]:
    """Every piece of litter, and every folder that could not be read; a folder comes before what is in it."""
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            with os.scandir(root / below) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            yield Found(path=below or ".", trouble=_reason(error))
            continue
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            link = _is_link(entry)
            inside = not link and entry.is_dir(follow_symlinks=False)
            if entry.name in _FOLDERS if inside else _is_litter(entry.name, link=link):
                yield Found(path=path)
            elif inside:
                pending.append(path)


def _is_litter(name: str, *, link: bool) -> bool:
    """Whether a file, or a link, of this name is litter; a link may stand for a folder as well."""
    fork = name.startswith(_FORK) and len(name) > len(_FORK)
    return fork or name in _FILES or (link and name in _FOLDERS)


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Whether it leads elsewhere: a symbolic link, or a junction of Windows (a folder to ``is_dir``)."""
    return entry.is_symlink() or bool(getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0))


def _remove(path: Path) -> None:
    """Remove a file, a link (never what it leads to) or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # follows no link, nor a folder that is exchanged for one meanwhile
    else:
        path.unlink()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
