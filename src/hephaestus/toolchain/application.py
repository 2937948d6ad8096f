"""The application directory: the part of this package that runs under another Python, keyed by its content.

``python -I DIRECTORY standins ...`` starts the stand-ins with nothing but the libraries of that Python: a
directory with a ``__main__.py`` goes first on ``sys.path`` even in isolated mode, and keeps its bytecode.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import hephaestus

__all__ = ["Application", "application"]

_PARTS = ("__init__.py", "release", "standins")
_DISPATCHER = b'''"""Runs one program of this application directory: ``python -I DIRECTORY PROGRAM ...``."""

import importlib
import sys

PROGRAMS = {"standins": "hephaestus.standins.host"}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PROGRAMS:
        sys.exit(f"one of these programs is needed: {', '.join(sorted(PROGRAMS))}")
    sys.exit(importlib.import_module(PROGRAMS[sys.argv[1]]).main(sys.argv[2:]))
'''
#: A running host imports late from its own directory; one unused for this long serves nobody.
_NAME = re.compile(r"\.?[0-9a-f]{32}")
_UNUSED_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Application:
    """A ready application directory; ``digest`` is that of its code."""

    path: Path
    digest: str

    def command(self, python: Path, program: str, *arguments: str) -> list[str]:
        """The argument list that runs ``program`` under ``python``."""
        return [str(python), "-I", str(self.path), program, *arguments]


def application(cache: Path, *, source: Path | None = None, parts: Sequence[str] = _PARTS) -> Application:
    """The application directory of the code in ``source`` (this package), made below ``cache`` when it is not there.

    Safe with many processes at once: it is moved into place as a whole, and whoever comes second uses the
    first one's. Raises OSError when the cache cannot be written.
    """
    files = _files(source, parts) if source else _own_files(tuple(parts))
    digest = _digest(files)
    path = cache / "applications" / digest[:32]
    if path.is_dir():
        os.utime(path)
    else:
        _make(path, files)
        _prune(path.parent, keep=path)
    return Application(path=path, digest=digest)


@functools.cache
def _own_files(parts: tuple[str, ...]) -> dict[str, bytes]:
    """Our own code, read once: what this process runs does not change any more."""
    return _files(Path(hephaestus.__file__).parent, parts)


def _files(package: Path, parts: Sequence[str]) -> dict[str, bytes]:
    return {name: (package / name).read_bytes() for name in sorted(_names(package, parts))}


def _names(package: Path, parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        top = package / part
        for file in [top] if top.is_file() else top.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(package).as_posix()


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256(_DISPATCHER)
    for name, content in files.items():
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _make(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        (draft / "__main__.py").write_bytes(_DISPATCHER)
        for name, content in files.items():
            file = draft / "hephaestus" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        try:
            draft.rename(path)
        except OSError:
            # A rename onto a folder that has content fails: another process was first, with the same content.
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _prune(applications: Path, *, keep: Path) -> None:
    oldest = time.time() - _UNUSED_SECONDS
    for entry in applications.iterdir():
        if entry != keep and _NAME.match(entry.name) and entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)
