"""What differs between two archives that should be the same file, member by member.

Read in place: nothing is extracted, contents are only hashed. Wheels are zip files, sdists gzipped tar files.
"""

from __future__ import annotations

import gzip
import hashlib
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hephaestus.release.errors import ReleaseError

__all__ = ["ComparisonError", "Difference", "compare_archives", "same_bytes"]

#: How the whole archive is named where no single member is to blame.
WHOLE = "(archive)"


class ComparisonError(ReleaseError):
    """Raised when one of two archives cannot be read, so that they cannot be compared."""

    def __init__(self, *, file: str, reason: str) -> None:
        super().__init__(
            what=f"{file} cannot be compared: {reason}",
            why="two builds are held against each other member by member",
            next_step="build it again (`nox -s build -- --redo=build`)",
        )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference: ``member`` and ``aspect`` (presence, order, kind, mode, time, owner, size, content, ...)."""

    member: str
    aspect: str
    first: str
    second: str

    def line(self) -> str:
        """One line for people."""
        return f"{self.member}: {self.aspect} {self.first} / {self.second}"


def same_bytes(first: Path, second: Path) -> bool:
    """Whether two files have the same content; raises OSError."""
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        return hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()


def compare_archives(first: Path, second: Path) -> tuple[Difference, ...]:
    """Every difference between two wheels or two sdists; empty exactly when their bytes are the same.

    Raises ComparisonError for what is no readable archive, OSError for what is not there.
    """
    if same_bytes(first, second):
        return ()
    ours, theirs = _aspects(first), _aspects(second)
    same_members = set(ours) == set(theirs)
    found: list[Difference] = []
    for member in sorted(set(ours) | set(theirs)):
        if member not in theirs or member not in ours:
            first_has = "present" if member in ours else "absent"
            second_has = "present" if member in theirs else "absent"
            found.append(Difference(member=member, aspect="presence", first=first_has, second=second_has))
            continue
        here, there = ours[member], theirs[member]
        found += [
            Difference(member=member, aspect=aspect, first=here.get(aspect, "-"), second=there.get(aspect, "-"))
            for aspect in dict.fromkeys((*here, *there))
            if here.get(aspect) != there.get(aspect) and (aspect != "order" or same_members)
        ]
    if not found:
        sizes = (f"{first.stat().st_size} bytes", f"{second.stat().st_size} bytes")
        found.append(Difference(member=WHOLE, aspect="compression", first=sizes[0], second=sizes[1]))
    return tuple(found)


def _aspects(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Each member's aspects; a name that is there twice counts as two members; WHOLE holds the archive's own."""
    read = _of_zip if path.suffix in (".whl", ".zip") else _of_tar
    found: dict[str, Mapping[str, str]] = {}
    try:
        for name, aspects in read(path):
            number = 2
            key = name
            while key in found:
                key, number = f"{name} ({number})", number + 1
            found[key] = aspects
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ComparisonError(file=path.name, reason=str(error)) from error
    except gzip.BadGzipFile as error:
        raise ComparisonError(file=path.name, reason=str(error)) from error
    order = ", ".join(name for name in found if name != WHOLE)
    found[WHOLE] = {**found.get(WHOLE, {}), "order": _short(order)}
    return found


def _of_zip(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    with zipfile.ZipFile(path) as archive:
        yield WHOLE, {"comment": repr(archive.comment.decode("utf-8", "replace"))}
        for info in archive.infolist():
            with archive.open(info) as stream:
                digest = _digest(stream)
            year, month, day, hour, minute, second = info.date_time
            yield (
                info.filename,
                {
                    "mode": _mode(info.external_attr >> 16),
                    "time": f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}",
                    "system": str(info.create_system),
                    "method": str(info.compress_type),
                    "flags": f"{info.flag_bits:#x}",
                    "extra": info.extra.hex() or "-",
                    "size": f"{info.file_size} bytes",
                    "content": digest,
                },
            )


def _of_tar(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    with path.open("rb") as raw:
        yield WHOLE, _gzip_header(raw.read(512))
    with tarfile.open(path, mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            yield (
                member.name,
                {
                    "kind": _KINDS.get(member.type, repr(member.type)),
                    "mode": _mode(member.mode),
                    "time": _time(member.mtime),
                    "owner": f"{member.uname}({member.uid}):{member.gname}({member.gid})",
                    "link": member.linkname or "-",
                    "headers": ", ".join(f"{key}={value}" for key, value in sorted(member.pax_headers.items())) or "-",
                    "size": f"{member.size} bytes",
                    "content": _digest(content) if content is not None else "-",
                },
            )
    # tarfile stops at the end-of-archive mark; only reading on shows whether the stream is whole.
    with gzip.open(path) as stream:
        size = 0
        while block := stream.read(1 << 20):
            size += len(block)
    yield "(stream)", {"size": f"{size} bytes"}


_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
}


def _gzip_header(head: bytes) -> dict[str, str]:
    """The gzip header's own time, file name and system (RFC 1952): a well-known cause of unequal sdists."""
    if len(head) < 10 or head[:2] != b"\x1f\x8b":
        return {}
    flags, name = head[3], "-"
    if flags & 0x08:
        at = 10 + (2 + int.from_bytes(head[10:12], "little") if flags & 0x04 else 0)
        name = head[at:].split(b"\0", 1)[0].decode("latin-1")
    return {
        "gzip time": _time(int.from_bytes(head[4:8], "little")),
        "gzip name": name,
        "gzip system": str(head[9]),
    }


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return f"sha256:{digest.hexdigest()[:16]}..."


def _mode(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return f"{seconds} s"


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:80]}... (sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]})"
