"""Locks: requirements files in which every tool of a stage stands with version and hashes, wheels only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hephaestus.release.errors import ReleaseError

__all__ = ["INSTALL_OPTIONS", "Lock", "LockError", "read_lock", "read_lock_file"]

#: What pip and uv are told when they install a lock: these very files, wheels only, nothing resolved.
INSTALL_OPTIONS = ("--require-hashes", "--only-binary", ":all:", "--no-deps")

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_FOLDER = Path(__file__).parent / "locks"


class LockError(ReleaseError):
    """Raised when a lock has a line that is no exact pin with at least one hash."""

    def __init__(self, *, path: Path, line: str) -> None:
        super().__init__(
            what=f"{path.name}: `{line}` is not pinned with a hash",
            why="one line without a hash lets any file in",
            next_step="make the lock again: `uv pip compile --universal --generate-hashes`",
        )


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock: where it is, its digest (``sha256:<hex>``) and the version of each distribution in it."""

    name: str
    path: Path
    digest: str
    versions: Mapping[str, str]


@lru_cache
def read_lock(name: str) -> Lock:
    """The suite's own lock of that name; raises LockError."""
    return read_lock_file(_FOLDER / f"{name}.txt")


def read_lock_file(path: Path) -> Lock:
    """Read any requirements file as a lock; raises LockError unless every requirement is pinned and hashed."""
    text = path.read_text(encoding="utf-8")
    versions: dict[str, str] = {}
    for line in _logical_lines(text):
        match = _PIN.match(line)
        if match is None or "--hash=sha256:" not in line:
            raise LockError(path=path, line=line.split("--hash")[0].strip()[:80])
        versions[match["name"].lower()] = match["version"]
    return Lock(
        name=path.stem,
        path=path,
        digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        versions=versions,
    )


def _logical_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]
