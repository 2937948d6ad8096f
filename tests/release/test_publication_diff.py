"""A wheel against the one published before: told for people, never a reason to stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.index.distributions import make_wheel

from hephaestus.release.metadata import BrokenDistribution
from hephaestus.release.publication_diff import _entry_points, _requirements, compare_wheels


def test_the_same_wheel_under_a_new_version_has_no_changes(tmp_path: Path) -> None:
    """The version itself is no change: dist-info folders are told without it."""
    before = make_wheel(tmp_path, version="1.0", files={"p/a.py": "x = 1\n"})
    after = make_wheel(tmp_path, version="2.0", files={"p/a.py": "x = 1\n"})
    difference = compare_wheels(before, after)
    assert (difference.changes, difference.files_added, difference.files_removed) == ((), (), ())
    assert len(difference.lines()) == 1
    assert json.loads(json.dumps(difference.data()))["before"] == before.name


def test_every_kind_of_change_is_a_line(tmp_path: Path) -> None:
    """Dependencies, extras, Python, license, entry points, files: each with before and after."""
    points = "[console_scripts]\nold = p:old\nSame = p:same\n"
    before = make_wheel(
        tmp_path,
        version="1.0",
        fields={"Requires-Dist": ["A.b>=1", "c[x]"], "Provides-Extra": ["e"], "Requires-Python": ">=3.8"},
        files={"p/a.py": "x = 1\n", "tiny_thing-1.0.dist-info/entry_points.txt": points},
    )
    after = make_wheel(
        tmp_path,
        version="2.0",
        fields={"Requires-Dist": ["a-b>=1", "c"], "Requires-Python": ">=3.12", "License-Expression": "BSD-3-Clause"},
        files={"p/b.py": "x = 1\n", "tiny_thing-2.0.dist-info/entry_points.txt": points.replace("old =", "new =")},
    )
    lines = compare_wheels(before, after).lines()
    assert set(lines[1:]) == {
        "dependency c: [x] -> any version",
        "extra e: gone (was offered)",
        "requires-python: >=3.8 -> >=3.12",
        "license: MIT -> BSD-3-Clause",
        "entry point console_scripts new: new (p:old)",
        "entry point console_scripts old: gone (was p:old)",
        "files added: p/b.py",
        "files removed: p/a.py",
    }


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_requirement_line_is_told(lines: list[str]) -> None:
    """What is no requirement is told as it stands, so that old mistakes stop nothing."""
    assert len(_requirements(lines)) <= len(lines)


@given(st.text(max_size=100))
def test_any_entry_points_file_is_told(text: str) -> None:
    """An unreadable entry_points.txt of an old wheel is a fact, not a failure."""
    assert all(isinstance(value, str) for value in _entry_points(text).values())


@pytest.mark.parametrize("broken", ["before", "after"])
def test_an_unreadable_wheel_is_one_error(tmp_path: Path, broken: str) -> None:
    """A wheel that cannot be read is named, whichever of the two it is."""
    pair = {name: make_wheel(tmp_path / name) for name in ("before", "after")}
    pair[broken].write_bytes(b"junk")
    with pytest.raises(BrokenDistribution, match="tiny_thing"):
        compare_wheels(pair["before"], pair["after"])
