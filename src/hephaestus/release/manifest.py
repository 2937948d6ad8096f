"""The manifest: which files a release consists of, by path and SHA-256. Nothing is ever found by glob.

Two forms: the coreutils format of ``SHA256SUMS`` (what ``sha256sum -c`` reads), and the union of what the
receipts say was put out, which the release directory is held against.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from hephaestus.release.errors import Finding, ReleaseError

__all__ = [
    "SUMS",
    "ManifestError",
    "case_twins",
    "compare",
    "digest_of",
    "is_digest",
    "manifest_digest",
    "parse_sums",
    "render_sums",
    "settled_digest",
    "unsafe_path",
]

#: The list of a release's distributions with their digests: in the release directory, and among its assets on GitHub.
SUMS = "SHA256SUMS"

# Coreutils parts digest and name by two characters; others write one space or a tab.
_LINE = re.compile(r"(?P<digest>[0-9a-fA-F]{64})(?: [ *]|[ \t]+\*?)(?P<name>.+)\Z", re.DOTALL)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")

#: Longer than the steps of any file system's clock (FAT has 2 s), in nanoseconds.
_STILL_NS = 3_000_000_000
_SETTLED: dict[tuple[int, ...], str] = {}


class ManifestError(ReleaseError):
    """Raised when a manifest cannot be read as one: empty, malformed, contradictory, or with an unsafe name."""

    def __init__(self, *, source: str, line: int, problem: str) -> None:
        self.problem = f"line {line}: {problem}" if line else problem
        place = f"{source}, line {line}" if line else source
        super().__init__(
            what=f"{place}: {problem}",
            why="a manifest that can be read two ways proves nothing about the files it names",
            next_step="restore the file from the artifact of the run that wrote it, or run `nox -s build -- --redo`",
        )


def digest_of(path: Path) -> str:
    """``sha256:<64 hex>`` of a file's bytes, read in blocks; raises OSError."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def settled_digest(path: Path) -> str:
    """``digest_of``, but a file that this process has hashed and nobody has touched since is not read again.

    Ten sessions of one run hold the same directory against its receipts. Untouched means: same inode, size and
    times, the time of the last status change among them, which no program can set; and it lay still for longer than
    any file system's clock is coarse before it was hashed. Where there is no such time (Windows) it is always read.
    Raises OSError.
    """
    told = path.stat(follow_symlinks=False)
    key = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    if key in _SETTLED:
        return _SETTLED[key]
    begun = time.time_ns()
    digest = digest_of(path)
    if os.name == "posix" and max(told.st_ctime_ns, told.st_mtime_ns) + _STILL_NS < begun:
        _SETTLED[key] = digest
    return digest


def unsafe_path(name: str) -> str | None:
    """Why ``name`` may not stand in a manifest, or None: only plain relative POSIX paths below the folder may."""
    path = PurePosixPath(name)
    if not name or name == "." or name != str(path):
        return "is not a plain path"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "is not Unicode text"
    if path.is_absolute() or re.match(r"[A-Za-z]:", name) or "\\" in name:
        return "is not a relative POSIX path"
    if ".." in path.parts:
        return "leaves the folder"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "holds a control character"
    return None


def parse_sums(text: str, *, source: str = SUMS) -> dict[str, str]:
    """Read the coreutils format into ``{name: "sha256:<hex>"}``; raises ManifestError.

    Blank lines and ``#`` comments are passed over; a name may be repeated with the same digest only
    (facts: consumers, section 5).
    """
    found: dict[str, str] = {}
    # Not splitlines(): it takes characters for line ends which coreutils takes for part of a name.
    for number, whole in enumerate(text.split("\n"), start=1):
        line = whole.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ManifestError(source=source, line=number, problem="is not `<64 hex digits>  <name>`")
        name, digest = match["name"], f"sha256:{match['digest'].lower()}"
        if reason := unsafe_path(name):
            raise ManifestError(source=source, line=number, problem=f"the name {name!r} {reason}")
        if found.setdefault(name, digest) != digest:
            raise ManifestError(source=source, line=number, problem=f"{name} is listed twice with different digests")
    if not found:
        raise ManifestError(source=source, line=0, problem="names no file")
    if twins := case_twins(found):
        raise ManifestError(source=source, line=0, problem=f"names that differ only in case: {', '.join(twins)}")
    return found


def render_sums(digests: Mapping[str, str]) -> str:
    """The coreutils format: sorted by name, LF, two spaces; ``digests`` as ``sha256:<hex>``."""
    return "".join(f"{digests[name].removeprefix('sha256:')}  {name}\n" for name in sorted(digests))


def case_twins(names: Mapping[str, str]) -> list[str]:
    """The names which a file system that ignores case would take for one another, sorted."""
    seen: dict[str, list[str]] = {}
    for name in names:
        seen.setdefault(name.casefold(), []).append(name)
    return sorted(name for twins in seen.values() if len(twins) > 1 for name in twins)


def is_digest(text: object) -> bool:
    """Whether ``text`` is written ``sha256:<64 lower-case hex>``."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def manifest_digest(digests: Mapping[str, str]) -> str:
    """One digest over a whole manifest: the second channel between CI jobs."""
    return f"sha256:{hashlib.sha256(render_sums(digests).encode()).hexdigest()}"


def compare(expected: Mapping[str, str], root: Path, *, present: Mapping[str, str | None]) -> list[Finding]:
    """Hold files against a manifest: every missing, changed or foreign one is a finding.

    ``present`` maps each path found to its digest, or to None where it is no regular file (a link, a device).
    """
    findings = []
    for path in sorted(set(expected) | set(present)):
        if path not in present:
            found = Finding(code="missing", subject=path, message="is in the manifest but not in the release directory")
        elif path not in expected:
            found = Finding(
                code="foreign",
                subject=path,
                message="is not in the manifest: no stage of this release put it there",
                remedy=f"move it out of {root}",
            )
        elif present[path] is None:
            found = Finding(code="linked", subject=path, message="is a link or a special file, not a regular file")
        elif present[path] != expected[path]:
            found = Finding(
                code="changed", subject=path, message=f"has {present[path]}, the manifest says {expected[path]}"
            )
        else:
            continue
        findings.append(found)
    return findings
