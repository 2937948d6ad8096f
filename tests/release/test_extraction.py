"""The archive reader: what our writer and old clients' packers make is read; everything hostile is refused and gone."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hephaestus.release.archive import write_archive
from hephaestus.release.extraction import ArchiveRefused, Limits, extract_archive


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT, **more: dict[str, str]) -> bytes:
    """A .tar.gz made by Python's own tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, **more) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """One member with any field set."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def own(files: dict[str, bytes]) -> bytes:
    """An archive of our own writer."""
    stream = io.BytesIO()
    write_archive(stream, dict(files), epoch=1_600_000_000)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Read an archive given as bytes; what is in the target afterwards."""

    def extract(content: bytes, **options: object) -> dict[str, bytes]:
        (tmp_path / "a.tar.gz").write_bytes(content)
        target = tmp_path / "target"
        for path in target.iterdir() if target.is_dir() else ():
            path.unlink()
        try:
            members = extract_archive(tmp_path / "a.tar.gz", target, **options)  # type: ignore[arg-type]
        except ArchiveRefused:
            assert list(target.iterdir()) == []
            raise
        found = {path.name: path.read_bytes() for path in target.iterdir()}
        digests = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in found.items()}
        assert {one.name: one.digest for one in members} == digests
        return found

    return extract


def test_our_own_archives_come_back(read: Callable[..., dict[str, bytes]]) -> None:
    """Long names, empty files and big ones are what they were."""
    files = {"a": b"", "b" * 140: b"x", "c": bytes(range(256)) * 10_000}
    assert read(own(files)) == files


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_others_pack_is_read(read: Callable[..., dict[str, bytes]], form: int) -> None:
    """A ./ prefix, an entry for the root, owners, times and squeezing are no harm (facts: consumers, C7)."""
    name = "a" * 90 if form == tarfile.USTAR_FORMAT else "a" * 140
    root = member("./", type=tarfile.DIRTYPE)
    assert read(tar(root, member(f"./{name}", b"x", mtime=1.5, uname="me"), member("b", b"y"), form=form)) == {
        name: b"x",
        "b": b"y",
    }


def test_what_is_expected_must_be_met_exactly(read: Callable[..., dict[str, bytes]]) -> None:
    """A member with another digest, one too many and one too few are told apart."""
    digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    archive = own({"a": b"x"})
    assert read(archive, expected={"a": digest}) == {"a": b"x"}
    for expected, code in (
        ({"a": digest[:-1] + "g"}, "digest"),
        ({}, "foreign"),
        ({"a": digest, "b": digest}, "missing"),
    ):
        with pytest.raises(ArchiveRefused) as caught:
            read(archive, expected=expected)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        pytest.param(b"", "broken", id="nothing"),
        pytest.param(b"PK\x03\x04", "broken", id="a zip"),
        pytest.param(gzip.compress(b""), "broken", id="no tar in it"),
        pytest.param(gzip.compress(b"x" * 5000), "broken", id="no tar header"),
        pytest.param(own({"a": b"x" * 5000})[:-1], "broken", id="cut by a byte"),
        pytest.param(own({"a": b"x" * 5000})[:3000], "broken", id="cut in the middle"),
        pytest.param(own({"a": b"x"}) + b"\0", "trailing", id="a byte after the end"),
        pytest.param(own({"a": b"x"}) + own({"b": b"y"}), "trailing", id="a second gzip member"),
        pytest.param(
            gzip.compress(gzip.decompress(own({"a": b"x"})) + gzip.decompress(own({"b": b"y"}))),
            "trailing",
            id="a second tar",
        ),
        pytest.param(tar(member("../a", b"x")), "name", id="traversal"),
        pytest.param(tar(member("/etc/passwd", b"x")), "name", id="absolute"),
        pytest.param(tar(member("C:a", b"x")), "name", id="drive"),
        pytest.param(tar(member("a\\b", b"x")), "name", id="backslash"),
        pytest.param(tar(member("sub/a", b"x")), "name", id="folder in the name"),
        pytest.param(tar(member("././a", b"x")), "name", id="dots in the name"),
        pytest.param(tar(member("caf\u00e9", b"x")), "name", id="not ASCII"),
        pytest.param(tar(member("aux.whl", b"x")), "name", id="a device of Windows"),
        pytest.param(tar(member("a", b"x"), member("a", b"y")), "twice", id="twice"),
        pytest.param(tar(member("a", b"x"), member("./a", b"y")), "twice", id="twice in two spellings"),
        pytest.param(tar(member("a", b"x"), member("A", b"y")), "twice", id="case twins"),
        pytest.param(tar(member("sub", type=tarfile.DIRTYPE)), "kind", id="folder"),
        pytest.param(tar(member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "kind", id="symbolic link"),
        pytest.param(tar(member("a", type=tarfile.LNKTYPE, linkname="b")), "kind", id="hard link"),
        pytest.param(tar(member("a", type=tarfile.CHRTYPE)), "kind", id="device"),
        pytest.param(tar(member("a", type=tarfile.FIFOTYPE)), "kind", id="pipe"),
        pytest.param(tar(member("a", type=b"S")), "kind", id="sparse file"),
        pytest.param(tar(member("a", type=b"Z")), "kind", id="unknown kind"),
        pytest.param(tar(member("a", b"x", pax_headers={"size": "1"})), "kind", id="pax size"),
        pytest.param(tar(member("a", b"x", pax_headers={"GNU.sparse.name": "b"})), "kind", id="pax sparse"),
        pytest.param(tar(member("a", b"x"), pax_headers={"comment": "all"}), "kind", id="global header"),
    ],
)
def test_hostile_and_broken_archives_are_refused(
    read: Callable[..., dict[str, bytes]], archive: bytes, code: str
) -> None:
    """Each has its own code, and nothing of it stays."""
    with pytest.raises(ArchiveRefused) as caught:
        read(archive)
    assert caught.value.code == code


def test_a_broken_header_in_the_middle_is_no_end(read: Callable[..., dict[str, bytes]]) -> None:
    """tarfile takes it for the end and drops the rest unseen; here the archive is refused."""
    plain = bytearray(gzip.decompress(own({"a": b"x", "b": b"y"})))
    plain[1024 + 20] ^= 0xFF
    with pytest.raises(ArchiveRefused, match="damaged"):
        read(gzip.compress(bytes(plain)))


def test_limits_hold(read: Callable[..., dict[str, bytes]]) -> None:
    """Too many members, one too big, too much in all: refused before it is on the disk."""
    for archive, limits in (
        (own({"a": b"", "b": b""}), Limits(members=1)),
        (own({"a": b"xx"}), Limits(member_size=1)),
        (own({"a": b"x" * 60_000}), Limits(total_size=50_000)),
    ):
        with pytest.raises(ArchiveRefused) as caught:
            read(archive, limits=limits)
        assert caught.value.code == "too-large"


def test_a_bomb_costs_neither_memory_nor_disk(tmp_path: Path) -> None:
    """A gibibyte of zeros in a megabyte is stopped at the limit, within a few megabytes."""
    header = tarfile.TarInfo("a")
    header.size = 1 << 30
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeeze.compress(header.tobuf())
    for _ in range(64):
        bomb += squeeze.compress(bytes(1 << 20))
    (tmp_path / "bomb").write_bytes(bomb + squeeze.flush())
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveRefused):
            extract_archive(tmp_path / "bomb", tmp_path / "target", limits=Limits(total_size=16 << 20))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert list((tmp_path / "target").iterdir()) == []


def test_no_existing_file_is_written_to(tmp_path: Path) -> None:
    """A file, or a link, that waits in the target is refused and left as it is."""
    (tmp_path / "a.tar.gz").write_bytes(own({"a": b"new"}))
    (tmp_path / "outside").write_bytes(b"old")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(ArchiveRefused, match="must be empty"):
        extract_archive(tmp_path / "a.tar.gz", target)
    assert (tmp_path / "outside").read_bytes() == b"old"
    assert (target / "a").is_symlink()


FILES = {"a.whl": b"first", "b.whl": b"second" * 200}
WHOLE = own(FILES)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(WHOLE) - 1), value=st.integers(1, 255))
def test_any_changed_byte_is_noticed_or_harmless(tmp_path: Path, position: int, value: int) -> None:
    """Whatever single byte changes: refused with nothing left, or the very same files."""
    spoilt = bytearray(WHOLE)
    spoilt[position] ^= value
    _refused_or_same(tmp_path, bytes(spoilt))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_239), value=st.integers(1, 255))
def test_any_changed_byte_of_the_tar_keeps_names_plain(tmp_path: Path, position: int, value: int) -> None:
    """Behind a valid gzip checksum every outcome is a refusal or flat files in the target and nowhere else."""
    plain = bytearray(gzip.decompress(WHOLE))
    plain[position] ^= value
    _refused_or_same(tmp_path, gzip.compress(bytes(plain)), contents=False)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000), squeezed=st.booleans())
def test_noise_is_refused(tmp_path: Path, content: bytes, squeezed: bool) -> None:
    """Bytes that are no archive never end in anything but ArchiveRefused."""
    _refused_or_same(tmp_path, gzip.compress(content) if squeezed else content, contents=False)


def _refused_or_same(tmp_path: Path, archive: bytes, *, contents: bool = True) -> None:
    target = tmp_path / "target"
    for path in target.iterdir() if target.is_dir() else ():
        path.unlink()
    (tmp_path / "x.tar.gz").write_bytes(archive)
    try:
        members = extract_archive(tmp_path / "x.tar.gz", target)
    except ArchiveRefused:
        assert list(target.iterdir()) == []
        return
    assert sorted(path.name for path in target.iterdir()) == sorted(one.name for one in members)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "x.tar.gz"]
    if contents:
        assert {path.name: path.read_bytes() for path in target.iterdir()} == FILES
