"""The archive reader: what our writer and old clients' packers make is read; everything hostile is refused and gone."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tracemalloc
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hephaestus.release.archive import write_archive
from hephaestus.release.extraction import ArchiveRefused, Limits, archive_members, extract_archive


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


def header(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One header block as it stands, whatever it says."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = f"{size:011o}\0".encode() if 0 <= size < 1 << 33 else _base256(size)
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def _base256(size: int) -> bytes:
    """GNU tar's form of a number too big, or too small, for octal digits."""
    return (b"\xff" if size < 0 else b"\x80") + (size % (1 << 88)).to_bytes(11, "big")


def raw(*parts: bytes) -> bytes:
    """A .tar.gz of blocks as they stand, each part filled up to whole ones."""
    return gzip.compress(b"".join(part + bytes(-len(part) % 512) for part in parts) + bytes(1024), mtime=0)


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
        pytest.param(tar(member("NUL", b"x")), "name", id="another device of Windows"),
        pytest.param(tar(member("a.", b"x")), "name", id="a dot at the end, which Windows drops"),
        pytest.param(tar(member("a.whl:b", b"x")), "name", id="a stream of NTFS"),
        pytest.param(tar(member("a\u202egpj.whl", b"x")), "name", id="a name written backwards"),
        pytest.param(
            tar(
                member(unicodedata.normalize("NFC", "caf\u00e9"), b"x"),
                member(unicodedata.normalize("NFD", "caf\u00e9")),
            ),
            "name",
            id="twins of one name in two Unicode forms",
        ),
        pytest.param(tar(member("a", b"x", pax_headers={"path": "../a"})), "name", id="traversal in a pax header"),
        pytest.param(
            tar(member("a", b"x", pax_headers={"path": "/etc/passwd"})), "name", id="absolute in a pax header"
        ),
        pytest.param(tar(member("a", b"x", pax_headers={"path": "a\0b"})), "name", id="a zero byte in a pax header"),
        pytest.param(
            tar(member("../" + "a" * 200, b"x"), form=tarfile.GNU_FORMAT), "name", id="traversal, GNU long name"
        ),
        pytest.param(tar(member("a", b"x"), member("A", b"y", pax_headers={"path": "a"})), "twice", id="twice, by pax"),
        pytest.param(
            tar(member("a", type=tarfile.SYMTYPE, linkname="b" * 200), form=tarfile.GNU_FORMAT),
            "kind",
            id="GNU long link",
        ),
        pytest.param(tar(member("a", type=tarfile.SYMTYPE, linkname="b" * 200)), "kind", id="pax long link"),
        pytest.param(raw(header("a", size=-1)), "too-large", id="a negative size"),
        pytest.param(raw(header("a", size=1 << 70)), "too-large", id="a size beyond every disk"),
        pytest.param(raw(header("a", size=600), b"x" * 512), "broken", id="a size beyond the end"),
        pytest.param(raw(header("x", size=100_000, kind=b"L"), b"a" * 100_000), "broken", id="a name of 100 kB"),
        pytest.param(raw(header("x", size=0, kind=b"L")), "broken", id="a long name of nothing"),
        pytest.param(
            raw(header("x", size=2, kind=b"L"), b"a\0", header("x", size=2, kind=b"L"), b"b\0", header("c")),
            "broken",
            id="two long names in a row",
        ),
        pytest.param(raw(header("x", size=9, kind=b"x"), b"99 path=a"), "broken", id="a pax record that is too short"),
        pytest.param(raw(header("sub/", kind=b"\0")), "kind", id="a folder as old tars wrote it"),
        pytest.param(gzip.compress(bytes(1024)) + gzip.compress(bytes(1024)), "trailing", id="two empty gzip members"),
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
        (tar(*[member("./", type=tarfile.DIRTYPE)] * 9, member("a", b"x")), Limits(members=8)),
        (raw(*[header("x", size=12, kind=b"x"), b"12 mtime=1.\n"] * 9, header("a")), Limits(members=8)),
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


