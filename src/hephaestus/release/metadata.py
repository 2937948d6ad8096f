"""Core metadata of a distribution, read in place: nothing is ever extracted to disk.

The fields keep the order and the repetition they have in the file, because an index judges what is written,
not what a lenient parser makes of it. Source: the core metadata specification (PEP 566, 639, 643, 753).
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from hephaestus.release.errors import ReleaseError

__all__ = [
    "METADATA_SIZE_LIMIT",
    "BrokenDistribution",
    "CoreMetadata",
    "DistributionKind",
    "distribution_kind",
    "read_core_metadata",
    "read_metadata_bytes",
]

METADATA_SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of METADATA or PKG-INFO beyond which a distribution is taken for broken (or hostile)."""

# A gzip stream may hold a thousand times its size; PKG-INFO is expected early, so a search is bounded.
_SDIST_SEARCH_LIMIT = 2 * 1024 * 1024 * 1024

# Python's own e-mail parser rewrites bytes that are not UTF-8, which a rule must see; a header is one line.
_HEADER = re.compile(r"([!-9;-~]+):(.*)\Z", re.DOTALL)

DistributionKind = Literal["wheel", "sdist"]


class BrokenDistribution(ReleaseError):
    """Raised when a file is no readable wheel or sdist, or holds no core metadata."""

    def __init__(self, *, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(
            what=f"{file} is not a readable distribution: {reason}",
            why="an index would refuse it and no installer could use it",
            next_step="build it again (`nox -s build -- --redo=build`)",
        )


@dataclass(frozen=True, kw_only=True)
class CoreMetadata:
    """The fields of one METADATA or PKG-INFO: lower-case field name -> every value, in file order."""

    fields: Mapping[str, tuple[str, ...]]
    description: str = ""

    @classmethod
    def parse(cls, content: bytes) -> CoreMetadata:
        """Read the bytes of a METADATA or PKG-INFO file.

        Bytes that are not UTF-8 survive as surrogates, so that a rule can name them. Never raises.
        """
        text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        fields: dict[str, list[str]] = {}
        current: list[str] | None = None
        at = 0
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line = text[at:end]
            if not line:
                at = end + 1
                break
            header = _HEADER.match(line)
            if line[0] in " \t" and current is not None:
                current[-1] += f"\n{line.strip()}"
            elif header is not None:
                current = fields.setdefault(header[1].lower(), [])
                current.append(header[2].strip(" \t"))
            else:
                break
            at = end + 1
        description = text[at:]
        if not description.strip() and fields.get("description"):
            description = fields["description"][0]
        return cls(fields={name: tuple(values) for name, values in fields.items()}, description=description)

    @classmethod
    def of(cls, fields: Mapping[str, str | Sequence[str]], *, description: str = "") -> CoreMetadata:
        """Make metadata from field names (any case) and one value or several."""
        return cls(
            fields={
                name.lower(): (values,) if isinstance(values, str) else tuple(values) for name, values in fields.items()
            },
            description=description,
        )

    def first(self, field: str) -> str:
        """The field's first value, or the empty string."""
        values = self.fields.get(field.lower(), ())
        return values[0].strip() if values else ""

    def all(self, field: str) -> tuple[str, ...]:
        """Every value of the field, in file order."""
        return self.fields.get(field.lower(), ())

    @property
    def name(self) -> str:
        """The Name field as written."""
        return self.first("name")

    @property
    def version(self) -> str:
        """The Version field as written."""
        return self.first("version")


def distribution_kind(filename: str) -> DistributionKind | None:
    """What a file name claims to be: ``.whl`` a wheel, ``.tar.gz`` an sdist, anything else None."""
    if filename.endswith(".whl"):
        return "wheel"
    if filename.endswith(".tar.gz"):
        return "sdist"
    return None


def read_core_metadata(path: Path, *, filename: str | None = None) -> CoreMetadata:
    """Read and parse the core metadata of a wheel or an sdist; raises BrokenDistribution."""
    return CoreMetadata.parse(read_metadata_bytes(path, filename=filename))


def read_metadata_bytes(path: Path, *, filename: str | None = None) -> bytes:
    """The bytes of a wheel's METADATA or an sdist's PKG-INFO; raises BrokenDistribution.

    ``filename`` is the distribution's name where it is not the name of ``path``.
    """
    name = filename or path.name
    kind = distribution_kind(name)
    if kind is None:
        raise BrokenDistribution(file=name, reason="its name ends neither in .whl nor in .tar.gz")
    try:
        return _from_wheel(path, name) if kind == "wheel" else _from_sdist(path, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise BrokenDistribution(file=name, reason=f"bad ZIP archive ({error})") from error
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BrokenDistribution(file=name, reason=f"bad archive ({error})") from error
    except OSError as error:
        raise BrokenDistribution(file=name, reason=error.strerror or str(error)) from error


def _from_wheel(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [
            info
            for info in archive.infolist()
            if info.filename.endswith(".dist-info/METADATA") and info.filename.count("/") == 1
        ]
        if len(members) != 1:
            raise BrokenDistribution(
                file=name, reason=f"it holds {len(members)} .dist-info/METADATA files instead of one"
            )
        with archive.open(members[0]) as stream:
            return _bounded(stream, name)


def _from_sdist(path: Path, name: str) -> bytes:
    wanted = f"{name.removesuffix('.tar.gz')}/PKG-INFO"
    found: list[bytes] = []
    with tarfile.open(path, mode="r:gz") as archive:
        for member in archive:
            if member.offset_data > _SDIST_SEARCH_LIMIT:
                raise BrokenDistribution(file=name, reason="no PKG-INFO within its first 2 GiB")
            plain = member.name.removeprefix("./")
            if plain.count("/") != 1 or not plain.endswith("/PKG-INFO"):
                continue
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is None:
                raise BrokenDistribution(file=name, reason=f"{plain} is not a regular file")
            if plain == wanted:
                return _bounded(stream, name)
            found.append(_bounded(stream, name))
    if len(found) == 1:  # a wrong folder name is a rule of its own, which needs the metadata
        return found[0]
    raise BrokenDistribution(file=name, reason=f"it holds no {wanted}")


def _bounded(stream: IO[bytes], name: str) -> bytes:
    content = stream.read(METADATA_SIZE_LIMIT + 1)
    if len(content) > METADATA_SIZE_LIMIT:
        raise BrokenDistribution(file=name, reason="its metadata is larger than 16 MiB")
    return content
