"""The inside of a wheel: a ZIP file that every reader understands alike, and the files PEP 427 asks for.

Readers disagree on malformed ZIP files (duplicate names, bytes before or after, two directories), so one
scanner can see other content than the installer unpacks; PyPI refuses such archives since 2025 [facts: pypi 1].
"""

from __future__ import annotations

import base64
import csv
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from hephaestus.release.metadata import CoreMetadata
from hephaestus.release.rules.judgement import Judgement
from hephaestus.release.rules.members import (
    bomb_judgement,
    layout_judgements,
    license_file_judgements,
    unsafe_reason,
)

__all__ = ["wheel_judgements"]

_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1
_BLOCK = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError)


def wheel_judgements(path: Path, *, filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    """Judge the archive itself first; its members only when reading them is safe."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = list(_structure(archive, path, filename))
            yield from broken
            if not broken:
                yield from _members(archive, filename, metadata)
    except _UNREADABLE as error:
        yield _bad_zip(filename, "zip-unreadable", f"the file is not a readable ZIP archive ({error})")


def _bad_zip(filename: str, code: str, message: str) -> Judgement:
    return Judgement.refused(
        code,
        filename,
        message,
        remedy="build the wheel again with a current build backend",
        answer=f"Invalid distribution file. ZIP archive not accepted: {message}.",
    )


def _structure(archive: zipfile.ZipFile, path: Path, filename: str) -> Iterator[Judgement]:
    infos = archive.infolist()
    yield from _envelope(archive, infos, path, filename)
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        if name in seen:
            yield _bad_zip(filename, "zip-duplicate", f"the member {name!r} is in it twice")
        seen.add(name)
        if reason := unsafe_reason(name.removesuffix("/") if info.is_dir() else name):
            yield _bad_zip(filename, "zip-unsafe-name", f"the member name {name!r} {reason}")
        if info.flag_bits & _ENCRYPTED:
            yield _bad_zip(filename, "zip-encrypted", f"the member {name!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield _bad_zip(filename, "zip-method", f"the member {name!r} is neither stored nor deflated")
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            yield _bad_zip(filename, "zip-link", f"the member {name!r} is a symbolic link")
    if bomb := bomb_judgement(filename, packed=path.stat().st_size, unpacked=sum(info.file_size for info in infos)):
        yield bomb


def _envelope(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], path: Path, filename: str) -> Iterator[Judgement]:
    """The bytes around the members: one directory, at the end, telling the same as the local headers."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        end_at = size - _END.size - len(archive.comment)
        stream.seek(max(end_at, 0))
        record = stream.read(_END.size)
        if len(record) < _END.size or record[:4] != b"PK\x05\x06":
            yield _bad_zip(filename, "zip-trailing", "there are bytes after the end of the archive")
            return
        _, _, _, _, entries, directory_size, directory_at, _ = _END.unpack(record)
        if 0xFFFF in (entries,) or 0xFFFFFFFF in (directory_size, directory_at):
            yield _bad_zip(filename, "zip-zip64", "it uses ZIP64, which readers treat differently")
            return
        if directory_at + directory_size != end_at:
            yield _bad_zip(filename, "zip-prepended", "there are bytes before the archive or beside its directory")
            return
        if entries != len(infos):
            yield _bad_zip(filename, "zip-ambiguous", "its directory and its end record count differently")
        expected_at, described = 0, False
        for info in sorted(infos, key=lambda item: item.header_offset):
            if info.header_offset < expected_at:
                yield _bad_zip(filename, "zip-ambiguous", f"the member {info.filename!r} overlaps another")
                return
            if info.header_offset > expected_at and not _gap_is_descriptor(described, info.header_offset - expected_at):
                yield _bad_zip(filename, "zip-ambiguous", f"unlisted bytes before {info.filename!r}")
                return
            stream.seek(info.header_offset)
            header = stream.read(_LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
                yield _bad_zip(filename, "zip-ambiguous", f"{info.filename!r} has no local header")
                return
            fields = _LOCAL.unpack(header)
            name_length, extra_length = fields[9], fields[10]
            name = stream.read(name_length).decode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace")
            described = bool(info.flag_bits & 0x8)
            if (
                name != info.orig_filename
                or fields[3] != info.compress_type
                or bool(fields[2] & 0x8) != described
                or (not described and fields[7] not in (info.compress_size, 0xFFFFFFFF))
            ):
                yield _bad_zip(filename, "zip-ambiguous", f"{info.filename!r} is described differently in two places")
            expected_at = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
        if directory_at > expected_at and not _gap_is_descriptor(described, directory_at - expected_at):
            yield _bad_zip(filename, "zip-ambiguous", "there are unlisted bytes before its directory")


def _gap_is_descriptor(described: bool, gap: int) -> bool:  # noqa: FBT001 - a predicate over two facts
    # A data descriptor behind a streamed member is 12 to 24 bytes; anything else is hidden content.
    return described and 12 <= gap <= 24


def _members(archive: zipfile.ZipFile, filename: str, metadata: CoreMetadata | None) -> Iterator[Judgement]:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    stem = "-".join(filename.split("-")[:2])
    info_folder = f"{stem}.dist-info"
    folders = sorted({name.split("/")[0] for name in names if name.split("/")[0].endswith(".dist-info")})
    if folders != [info_folder]:
        yield Judgement.refused(
            "wheel-dist-info",
            filename,
            f"it must hold one folder {info_folder}, it holds {', '.join(folders) or 'none'}",
            remedy="build the wheel again; never rename one",
            answer=f"Wheel {filename!r} does not contain the required METADATA file: {info_folder}/METADATA.",
        )
        return
    for wanted in ("METADATA", "WHEEL", "RECORD"):
        if f"{info_folder}/{wanted}" not in names:
            yield Judgement.refused(
                f"wheel-no-{wanted.lower()}",
                filename,
                f"the file {info_folder}/{wanted} is missing (PEP 427)",
                remedy="build the wheel again with a current build backend",
                answer=f"Wheel {filename!r} does not contain the required {wanted} file: {info_folder}/{wanted}.",
            )
    if f"{info_folder}/RECORD" in names:
        yield from _record(archive, filename, names, f"{info_folder}/RECORD")
    if f"{info_folder}/WHEEL" in names:
        yield from _wheel_file(archive, filename, f"{info_folder}/WHEEL")
    yield from license_file_judgements(filename, metadata, set(names), prefix=f"{info_folder}/licenses/")
    yield from layout_judgements(filename, names, ignore=(info_folder,))


def _record(archive: zipfile.ZipFile, filename: str, names: list[str], record: str) -> Iterator[Judgement]:
    """RECORD lists every member with its true digest. PyPI only mails the owner [facts: pypi 1]; we refuse."""

    def mismatch(message: str) -> Judgement:
        return Judgement.ours(
            "record-mismatch",
            filename,
            f"RECORD is not true: {message}",
            remedy="build the wheel again; something changed it after it was made",
        )

    unlisted = set(names) - {record, f"{record}.jws", f"{record}.p7s"}
    try:
        rows = list(csv.reader(archive.read(record).decode("utf-8").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        yield mismatch(f"it cannot be read ({error})")
        return
    listed: set[str] = set()
    for row in rows:
        if len(row) != 3:
            yield mismatch(f"the line {','.join(row)!r} has {len(row)} fields instead of 3")
            continue
        name, digest, _ = row
        if name in listed:
            yield mismatch(f"{name} is listed twice")
        listed.add(name)
        if name == record:
            continue
        if name not in unlisted:
            if name not in listed - {name} and name not in names:
                yield mismatch(f"{name} is listed but not inside")
            continue
        unlisted.discard(name)
        algorithm, _, value = digest.partition("=")
        if algorithm not in ("sha256", "sha384", "sha512"):
            yield mismatch(f"{name} has no sha256 digest")
        elif _digest(archive, name, algorithm) != value.rstrip("="):
            yield mismatch(f"{name} has other bytes than recorded")
    for name in sorted(unlisted):
        yield mismatch(f"{name} is inside but not listed")


def _digest(archive: zipfile.ZipFile, name: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with archive.open(name) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _wheel_file(archive: zipfile.ZipFile, filename: str, member: str) -> Iterator[Judgement]:
    """The Tag lines of WHEEL name the same tags as the file name (PEP 427)."""
    lines = archive.read(member).decode("utf-8", "replace").splitlines()
    written: set[object] = set()
    for line in lines:
        field, _, value = line.partition(":")
        if field.strip().lower() == "tag" and value.strip().count("-") == 2:
            written |= parse_tag(value.strip())
    try:
        _, _, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):
        return
    if written != set(tags):
        yield Judgement.ours(
            "wheel-tags",
            filename,
            f"the tags in its WHEEL file ({', '.join(sorted(map(str, written))) or 'none'}) are not those of its name",
            remedy="build the wheel again, or retag it with `wheel tags`; never rename one",
        )
