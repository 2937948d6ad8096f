"""Reading archives from anywhere: everything but flat regular files with plain names is refused, within limits.

The parser is our own, because ``tarfile`` takes a broken header for the end, passes over what follows the end, and
resolves links. The whole archive is judged while it is read once; what was unpacked is removed when it is refused.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hephaestus.release.archive import Member
from hephaestus.release.errors import ReleaseError
from hephaestus.release.names import unfit_member_name

__all__ = ["ArchiveRefused", "Limits", "archive_members", "extract_archive"]

_READ = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_LONGEST_NAME_RECORD = 64 * 1024
_RATIO_FROM = 16 << 20
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XGLTYPE: "a header for all members",
}


class ArchiveRefused(ReleaseError):
    """Raised when an archive is damaged, hostile, or not the promised one; nothing of it is kept.

    ``code`` is stable for programs: ``broken``, ``kind``, ``name``, ``twice``, ``too-large``, ``trailing``,
    ``digest``, ``missing``, ``foreign``.
    """

    def __init__(self, *, archive: str, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(
            what=f"{archive}: {problem}",
            why="it is damaged, was tampered with, or is no wheelhouse; nothing of it was kept",
            next_step="fetch the archive again and compare its SHA-256; if it stays so, treat it as tampering",
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an honest archive keeps within; sizes in bytes, unpacked.

    ``members`` counts headers, of whatever kind. ``ratio`` is how much more comes out than went in, from the first
    16 MiB on: wheels are squeezed already, so an honest archive stays near one; gzip could reach a thousand.
    """

    members: int = 10_000
    member_size: int = 4 << 30
    total_size: int = 16 << 30
    ratio: int = 50


def extract_archive(
    archive: Path,
    target: Path,
    *,
    limits: Limits | None = None,
    expected: Mapping[str, str] | None = None,
    sha256: str = "",
) -> tuple[Member, ...]:
    """Unpack a .tar.gz of flat regular files into ``target`` (made if absent); returns the members in order.

    A leading ``./`` is dropped and an entry for the root folder passed over. No existing file is ever written to.
    ``expected`` (name to ``sha256:<hex>``) must be met exactly, when given. ``sha256`` (hex), when given, is what the
    archive's own bytes must have as they are read: for an archive that others could exchange after it was verified.
    Raises ArchiveRefused, and OSError where the disk fails.
    """
    made: list[Path] = []
    target.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open("rb") as stream:
            reading = _Reading(archive.name, stream, limits or Limits(), sha256)
            return reading.unpack(target, made, expected)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def archive_members(archive: Path, *, limits: Limits | None = None, sha256: str = "") -> tuple[Member, ...]:
    """The members of an archive, judged as ``extract_archive`` does; nothing is written. Raises the same."""
    with archive.open("rb") as stream:
        return _Reading(archive.name, stream, limits or Limits(), sha256).unpack(None, [], None)


