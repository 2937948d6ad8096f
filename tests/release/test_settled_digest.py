"""Digests that are remembered within a process: only of files nobody can have touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hephaestus.release import manifest
from hephaestus.release.manifest import digest_of, settled_digest

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="where there is no time of the last status change, all is read"
)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is really read; and a clock far ahead, so that new files count as long untouched."""
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return digest_of(path)

    now = manifest.time.time_ns
    monkeypatch.setattr(manifest, "digest_of", counted)
    monkeypatch.setattr(manifest.time, "time_ns", lambda: now() + 3600 * 10**9)
    return read


def test_an_untouched_file_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    """A file that lay still is hashed once however often its digest is asked for."""
    path = tmp_path / "x.whl"
    path.write_bytes(b"one")
    assert settled_digest(path) == settled_digest(path) == digest_of(path)
    assert reads == [path]


def test_a_changed_byte_is_seen_although_size_and_time_were_put_back(tmp_path: Path, reads: list[Path]) -> None:
    """Same size and a modification time put back do not hide a change: the status change cannot be put back."""
    path = tmp_path / "x.whl"
    path.write_bytes(b"one")
    before = path.stat()
    settled_digest(path)
    with path.open("r+b") as stream:
        stream.write(b"two")
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of the file system is coarse
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert settled_digest(path) == digest_of(path)
    assert reads == [path, path]


def test_a_replaced_file_is_read(tmp_path: Path, reads: list[Path]) -> None:
    """Another file renamed into place is another file."""
    path, other = tmp_path / "x.whl", tmp_path / "y.whl"
    path.write_bytes(b"one")
    settled_digest(path)
    other.write_bytes(b"two")
    other.replace(path)
    assert settled_digest(path) == digest_of(path)
    assert len(reads) == 2


def test_a_file_just_written_is_read_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a step of the file system's clock a change might not show: nothing is remembered."""
    path = tmp_path / "x.whl"
    path.write_bytes(b"one")
    written = path.stat().st_ctime_ns
    monkeypatch.setattr(manifest.time, "time_ns", lambda: written + 10**9)
    settled_digest(path)
    remembered = dict(manifest._SETTLED)
    path.write_bytes(b"two")
    assert settled_digest(path) == digest_of(path)
    assert remembered == manifest._SETTLED
