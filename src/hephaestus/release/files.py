"""Durable writes: a temp file in the same folder, fsync, ``os.replace``. A kill leaves the old or the new."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hephaestus.release.boundary import boundary
from hephaestus.release.errors import ReleaseError

__all__ = ["TEMPORARY_PREFIX", "NotWritableError", "place", "replacing", "sync_folder", "write_bytes", "write_text"]

#: Names of files not yet in place; a leftover belongs to a run that was killed.
TEMPORARY_PREFIX = ".incoming-"


class NotWritableError(ReleaseError):
    """Raised when the disk is full or a folder is read-only; the former state is still in place."""

    def __init__(self, *, path: Path, error: OSError) -> None:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        super().__init__(
            what=f"{path}: cannot be written ({error.strerror or error})",
            why="the disk is full; what was there before is untouched"
            if full
            else "the folder must be writable; what was there before is untouched",
            next_step="free some space, then run the same command again"
            if full
            else f"make {path.parent} writable, then run the same command again",
        )


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content takes ``path``'s place when the block ends well, and vanishes otherwise."""
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                boundary(f"write {path.name}")
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritableError(path=path, error=error) from error


def place(source: Path, target: Path) -> None:
    """Rename within one file system, replacing; durable when it returns. Raises OSError."""
    boundary(f"rename {target.name}")
    source.replace(target)
    sync_folder(target.parent)
    boundary(f"renamed {target.name}")


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable, where the system knows how (POSIX)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file durably; raises NotWritableError."""
    with replacing(path) as stream:
        stream.write(content)


def write_text(path: Path, content: str) -> None:
    """Write a whole text file durably (UTF-8, LF); raises NotWritableError."""
    write_bytes(path, content.encode())
