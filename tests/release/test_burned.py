"""Names that an index has refused for ever: kept by index, read whatever stands there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hephaestus.release.burned import burned_names, remember_burned
from hephaestus.release.directory import BURNED, ReleaseDirectory

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_names_are_kept_by_index_and_damage_nothing(tmp_path: Path) -> None:
    """One name after the other, each with the day it was refused; the note is no foreign file."""
    directory = ReleaseDirectory(path=tmp_path)
    assert burned_names(directory, "pypi") == {}
    remember_burned(directory, "pypi", "a.whl", now=NOW)
    remember_burned(directory, "internal", "a.whl", now=NOW)
    remember_burned(directory, "pypi", "a.tar.gz", now=NOW)
    assert burned_names(directory, "pypi") == {"a.whl": "2026-01-02", "a.tar.gz": "2026-01-02"}
    assert burned_names(directory, "internal") == {"a.whl": "2026-01-02"}
    assert burned_names(directory, "testpypi") == {}
    assert directory.damage() == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"schema": 2, "burned": {"pypi": {"a": "b"}}}', '{"schema": 1, "burned": []}',
     '{"schema": 1, "burned": {"pypi": 3}}', '{"schema": 1, "burned": {"pypi": {"a": 3}}}', "\\udc00"],
)  # fmt: skip
def test_a_note_that_says_nothing_is_none(tmp_path: Path, text: str) -> None:
    """Whatever stands there, it is read as nothing or written anew: the index itself knows."""
    directory = ReleaseDirectory(path=tmp_path)
    (tmp_path / BURNED).write_text(text, encoding="utf-8")
    assert burned_names(directory, "pypi") == {}
    remember_burned(directory, "pypi", "a.whl", now=NOW)
    assert burned_names(directory, "pypi") == {"a.whl": "2026-01-02"}
