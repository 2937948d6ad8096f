"""Durable writes: the old or the new, never something between, and a failure that can be acted on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hephaestus.release import files
from hephaestus.release.files import NotWritableError, place, replacing, write_bytes, write_text


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The new content takes the old one's place, in folders made as needed, with nothing left beside it."""
    target = tmp_path / "a" / "b.txt"
    write_text(target, "old\n")
    write_text(target, "new ü\n")
    assert target.read_bytes() == "new ü\n".encode()
    assert [path.name for path in target.parent.iterdir()] == ["b.txt"]


def test_an_error_while_writing_leaves_the_old(tmp_path: Path) -> None:
    """When the writer fails half way, the former content stays and the temporary file goes."""
    target = tmp_path / "x"
    write_bytes(target, b"old")

    def half() -> None:
        with replacing(target) as stream:
            stream.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "must be writable")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_or_read_only_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, call: str
) -> None:
    """A disk that fails at the last moment is an error with a way on, and the former content is untouched."""
    target = tmp_path / "x"
    write_bytes(target, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "fsync":
        monkeypatch.setattr(files.os, "fsync", fail)
    else:
        monkeypatch.setattr(files.Path, "replace", fail)
    with pytest.raises(NotWritableError) as raised:
        write_bytes(target, b"new")
    monkeypatch.undo()
    assert words in raised.value.why
    assert "run the same command again" in raised.value.next_step
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    """A path through a file cannot be written, which is told and not raised as it is."""
    (tmp_path / "x").write_text("", encoding="utf-8")
    with pytest.raises(NotWritableError, match="cannot be written"):
        write_text(tmp_path / "x" / "y", "z")


def test_place_moves_and_replaces(tmp_path: Path) -> None:
    """Placing a file takes it away from where it was."""
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    place(tmp_path / "new", tmp_path / "old")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"new"}
