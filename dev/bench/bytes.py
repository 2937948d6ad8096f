"""Manifest and archive of many bytes, the product's way and bare; each runs as a process of its own.

``python dev/bench/bytes.py WAY FOLDER TARGET``. The two ways write the same members into a ``.tar.gz`` and say every
digest; the last line of output is the peak of memory in bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[2] / "src")]


def product(folder: Path, target: Path) -> Mapping[str, str]:
    """As the wheelhouse stage does it: packed and hashed in one pass, committed to a release directory's manifest."""
    from hephaestus.release.archive import write_archive
    from hephaestus.release.directory import ReleaseDirectory
    from hephaestus.release.manifest import render_sums
    from hephaestus.release.receipts import Receipt

    directory = ReleaseDirectory(path=target)
    target.mkdir()
    receipt = Receipt(
        stage="wheelhouse", world="rehearsal", project="p", version="1", commit="0" * 40, dirty=False,
        key=f"sha256:{'0' * 64}", started="2026-01-01T00:00:00Z", seconds=0.0, inputs={}, outputs={}, tools={},
        commands=[], evidence={},
    )  # fmt: skip
    with directory.staging("wheelhouse") as staging:
        with staging.path("wheelhouse/p-1-wheelhouse.tar.gz").open("xb") as stream:
            packed = write_archive(stream, {path.name: path for path in folder.iterdir()}, epoch=1)
        staging.digests["wheelhouse/p-1-wheelhouse.tar.gz"] = packed.digest
        render_sums({member.name: member.digest for member in packed.members})
        directory.commit(staging, receipt)
    return directory.manifest()  # read back from the receipt


def bare(folder: Path, target: Path) -> Mapping[str, str]:
    """With the standard library alone: hash every member, write them (tarfile, gzip level 0), hash the archive."""
    target.mkdir()
    digests = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            digests[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    archive = target / "p-1-wheelhouse.tar.gz"
    with archive.open("xb") as out, gzip.GzipFile("", "wb", 0, out, 0) as squeezed:
        with tarfile.open(fileobj=squeezed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name)
        squeezed.flush()
    with archive.open("rb") as stream:
        os.fsync(stream.fileno())
        digests[archive.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def manifest(folder: Path, target: Path) -> Mapping[str, str]:
    """The manifest alone, as build writes it: every file hashed, ``SHA256SUMS`` rendered."""
    from hephaestus.release.manifest import digest_of, render_sums

    digests = {path.name: digest_of(path) for path in folder.iterdir()}
    target.write_text(render_sums(digests), encoding="utf-8")
    return digests


def make(folder: Path, *, files: int, size: int) -> None:
    """Fill ``folder`` with files that cannot be squeezed, named like wheels."""
    folder.mkdir(parents=True)
    for number in range(files):
        with (folder / f"p{number}-1-py3-none-any.whl").open("wb") as stream:
            left = size
            while left:
                left -= stream.write(os.urandom(min(left, 1 << 20)))


if __name__ == "__main__":
    from dev.bench.usage import host_peak

    way = {"product": product, "bare": bare, "manifest": manifest}[sys.argv[1]]
    digests = way(Path(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.write(f"{len(digests)} digests\n{host_peak()}\n")