class _Reading:
    """One archive being read."""

    def __init__(self, name: str, stream: BinaryIO, limits: Limits, sha256: str) -> None:
        self._name = name
        self._stream = stream
        self._limits = limits
        self._promised = sha256
        self._read_so_far = hashlib.sha256()
        self._inflate = zlib.decompressobj(31)
        self._feed = b""
        self._taken = 0
        self._total = 0
        self._headers = 0

    def unpack(self, target: Path | None, made: list[Path], expected: Mapping[str, str] | None) -> tuple[Member, ...]:
        members: list[Member] = []
        names: dict[str, str] = {}
        while (header := self._next_header()) is not None:
            name, size = header
            if name in ("", "."):
                continue
            if problem := unfit_member_name(name):
                raise self._refusal("name", f"the member {name[:80]!r} {problem}")
            if twin := names.get(name.casefold()):
                same = "stands in it twice" if twin == name else f"and {twin} differ only in case"
                raise self._refusal("twice", f"{name} {same}")
            names[name.casefold()] = name
            if expected is not None and name not in expected:
                raise self._refusal("foreign", f"{name} is in it, but not in its list")
            member = self._unpack_one(target / name if target is not None else None, name, size, made)
            if expected is not None and member.digest != expected[name]:
                raise self._refusal("digest", f"{name} has {member.digest}, the list says {expected[name]}")
            members.append(member)
        self._expect_end()
        if missing := sorted(set(expected or ()) - set(names.values())):
            raise self._refusal("missing", f"{', '.join(missing)}: in its list, but not in it")
        return tuple(members)

    def _unpack_one(self, path: Path | None, name: str, size: int, made: list[Path]) -> Member:
        digest, left = hashlib.sha256(), size
        with self._output(path, name, made) as output:
            while left:
                chunk = self._read(min(left, _READ))
                digest.update(chunk)
                if output is not None:
                    output.write(chunk)
                left -= len(chunk)
        self._padding(size)
        return Member(name=name, size=size, digest=f"sha256:{digest.hexdigest()}")

    def _output(self, path: Path | None, name: str, made: list[Path]) -> AbstractContextManager[BinaryIO | None]:
        """The new file of a member; nothing where the archive is only read."""
        if path is None:
            return nullcontext()
        try:
            output = path.open("xb")
        except FileExistsError as error:
            raise self._refusal("twice", f"{name} is already in {path.parent}, which must be empty") from error
        made.append(path)
        return output

    def _next_header(self) -> tuple[str, int] | None:
        """The next member's name and size; None at the end-of-archive marker."""
        long_name: str | None = None
        while True:
            block = self._read(_BLOCK)
            self._headers += 1
            if not any(block):
                if long_name is not None or any(self._read(_BLOCK)):
                    raise self._refusal("broken", "a header is missing in the middle")
                return None
            if self._headers > self._limits.members:
                raise self._refusal("too-large", f"holds more than {self._limits.members} members")
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                raise self._refusal("broken", f"it is not a tar archive, or damaged ({error})") from error
            size = int(info.size)
            if info.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
                if long_name is not None or not 0 < size <= _LONGEST_NAME_RECORD:
                    raise self._refusal("broken", "a long name's record is malformed")
                record = b"".join(self._pieces(size))
                self._padding(size)
                long_name = self._pax_name(record) if info.type == tarfile.XHDTYPE else _text(record.rstrip(b"\0"))
                continue
            name = (long_name if long_name is not None else info.name).removeprefix("./")
            if info.type == tarfile.DIRTYPE and name.rstrip("/") in ("", ".") and size == 0:
                return "", 0
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                kind = _KINDS.get(info.type, f"of the unknown kind {info.type!r}")
                raise self._refusal("kind", f"the member {name[:80]!r} is {kind}, not a regular file")
            if not 0 <= size <= self._limits.member_size:
                raise self._refusal("too-large", f"{name[:80]!r} claims {size} bytes")
            return name, size

    def _pax_name(self, record: bytes) -> str | None:
        """The path of a pax header; what else it says must not change what is read (times and the like)."""
        path: str | None = None
        while record:
            length, separator, _rest = record.partition(b" ")
            if not separator or not length.isdigit() or len(length) > 6 or not 5 <= int(length) <= len(record):
                raise self._refusal("broken", "a pax header is malformed")
            line, record = record[len(length) + 1 : int(length)], record[int(length) :]
            keyword, equals, value = line.partition(b"=")
            if not equals or not value.endswith(b"\n"):
                raise self._refusal("broken", "a pax header is malformed")
            if keyword == b"path":
                path = _text(value[:-1])
            elif keyword not in (b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment"):
                raise self._refusal("kind", f"a pax header sets {_text(keyword)[:40]!r}")
        return path

    def _expect_end(self) -> None:
        """Only zeros, then the end of the gzip stream, then the end of the file."""
        while chunk := self._inflated(_READ):
            if any(chunk):
                raise self._refusal("trailing", "data follows the end of the archive")
        if self._inflate.unused_data or self._feed or self._stream.read(1):
            raise self._refusal("trailing", "data follows the end of the gzip stream")
        if self._promised and self._read_so_far.hexdigest() != self._promised:
            raise self._refusal("digest", f"its SHA-256 is not {self._promised} any more: it was exchanged")

    def _padding(self, size: int) -> None:
        if padding := -size % _BLOCK:
            self._read(padding)

    def _pieces(self, size: int) -> list[bytes]:
        pieces = []
        while size:
            pieces.append(self._read(size))
            size -= len(pieces[-1])
        return pieces

    def _read(self, size: int) -> bytes:
        """Exactly ``size`` unpacked bytes when ``size`` is at most a block, else between one and ``size``."""
        chunk = self._inflated(size)
        while chunk and len(chunk) < min(size, _BLOCK):
            more = self._inflated(min(size, _BLOCK) - len(chunk))
            if not more:
                break
            chunk += more
        if len(chunk) < min(size, _BLOCK):
            raise self._refusal("broken", "it ends too early")
        return chunk

    def _inflated(self, size: int) -> bytes:
        """Between one and ``size`` unpacked bytes; none at the end of the gzip stream."""
        while not self._inflate.eof:
            if not self._feed:
                self._feed = self._stream.read(_READ // 4)
                self._taken += len(self._feed)
                if self._promised:
                    self._read_so_far.update(self._feed)
            try:
                chunk = self._inflate.decompress(self._feed, size)
            except zlib.error as error:
                raise self._refusal("broken", f"it is not a gzip file, or damaged ({error})") from error
            ended = not self._feed and not chunk
            self._feed = self._inflate.unconsumed_tail
            self._total += len(chunk)
            if self._total > self._limits.total_size:
                raise self._refusal("too-large", f"it unpacks to more than {self._limits.total_size} bytes")
            if self._total > _RATIO_FROM and self._total > self._taken * self._limits.ratio:
                raise self._refusal("too-large", f"it unpacks to more than {self._limits.ratio} times its size")
            if chunk:
                return chunk
            if ended:
                raise self._refusal("broken", "its gzip stream is cut short")
        return b""

    def _refusal(self, code: str, problem: str) -> ArchiveRefused:
        return ArchiveRefused(archive=self._name, code=code, problem=problem)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
