"""What macOS leaves behind: found by its exact name and kind, removed without ever leaving the folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.consumer import litter
from hephaestus.consumer.litter import FolderRefused, find_litter, remove_litter

FILES = ["._a.whl", ".DS_Store", "sub/._b", "Icon\r", "sub/.VolumeIcon.icns", "._._x"]
FOLDERS = ["__MACOSX", ".AppleDouble", "sub/.Spotlight-V100", ".Trashes", ".fseventsd"]
KEPT = [
    "a.whl",
    "Icon.",
    "Icons",
    "Icon",
    "IconX",
    "._",
    "_.x",
    ".DS_Store.txt",
    "x._y",
    "sub/deep/b.whl",
    ".ds_store.whl",
]


def put(root: Path, *names: str) -> None:
    """Make files of those names, folders as needed."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")


def names(root: Path) -> set[str]:
    """Every file, link and folder below ``root``."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def test_all_of_it_goes_and_nothing_else(tmp_path: Path) -> None:
    """Every known name, nested ones too, is found and removed; what only looks like one stays; twice is harmless."""
    put(tmp_path, *FILES, *KEPT, *(f"{folder}/in/._side" for folder in FOLDERS))
    assert {one.path for one in find_litter(tmp_path).found} == {*FILES, *FOLDERS}
    result = remove_litter(tmp_path)
    assert result.removed == result.found
    assert result.failed == ()
    assert names(tmp_path) == {*KEPT, "sub", "sub/deep"}
    assert remove_litter(tmp_path).found == ()


def test_a_name_of_another_kind_stays(tmp_path: Path) -> None:
    """A folder named like a file's litter, a file named like a folder's: they are somebody's own."""
    put(tmp_path, ".DS_Store/own", "._own/file", "._own/._fork", "__MACOSX")
    assert [one.path for one in find_litter(tmp_path).found] == ["._own/._fork"]


def test_no_link_is_followed_and_nothing_outside_is_touched(tmp_path: Path) -> None:
    """Links to outside stay when they are no litter, and are removed themselves when they are, never their targets."""
    put(tmp_path, "outside/._precious", "outside/__MACOSX/precious", "outside/file", "root/__MACOSX/x")
    root = tmp_path / "root"
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "__MACOSX" / "out").symlink_to(tmp_path / "outside")
    (root / ".Trashes").symlink_to(tmp_path / "outside" / "__MACOSX")
    (root / "._fork").symlink_to(tmp_path / "outside" / "file")
    (root / ".DS_Store").symlink_to(tmp_path / "nowhere")
    before = names(tmp_path / "outside")
    result = remove_litter(root)
    assert {one.path for one in result.removed} == {".DS_Store", ".Trashes", "._fork", "__MACOSX"}
    assert names(tmp_path / "outside") == before
    assert [path.name for path in root.iterdir()] == ["link"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A missing folder, a file and a link to a folder, each with its own words; nothing is removed through the link."""
    put(tmp_path, "file", "folder/._x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name, problem in (("none", "does not exist"), ("file", "is not a folder"), ("link", "links are not followed")):
        with pytest.raises(FolderRefused, match=problem):
            remove_litter(tmp_path / name)
    assert (tmp_path / "folder" / "._x").exists()


def test_one_that_cannot_be_removed_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the system is told with its reason; the rest is removed all the same."""
    put(tmp_path, "._a", "._b", "__MACOSX/x")
    unlink = Path.unlink

    def refuse(self: Path, **options: Any) -> None:
        if self.name == "._a":
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    result = remove_litter(tmp_path)
    assert [one.line() for one in result.failed] == ["._a: Permission denied"]
    assert names(tmp_path) == {"._a"}


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked into is no clean folder: it is named among the failures."""
    import os

    put(tmp_path, "closed/._a", "._b")
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = find_litter(tmp_path)
    assert ([one.path for one in result.found], [one.path for one in result.failed]) == (["._b"], ["closed"])


def _told(tag: int) -> Callable[..., SimpleNamespace]:
    return lambda *, follow_symlinks: SimpleNamespace(st_reparse_tag=tag)


def test_a_junction_of_windows_is_a_link() -> None:
    """A folder to ``is_dir``, but its reparse tag says that it leads elsewhere: it is not entered."""
    tags = {"junction": 0xA0000003, "folder": 0}
    entries = {name: SimpleNamespace(is_symlink=lambda: False, stat=_told(tag)) for name, tag in tags.items()}
    assert {name: litter._is_link(cast("Any", entry)) for name, entry in entries.items()} == {
        "junction": True,
        "folder": False,
    }


NAME = st.one_of(
    st.sampled_from(["._a", ".DS_Store", "__MACOSX", "Icon\r", "Icon", "a.whl", "sub", ".Trashes", ".AppleDouble"]),
    st.text("._aI\r", min_size=1, max_size=4).filter(lambda name: name not in (".", "..")),
)
PATHS = st.lists(st.lists(NAME, min_size=1, max_size=4), max_size=8)


@settings(max_examples=60, deadline=None)
@given(paths=PATHS, links=PATHS)
def test_any_tree_ends_clean_and_the_outside_as_it_was(paths: list[list[str]], links: list[list[str]]) -> None:
    """Whatever files and links a folder holds: afterwards nothing is found, and every byte outside is there."""
    top = Path(tempfile.mkdtemp(prefix="litter-"))
    try:
        put(top, "outside/._a", "outside/__MACOSX/b", "root/own")
        for path, link in [*((path, False) for path in paths), *((path, True) for path in links)]:
            place = top.joinpath("root", *path)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                if link:
                    place.symlink_to(top / "outside")
                else:
                    place.open("x").close()
            except OSError:
                continue  # something else is there
        before = names(top / "outside")
        result = remove_litter(top / "root")
        assert result.failed == ()
        assert find_litter(top / "root").found == ()
        assert names(top / "outside") == before
        assert (top / "root" / "own").exists()
    finally:
        shutil.rmtree(top)