def test_a_bomb_is_stopped_by_what_it_grows_to(tmp_path: Path) -> None:
    """Far below every limit on sizes, fifty times the archive's own size is refused; wheels never come near."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeeze.compress(header("a.whl", size=1 << 30))
    for _ in range(32):
        bomb += squeeze.compress(bytes(1 << 20))
    (tmp_path / "bomb").write_bytes(bomb + squeeze.flush())
    with pytest.raises(ArchiveRefused, match="more than 50 times its size"):
        extract_archive(tmp_path / "bomb", tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


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
    (tmp_path / "up").write_bytes(b"outside")
    try:
        members = extract_archive(tmp_path / "x.tar.gz", target)
    except ArchiveRefused:
        members = ()
    assert sorted(path.name for path in target.iterdir()) == sorted(one.name for one in members)
    assert all(path.is_file() and not path.is_symlink() for path in target.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "up", "x.tar.gz"]
    assert (tmp_path / "up").read_bytes() == b"outside"
    if not members:
        return
    if contents:
        assert {path.name: path.read_bytes() for path in target.iterdir()} == FILES


NAMES = st.one_of(
    st.sampled_from(
        ["a.whl", "A.whl", "./a.whl", "b.whl", "..", "../up", "/abs", "sub/a", "sub", ".", "", "aux", "a\\b"]
    ),
    st.text(max_size=30),
    st.text("ab/.", min_size=90, max_size=200),
)
TYPES = st.one_of(
    st.just(tarfile.REGTYPE),
    st.sampled_from([b"\0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"Z", b"D", b"V", b"M"]),
)
PAX = st.dictionaries(
    st.sampled_from(["path", "linkpath", "size", "mtime", "GNU.sparse.name", "GNU.sparse.realsize", "SCHILY.xattr.a"]),
    st.sampled_from(["a.whl", "../up", "/abs", "5", "-1", "\0", "x" * 200]),
    max_size=2,
)
MEMBERS = st.lists(st.tuples(NAMES, TYPES, st.binary(max_size=600), NAMES, PAX), max_size=5)
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "double"]), st.integers(0, 1 << 20), st.binary(max_size=600)),
    max_size=3,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=MEMBERS, edits=EDITS, form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), outside=st.booleans()
)
def test_no_tar_whatever_writes_outside_or_leaves_a_file(
    tmp_path: Path,
    members: list[tuple[str, bytes, bytes, str, dict[str, str]]],
    edits: list[tuple[str, int, bytes]],
    form: int,
    outside: bool,
) -> None:
    """Any members, cut, doubled and changed anywhere: plain files in the target, or nothing at all."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogatepass") as archive:
        for name, kind, content, link, pax in members:
            info, body = member(name, content, type=kind, linkname=link, pax_headers=pax)
            try:
                archive.addfile(info, io.BytesIO(body))
            except (ValueError, tarfile.TarError):
                continue  # no tar can say that
    content = buffer.getvalue()
    if not outside:
        content = edited(content, edits)
    squeezed = gzip.compress(content, 1, mtime=0)
    _refused_or_same(tmp_path, edited(squeezed, edits) if outside else squeezed, contents=False)


def edited(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """What the edits make of some bytes."""
    for kind, number, piece in edits:
        at = number % (len(content) + 1)
        if kind == "flip" and at < len(content):
            content = content[:at] + bytes([content[at] ^ (number % 255 + 1)]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at] + content[at + len(piece) :]
        elif kind == "insert":
            content = content[:at] + piece + content[at:]
        elif kind == "double":
            content = content[:at] + content[max(0, at - 512) :]
    return content


def test_an_archive_is_what_it_was_when_it_was_verified(tmp_path: Path) -> None:
    """The archive's own digest is taken of the very bytes that are unpacked; exchanged meanwhile, nothing is kept."""
    archive, target = tmp_path / "a.tar.gz", tmp_path / "to"
    archive.write_bytes(tar(member("a.whl", b"good")))
    verified = hashlib.sha256(archive.read_bytes()).hexdigest()
    read = archive_members(archive, sha256=verified)
    assert list(tmp_path.iterdir()) == [archive]
    assert extract_archive(archive, target, sha256=verified) == read
    archive.write_bytes(tar(member("b.whl", b"evil")))
    for again in (
        lambda: extract_archive(archive, target, sha256=verified),
        lambda: archive_members(archive, sha256=verified),
    ):
        with pytest.raises(ArchiveRefused, match="exchanged") as caught:
            again()
        assert caught.value.code == "digest"
    assert [path.name for path in target.iterdir()] == ["a.whl"]
