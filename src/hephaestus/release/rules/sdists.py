"""The inside of an sdist: one gzipped tar file with one folder ``name-version`` and PKG-INFO in it (PEP 625)."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from hephaestus.release.metadata import CoreMetadata
from hephaestus.release.rules.judgement import Judgement
from hephaestus.release.rules.members import (
    BOMB_RATIO,
    BOMB_SIZE,
    bomb_judgement,
    license_file_judgements,
    path_judgements,
    private_judgements,
    unsafe_reason,
)

__all__ = ["sdist_judgements"]

_UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, OSError, ValueError)


def sdist_judgements(path: Path, *, filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    """Judge the archive member by member, in one pass, without unpacking a file."""
    judgements: list[Judgement] = []
    names: list[str] = []
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            packed = path.stat().st_size
            seen: set[str] = set()
            for member in archive:
                name = member.name.removeprefix("./").removesuffix("/")
                if not name or name == ".":
                    continue
                judgements.extend(_member(member, name, filename, seen))
                seen.add(name)
                if not member.isdir():
                    names.append(name)
                reached = member.offset_data + member.size
                if reached > BOMB_SIZE and reached > BOMB_RATIO * packed:
                    # Reading on would unpack the bomb only to count it.
                    bomb = bomb_judgement(filename, packed=packed, unpacked=reached)
                    return [*judgements, bomb] if bomb else judgements
    except _UNREADABLE as error:
        judgements.append(_bad_tar(filename, "sdist-unreadable", f"the file is no gzipped tar file ({error})"))
        return judgements
    judgements.extend(_layout(filename, names, metadata))
    return judgements


def _bad_tar(filename: str, code: str, message: str) -> Judgement:
    return Judgement.refused(
        code,
        filename,
        message,
        remedy="build the sdist again with `python -m build --sdist`",
        answer=f"Invalid distribution file. {message}.",
    )


def _member(member: tarfile.TarInfo, name: str, filename: str, seen: set[str]) -> Iterable[Judgement]:
    if reason := unsafe_reason(name):
        yield _bad_tar(filename, "sdist-unsafe-name", f"the member name {name!r} {reason}")
    if name in seen and not member.isdir():
        yield _bad_tar(filename, "sdist-duplicate", f"the member {name!r} is in it twice")
    if member.issym() or member.islnk():
        target = member.linkname
        base = name.rpartition("/")[0] if member.issym() else ""
        if target.startswith("/") or _escapes(base, target):
            yield _bad_tar(filename, "sdist-link", f"the link {name!r} points outside of the sdist, to {target!r}")
        else:
            yield Judgement.warned(
                "sdist-link-inside",
                filename,
                f"{name!r} is a link; it does not unpack on every system",
                remedy="pack the file itself",
            )
    elif not (member.isreg() or member.isdir()):
        yield _bad_tar(filename, "sdist-device", f"the member {name!r} is a device or another special file")


def _escapes(base: str, target: str) -> bool:
    """Whether a link in folder ``base`` leaves the sdist's top folder (or all folders, for a hard link)."""
    at: list[str] = [part for part in base.split("/") if part]
    floor = 1 if at else 0
    for part in target.split("/"):
        if part == "..":
            if len(at) <= floor:
                return True
            at.pop()
        elif part not in ("", "."):
            at.append(part)
    return False


def _layout(filename: str, names: list[str], metadata: CoreMetadata | None) -> Iterable[Judgement]:
    folder = filename.removesuffix(".tar.gz")
    tops = sorted({name.split("/")[0] for name in names})
    if tops != [folder]:
        yield _bad_tar(
            filename,
            "sdist-top-folder",
            f"it must hold one top folder {folder}, it holds {', '.join(tops[:4]) or 'nothing'}",
        )
        return
    inside = {name.partition("/")[2] for name in names}
    if "PKG-INFO" not in inside:
        yield _bad_tar(filename, "sdist-no-pkg-info", f"{folder}/PKG-INFO is missing")
    if not inside & {"pyproject.toml", "setup.py"}:
        yield Judgement.ours(
            "sdist-not-buildable",
            filename,
            "it holds neither pyproject.toml nor setup.py: nothing can build it",
            remedy="include pyproject.toml in the sdist",
        )
    yield from license_file_judgements(filename, metadata, {f"{folder}/{name}" for name in inside}, prefix=f"{folder}/")
    yield from private_judgements(filename, sorted(inside))
    yield from path_judgements(filename, sorted(inside))
