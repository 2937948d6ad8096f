"""A wheelhouse checked and unpacked, the product's way and bare; each runs as a process of its own.

``python dev/bench/unpacking.py WAY ARCHIVE TARGET``. Both ways hash the archive and write its members into a folder;
the product's way hashes every member as well and refuses what is no flat file. The last line of output is the peak of
memory in bytes.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[2] / "src")]


def product(archive: Path, target: Path) -> int:
    """As an installation does it: the archive's digest, then the safe reader with the members' own; how many files."""
    from hephaestus.release.extraction import extract_archive
    from hephaestus.release.manifest import digest_of

    digest_of(archive)
    return len(extract_archive(archive, target))


def bare(archive: Path, target: Path) -> int:
    """With the standard library alone: ``hashlib`` over the archive, ``tarfile`` with its data filter."""
    with archive.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(target, filter="data")
    return sum(1 for _ in target.iterdir())


if __name__ == "__main__":
    from dev.bench.usage import host_peak

    way = {"product": product, "bare": bare}[sys.argv[1]]
    count = way(Path(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.write(f"{count} files\n{host_peak()}\n")
