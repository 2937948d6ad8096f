"""`hephaestus wheelhouse`: exit codes and words of sanitize and verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Said

from hephaestus.consumer import litter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a wheel, a resource fork of it, and Finder's own file."""
    for name in ("a.whl", "._a.whl", "Icon\r", "__MACOSX/._a.whl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_sanitize_removes_and_says_what(folder: Path, says: Said) -> None:
    """A dry run only tells; then all of it goes, is told, and the folder is clean."""
    code, out, _ = says("wheelhouse", "sanitize", "--dry-run", str(folder))
    assert (code, out.splitlines()) == (
        0,
        ["would remove ._a.whl", "would remove 'Icon\\r'", "would remove __MACOSX"],
    )
    assert len(list(folder.iterdir())) == 4
    code, out, _ = says("wheelhouse", "sanitize", str(folder))
    assert (code, out.splitlines()) == (0, ["removed ._a.whl", "removed 'Icon\\r'", "removed __MACOSX"])
    assert [path.name for path in folder.iterdir()] == ["a.whl"]
    assert says("wheelhouse", "sanitize", str(folder))[:2] == (0, f"{folder}: clean\n")


def test_verify_fails_on_what_it_finds_unless_told_otherwise(folder: Path, says: Said) -> None:
    """1 when something is found and strict, which is the default; 0 with --no-strict, and when there is nothing."""
    code, out, _ = says("wheelhouse", "verify", str(folder))
    assert (code, out.splitlines()) == (1, ["found ._a.whl", "found 'Icon\\r'", "found __MACOSX"])
    assert says("wheelhouse", "verify", "--strict", str(folder))[0] == 1
    assert says("wheelhouse", "verify", "--no-strict", str(folder))[0] == 0
    assert len(list(folder.iterdir())) == 4
    says("wheelhouse", "sanitize", str(folder))
    assert says("wheelhouse", "verify", str(folder))[0] == 0


def test_a_missing_folder_is_clean_to_sanitize_and_no_folder_to_verify(tmp_path: Path, says: Said) -> None:
    """Nothing to remove is success; a check of nothing is none."""
    assert says("wheelhouse", "sanitize", str(tmp_path / "none"))[0] == 0
    code, out, told = says("wheelhouse", "verify", "--no-strict", str(tmp_path / "none"))
    assert (code, out) == (1, "")
    assert "does not exist" in told


def test_what_could_not_be_done_ends_with_1(folder: Path, says: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that fails, and a folder that cannot be read, are told on stderr; the rest goes on."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(litter.shutil, "rmtree", refuse)
    code, out, told = says("wheelhouse", "sanitize", str(folder))
    assert (code, told) == (1, "failed at __MACOSX: Permission denied\n")
    assert out.splitlines() == ["removed ._a.whl", "removed 'Icon\\r'"]
    monkeypatch.setattr(litter.os, "scandir", refuse)
    assert says("wheelhouse", "verify", "--no-strict", str(folder))[0] == 1
    code, out, _ = says("wheelhouse", "sanitize", "--json", str(folder))
    assert (code, json.loads(out)["clean"]) == (1, False)


def test_json_says_the_same_as_data(folder: Path, says: Said) -> None:
    """Found, removed and failed as lists, and whether the folder is clean now."""
    told = json.loads(says("wheelhouse", "verify", "--json", str(folder))[1])
    assert (told["clean"], told["found"], told["removed"]) == (False, ["._a.whl", "Icon\r", "__MACOSX"], [])
    told = json.loads(says("wheelhouse", "sanitize", "--json", str(folder))[1])
    assert (told["clean"], told["removed"], told["failed"]) == (True, ["._a.whl", "Icon\r", "__MACOSX"], [])
    assert json.loads(says("wheelhouse", "sanitize", "--json", str(folder / "none"))[1])["clean"] is True


def test_a_link_to_a_folder_is_not_followed(folder: Path, tmp_path: Path, says: Said) -> None:
    """Both commands refuse it and name the folder it leads to; a dangling link is no missing folder."""
    link = tmp_path / "link"
    link.symlink_to(folder / "__MACOSX")
    for command in ("sanitize", "verify"):
        code, _, told = says("wheelhouse", command, str(link))
        assert code == 1
        assert f"name the folder itself: {folder / '__MACOSX'}" in told
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert says("wheelhouse", "sanitize", str(tmp_path / "dangling"))[0] == 1
