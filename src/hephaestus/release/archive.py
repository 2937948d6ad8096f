"""Writing archives: a deterministic .tar.gz of flat regular files, in one pass, not squeezed.

The same members give the same bytes on any machine: sorted names, one time, owner 0/0, mode 0644, a gzip header
without name or time. What goes in is squeezed already (wheels), and gzip costs 20 times the hashing of it for
nothing (facts: performance, section 7), so the stream is made of stored blocks. They are framed here and not by
zlib, because how zlib cuts level 0 differs between its builds.
"""

from __future__ import annotations

import hashlib
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol

from hephaestus.release.errors import ReleaseError
from hephaestus.release.names import unfit_member_name

__all__ = ["ArchiveNotWritten", "Member", "Packed", "write_archive"]

_STORED = 0xFFFF  # the most bytes one stored block can hold (RFC 1951, section 3.2.4)
_FRAME = struct.calcsize("<BHH")  # what stands before the bytes of each: last or not, their number, its complement
_BLOCKS = 16  # so many are read and written at a time; where a file is cut does not depend on it
_RECORD = tarfile.RECORDSIZE
_GZIP_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])  # no flags, no time, unknown system (RFC 1952)


class ArchiveNotWritten(ReleaseError):
    """Raised when a member is not fit for an archive, or changes while it is read."""

    def __init__(self, *, member: str, problem: str) -> None:
        super().__init__(
            what=f"{member} cannot go into the archive: it {problem}",
            why="an archive that not every system unpacks to the same files is of no use to its readers",
            next_step="run the same command again; if it stays so, rename the distribution that has this name",
        )


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of an archive: its name, its size in bytes, ``sha256:<hex>`` of its content."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive that was written: its members in order, its own size in bytes and ``sha256:<hex>``."""

    members: tuple[Member, ...]
    size: int
    digest: str


def write_archive(
    stream: BinaryIO,
    files: Mapping[str, Path | bytes],
    *,
    epoch: int,
    composed: Mapping[str, Callable[[Sequence[Member]], bytes]] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Packed:
    """Write ``files`` (member name to file, or to its content) into ``stream`` as .tar.gz, hashing as it goes.

    ``epoch`` is every member's time, in seconds since 1970. ``composed`` names further members, packed last, whose
    content is made of the ``files`` packed: so their digests can stand in the archive although each is read once.
    ``progress`` gets the bytes packed and their sum. Memory does not grow with the files.
    Raises ArchiveNotWritten, OSError.
    """
    composed = composed or {}
    for name in (*files, *composed):
        if problem := unfit_member_name(name):
            raise ArchiveNotWritten(member=repr(name), problem=problem)
    sizes = {name: len(file) if isinstance(file, bytes) else file.stat().st_size for name, file in files.items()}
    total, done = sum(sizes.values()), 0
    out = _StoredGzip(stream)
    members: list[Member] = []
    for name in sorted(files):
        members.append(_pack(out, name, files[name], size=sizes[name], epoch=epoch))
        done += sizes[name]
        progress(done, total)
    packed = tuple(members)
    for name in sorted(composed):
        content = composed[name](packed)
        members.append(_pack(out, name, content, size=len(content), epoch=epoch))
    out.write(bytes(2 * tarfile.BLOCKSIZE))
    out.write(bytes(-out.taken % _RECORD))
    out.close()
    return Packed(members=tuple(members), size=out.written, digest=f"sha256:{out.digest.hexdigest()}")


def _header(name: str, *, size: int, epoch: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, epoch, 0o644
    info.type, info.uid, info.gid, info.uname, info.gname = tarfile.REGTYPE, 0, 0, "", ""
    return info.tobuf(tarfile.PAX_FORMAT)  # plain ustar unless a name is longer than 100 bytes


def _pack(out: _StoredGzip, name: str, file: Path | bytes, *, size: int, epoch: int) -> Member:
    out.write(_header(name, size=size, epoch=epoch))
    digest, taken = hashlib.sha256(), 0
    if isinstance(file, bytes):
        digest.update(file)
        out.write(file)
        taken = len(file)
    else:
        with file.open("rb", buffering=0) as source:
            taken = out.take(source, digest, most=size)
    if taken != size:
        raise ArchiveNotWritten(member=name, problem=f"had {size} bytes and then {taken}: it changed while it was read")
    out.write(bytes(-size % tarfile.BLOCKSIZE))
    return Member(name=name, size=size, digest=f"sha256:{digest.hexdigest()}")


def _fill(source: FileIO, view: memoryview) -> int:
    """Read until ``view`` is full or the file ends; how many bytes."""
    filled = 0
    while filled < len(view) and (count := source.readinto(view[filled:])):
        filled += count
    return filled


class Digest(Protocol):
    """What a hash takes."""

    def update(self, data: memoryview, /) -> None:
        """Hash ``data`` as well."""


class _StoredGzip:
    """A gzip stream of stored blocks. ``taken`` and ``written`` count bytes in and out; ``digest`` is of the latter."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._crc = 0
        self.taken = 0
        self.written = 0
        self.digest = hashlib.sha256()
        self._buffer = memoryview(bytearray(_BLOCKS * (_FRAME + _STORED)))
        self._emit(_GZIP_HEADER)

    def take(self, source: FileIO, digest: Digest, *, most: int) -> int:
        """Write what ``source`` holds as blocks, all full but the last; how many bytes, also told to ``digest``.

        Each block is read into its place among the frames, so nothing is copied. Ends early beyond ``most`` bytes.
        """
        taken, count = 0, _STORED
        while count == _STORED and taken <= most:
            end = 0
            while count == _STORED and end < len(self._buffer):
                place = self._buffer[end + _FRAME : end + _FRAME + _STORED]
                if not (count := _fill(source, place)):
                    break
                struct.pack_into("<BHH", self._buffer, end, 0, count, count ^ _STORED)
                digest.update(place[:count])
                self._crc = zlib.crc32(place[:count], self._crc)
                taken += count
                end += _FRAME + count
            self._emit(self._buffer[:end])
        self.taken += taken
        return taken

    def write(self, data: bytes | memoryview) -> None:
        """Write ``data`` as blocks of its own, all full but the last."""
        self._crc = zlib.crc32(data, self._crc)
        self.taken += len(data)
        parts: list[bytes | memoryview] = []
        with memoryview(data) as view:
            for start in range(0, len(view), _STORED):
                block = view[start : start + _STORED]
                parts += (struct.pack("<BHH", 0, len(block), len(block) ^ _STORED), block)
            self._emit(b"".join(parts))

    def close(self) -> None:
        """Write the last block, which is empty, the checksum and the size."""
        self._emit(struct.pack("<BHH", 1, 0, _STORED))
        self._emit(struct.pack("<II", self._crc, self.taken & 0xFFFFFFFF))

    def _emit(self, data: bytes | memoryview) -> None:
        self.digest.update(data)
        self._stream.write(data)
        self.written += len(data)
