"""The archive writer: the same bytes for the same members, readable by everyone's tools, bounded in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.release.archive import ArchiveNotWritten, Member, write_archive
from hephaestus.release.names import unfit_member_name

EPOCH = 1_600_000_000


def pack(files: dict[str, Path | bytes]) -> bytes:
    """The archive of ``files`` as bytes."""
    stream = io.BytesIO()
    write_archive(stream, files, epoch=EPOCH)
    return stream.getvalue()


def test_the_bytes_do_not_depend_on_order_or_on_the_files_own_attributes(tmp_path: Path) -> None:
    """Order, modes and times of what is packed leave no trace; the bytes are pinned by their digest."""
    (tmp_path / "x").write_bytes(b"one")
    (tmp_path / "x").chmod(0o600)
    first = pack({"b-1-py3-none-any.whl": tmp_path / "x", "a-1-py3-none-any.whl": b"two"})
    assert first == pack({"a-1-py3-none-any.whl": b"two", "b-1-py3-none-any.whl": b"one"})
    # Pinned: another zlib, Python or system must come to the same bytes.
    assert hashlib.sha256(first).hexdigest() == "8313267e343f196981de1c689aabf0475640ae8f0fb4d0c8cc3bdc3ebf9aeb34"


def test_header_has_neither_name_nor_time() -> None:
    """The gzip header is ten fixed bytes and the blocks are stored."""
    content = pack({"a": b"x" * 100})
    assert content[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    assert b"x" * 100 in content


def test_gnu_tar_reads_it(tmp_path: Path) -> None:
    """The system's tar lists and extracts it without a word."""
    (tmp_path / "a.tar.gz").write_bytes(pack({"a": b"1", "b" * 150: b"2" * 700}))
    done = subprocess.run(["tar", "-xvzf", "a.tar.gz"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["a", "b" * 150], "")
    assert (tmp_path / ("b" * 150)).read_bytes() == b"2" * 700


def test_digests_sizes_and_the_listing_are_of_what_was_written() -> None:
    """What is reported agrees with the bytes, and each composed member sees the digests of the files before it."""
    stream = io.BytesIO()
    seen: list[tuple[int, int]] = []

    def listing(members: object) -> bytes:
        assert members == (Member(name="a", size=3, digest=f"sha256:{hashlib.sha256(b'one').hexdigest()}"),)
        return b"list"

    packed = write_archive(
        stream,
        {"a": b"one"},
        epoch=EPOCH,
        composed={"Z": lambda members: str(len(members)).encode(), "LIST": listing},
        progress=lambda done, total: seen.append((done, total)),
    )
    content = stream.getvalue()
    assert (packed.size, packed.digest) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert [member.name for member in packed.members] == ["a", "LIST", "Z"]
    assert seen == [(3, 3)]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 200_000), max_size=5))
def test_any_sizes_come_back(sizes: list[int]) -> None:
    """Whatever falls on or beside a block's border, gzip and tarfile read the members back."""
    files: dict[str, Path | bytes] = {f"m{index}": bytes([index]) * size for index, size in enumerate(sizes)}
    content = gzip.decompress(pack(files))
    assert len(content) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert found == files


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a\\b", "a b", "-rf", ".hidden", "é", "a:b", "a.",
                                  "nul.whl", "COM1", "a\n", "x" * 256])  # fmt: skip
def test_names_that_differ_between_systems_are_refused(name: str) -> None:
    """Nothing is written for a name that some system would read as something else."""
    with pytest.raises(ArchiveNotWritten):
        pack({name: b""})


def test_wheel_names_are_fit() -> None:
    """Every character wheel names may have is taken, and a name may begin like a device."""
    assert unfit_member_name("a_b.c-1!2.0+local.1-1_x-cp311-cp311-manylinux_2_17_x86_64.whl") is None
    assert unfit_member_name("console-1.0-py3-none-any.whl") is None


def test_a_file_that_changes_while_it_is_read_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that does not hold would shift every later member; it is noticed."""
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"b")

    class Growing(io.BytesIO):
        def write(self, data: object) -> int:
            (tmp_path / "b").write_bytes(b"longer than it was")
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(ArchiveNotWritten, match="changed while it was read"):
        write_archive(Growing(), {"a": tmp_path / "a", "b": tmp_path / "b"}, epoch=EPOCH)


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """64 MiB are packed within 8 MiB of memory."""
    big = tmp_path / "big"
    with big.open("wb") as stream:
        stream.truncate(64 << 20)
    tracemalloc.start()
    try:
        with (tmp_path / "out").open("wb") as out:
            write_archive(out, {"big": big}, epoch=EPOCH)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
