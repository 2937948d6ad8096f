"""Core metadata read in place, from good and from broken distributions."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.index.distributions import make_sdist, make_wheel, wheel_members, write_wheel

from hephaestus.release.metadata import (
    BrokenDistribution,
    CoreMetadata,
    distribution_kind,
    read_core_metadata,
    read_metadata_bytes,
)


def test_wheel_and_sdist_tell_the_same(tmp_path: Path) -> None:
    """Both kinds are read, with repeated fields in order and the body as description."""
    fields = {"Classifier": ["A :: B", "C :: D"]}
    for path in (make_wheel(tmp_path, fields=fields), make_sdist(tmp_path, fields=fields)):
        metadata = read_core_metadata(path)
        assert (metadata.name, metadata.version) == ("tiny-thing", "1.0")
        assert metadata.all("classifier") == ("A :: B", "C :: D")
        assert metadata.description == "Long.\n"


def test_nothing_is_extracted(tmp_path: Path) -> None:
    """Reading leaves no file behind."""
    paths = {make_wheel(tmp_path), make_sdist(tmp_path)}
    for path in paths:
        read_metadata_bytes(path)
    assert set(tmp_path.iterdir()) == paths


def test_description_in_a_header_is_found() -> None:
    """Old backends put the description into a header."""
    assert CoreMetadata.parse(b"Name: a\nDescription: here\n\n").description == "here"


def test_bytes_that_are_not_utf8_survive_to_be_named() -> None:
    """A Latin-1 byte is neither lost nor an exception."""
    assert CoreMetadata.parse(b"Name: a\nAuthor: J\xf6rg\n\n").all("author") == ("J\udcf6rg",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a-1.whl", "wheel"), ("a-1.tar.gz", "sdist"), ("a-1.zip", None), ("a.whl.sigstore.json", None)],
)
def test_kind_by_name(name: str, kind: str | None) -> None:
    """Only .whl and .tar.gz are distributions."""
    assert distribution_kind(name) == kind


@pytest.mark.parametrize("name", ["a-1-py3-none-any.whl", "a-1.tar.gz", "a-1.zip"])
@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"no tar", mtime=0), b"PK\x05\x06" + b"\0" * 18])
def test_broken_files_are_one_kind_of_error(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever stands in the file, the error names it and is ours."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BrokenDistribution) as caught:
        read_core_metadata(path)
    assert name in caught.value.what
    assert caught.value.next_step


def test_missing_file_is_the_same_error(tmp_path: Path) -> None:
    """A file that vanished is said so, without a traceback."""
    with pytest.raises(BrokenDistribution, match="No such file"):
        read_core_metadata(tmp_path / "a-1.tar.gz")


def test_two_metadata_files_are_refused(tmp_path: Path) -> None:
    """A wheel with two METADATA files is ambiguous."""
    members = wheel_members()
    members["other-1.dist-info/METADATA"] = b"Name: other\n\n"
    with pytest.raises(BrokenDistribution, match=r"2 \.dist-info/METADATA"):
        read_core_metadata(write_wheel(tmp_path / "tiny_thing-1.0-py3-none-any.whl", members))


def test_pkg_info_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A link instead of PKG-INFO is not followed."""
    path = make_sdist(tmp_path, pkg_info=False, links={"PKG-INFO": "/etc/hostname"})
    with pytest.raises(BrokenDistribution, match="not a regular file"):
        read_core_metadata(path)


def test_truncated_archives_are_broken(tmp_path: Path) -> None:
    """Half a file is an error, never half an answer."""
    for path in (make_wheel(tmp_path), make_sdist(tmp_path)):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(BrokenDistribution):
            read_core_metadata(path)


def test_a_wrong_top_folder_still_tells_its_metadata(tmp_path: Path) -> None:
    """An sdist under another name can be read, so that a rule can say what its name should be."""
    assert read_core_metadata(make_sdist(tmp_path, filename="else-2.tar.gz")).name == "tiny-thing"


@given(st.binary(max_size=400))
def test_any_bytes_parse(content: bytes) -> None:
    """Parsing metadata never raises, and yields only text."""
    metadata = CoreMetadata.parse(content)
    assert all(isinstance(value, str) for values in metadata.fields.values() for value in values)


_LINE = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), min_size=1)


@given(st.lists(_LINE, min_size=1, max_size=4), st.text(alphabet="abc \n", max_size=30))
def test_fields_come_back_as_written(values: list[str], body: str) -> None:
    """What a backend writes in a repeated field is what is read."""
    text = "".join(f"Classifier: {value}\n" for value in values) + f"\n{body}"
    metadata = CoreMetadata.parse(text.encode())
    assert list(metadata.all("classifier")) == values
    assert metadata.description == body


def test_an_sdist_in_a_plain_tar_is_broken(tmp_path: Path) -> None:
    """The name says gzip, so plain tar is an error."""
    path = tmp_path / "a-1.tar.gz"
    with tarfile.open(path, "w"):
        pass
    with pytest.raises(BrokenDistribution):
        read_core_metadata(path)
