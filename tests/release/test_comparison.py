"""What differs between two archives, member by member."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.release.comparison import ComparisonError, compare_archives

MEMBERS = {"demo/__init__.py": b"x = 1\n", "demo/data.bin": bytes(range(256)) * 20}


def wheel(path: Path, members: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """A wheel; ``changes`` are attributes of the zip entry of ``demo/__init__.py``, or ``comment`` and ``level``."""
    comment, level = changes.pop("comment", b""), changes.pop("level", 6)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in (MEMBERS if members is None else members).items():
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 2, 3, 4, 6))
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o100644 << 16, 3
            for attribute, value in changes.items() if name == "demo/__init__.py" else ():
                setattr(info, attribute, value)
            archive.writestr(info, content, compresslevel=level)
    return path


def sdist(path: Path, members: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """An sdist; ``changes`` are attributes of the entry of ``demo/__init__.py``, or ``gzip_time``, ``gzip_name``."""
    moment, name = changes.pop("gzip_time", 1_700_000_000), changes.pop("gzip_name", "")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in (MEMBERS if members is None else members).items():
            info = tarfile.TarInfo(member)
            info.size, info.mtime, info.mode = len(content), 1_700_000_000, 0o644
            for attribute, value in changes.items() if member == "demo/__init__.py" else ():
                setattr(info, attribute, value)
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    packed = io.BytesIO()
    with gzip.GzipFile(filename=name, mode="wb", fileobj=packed, mtime=moment) as stream:
        stream.write(buffer.getvalue())
    path.write_bytes(packed.getvalue())
    return path


def lines(first: Path, second: Path) -> list[str]:
    """Differences as member and aspect."""
    return [f"{found.member}: {found.aspect}" for found in compare_archives(first, second)]


class TestWheels:
    """Zip files."""

    def test_equal_bytes_have_no_difference(self, tmp_path: Path) -> None:
        """Two files of the same bytes."""
        assert compare_archives(wheel(tmp_path / "a.whl"), wheel(tmp_path / "b.whl")) == ()

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"date_time": (2026, 1, 2, 3, 4, 8)}, ["demo/__init__.py: time"]),
            ({"external_attr": 0o100600 << 16}, ["demo/__init__.py: mode"]),
            ({"create_system": 0}, ["demo/__init__.py: system"]),
            ({"compress_type": zipfile.ZIP_STORED}, ["demo/__init__.py: method"]),
            ({"comment": b"made today"}, ["(archive): comment"]),
            ({"level": 1}, ["(archive): compression"]),
        ],
    )
    def test_each_aspect_is_told(self, tmp_path: Path, changes: dict[str, Any], expected: list[str]) -> None:
        """Time, mode, system, method, comment, and compression alone."""
        assert lines(wheel(tmp_path / "a.whl"), wheel(tmp_path / "b.whl", **changes)) == expected

    def test_content_size_and_presence(self, tmp_path: Path) -> None:
        """A changed member, a missing one and an additional one; order is no topic then."""
        other = {"demo/__init__.py": b"x = 22\n", "demo/new.py": b""}
        first, second = wheel(tmp_path / "a.whl"), wheel(tmp_path / "b.whl", other)
        assert lines(first, second) == [
            "demo/__init__.py: size",
            "demo/__init__.py: content",
            "demo/data.bin: presence",
            "demo/new.py: presence",
        ]

    def test_order_alone(self, tmp_path: Path) -> None:
        """The same members in another order."""
        turned = dict(reversed(MEMBERS.items()))
        assert lines(wheel(tmp_path / "a.whl"), wheel(tmp_path / "b.whl", turned)) == ["(archive): order"]

    def test_line_for_people_shows_both_values(self, tmp_path: Path) -> None:
        """First and second value side by side, modes in octal."""
        changed = wheel(tmp_path / "b.whl", external_attr=0o100600 << 16)
        (found,) = compare_archives(wheel(tmp_path / "a.whl"), changed)
        assert found.line() == "demo/__init__.py: mode 0644 / 0600"


class TestSdists:
    """Gzipped tar files."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"mtime": 1_700_000_001}, ["demo/__init__.py: time"]),
            ({"mode": 0o600}, ["demo/__init__.py: mode"]),
            ({"uname": "me", "gid": 7}, ["demo/__init__.py: owner"]),
            ({"gzip_time": 1_700_000_001}, ["(archive): gzip time"]),
            ({"gzip_name": "demo.tar"}, ["(archive): gzip name"]),
        ],
    )
    def test_each_aspect_is_told(self, tmp_path: Path, changes: dict[str, Any], expected: list[str]) -> None:
        """Time, mode, owner, and the two fields of the gzip header that backends get wrong."""
        assert lines(sdist(tmp_path / "a.tar.gz"), sdist(tmp_path / "b.tar.gz", **changes)) == expected

    def test_link_instead_of_a_file(self, tmp_path: Path) -> None:
        """Kind and target are aspects of their own."""
        link = sdist(tmp_path / "b.tar.gz", type=tarfile.SYMTYPE, linkname="data.bin", size=0)
        found = lines(sdist(tmp_path / "a.tar.gz"), link)
        assert {"demo/__init__.py: kind", "demo/__init__.py: link"} <= set(found)

    def test_name_that_is_there_twice_counts_twice(self, tmp_path: Path) -> None:
        """A member written twice in one archive and once in the other is a difference."""
        first = sdist(tmp_path / "a.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first.read_bytes()))) as tar:
            entries = [(entry, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]
        second = tmp_path / "b.tar.gz"
        with tarfile.open(second, "w:gz") as tar:
            for entry, content in [*entries, entries[0]]:
                tar.addfile(entry, io.BytesIO(content))
        assert "demo/__init__.py (2): presence" in lines(first, second)


class TestRefusing:
    """What is no archive."""

    @pytest.mark.parametrize("name", ["a.whl", "a.tar.gz"])
    @pytest.mark.parametrize("content", [b"", b"junk", b"\x1f\x8b\x08\x00cut", b"PK\x05\x06"])
    def test_unreadable_is_named(self, tmp_path: Path, name: str, content: bytes) -> None:
        """Empty, foreign and cut-off files raise the error that names them."""
        broken = tmp_path / name
        broken.write_bytes(content)
        good = (wheel if name.endswith(".whl") else sdist)(tmp_path / f"good-{name}")
        with pytest.raises(ComparisonError, match=name):
            compare_archives(good, broken)

    def test_cut_sdist_is_named(self, tmp_path: Path) -> None:
        """An sdist that ends in the middle is not compared up to there."""
        good = sdist(tmp_path / "good.tar.gz")
        cut = tmp_path / "cut.tar.gz"
        cut.write_bytes(good.read_bytes()[:-20])
        with pytest.raises(ComparisonError, match=r"cut\.tar\.gz"):
            compare_archives(good, cut)

    @settings(deadline=None)
    @given(
        one=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=8)),
        two=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=8)),
    )
    def test_empty_exactly_when_the_bytes_are_equal(
        self, tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], two: dict[str, bytes]
    ) -> None:
        """For both kinds: a difference is found if and only if there is one."""
        folder = tmp_path_factory.mktemp("pair")
        for make, suffix in ((wheel, ".whl"), (sdist, ".tar.gz")):
            first, second = make(folder / f"a{suffix}", one), make(folder / f"b{suffix}", two)
            assert (compare_archives(first, second) == ()) == (first.read_bytes() == second.read_bytes())
