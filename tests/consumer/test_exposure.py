"""Who else can write to a folder: by its owner, its mode, and who is in its group."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from hephaestus.consumer.exposure import exposed, exposure_of, ours

ME, OTHER, ROOT = 1000, 1001, 0
MINE, STAFF = 1000, 50


def folder(mode: int, uid: int, gid: int) -> os.stat_result:
    """What the system tells of a folder."""
    return os.stat_result((stat.S_IFDIR | mode, 1, 1, 2, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (0o700, ME, MINE, ""), (0o755, ME, STAFF, ""), (0o775, ME, MINE, ""), (0o755, ROOT, ROOT, ""),
        (0o1777, ROOT, ROOT, ""), (0o1777, ME, MINE, ""), (0o1775, ROOT, STAFF, ""),
        (0o775, ME, STAFF, "other users of its group"), (0o2775, ME, STAFF, "other users of its group"),
        (0o775, ROOT, STAFF, "other users of its group"), (0o720, ME, STAFF, "other users of its group"),
        (0o777, ME, MINE, "every user"), (0o702, ME, MINE, "every user"), (0o777, ROOT, ROOT, "every user"),
        (0o700, OTHER, MINE, "another user"), (0o755, OTHER, STAFF, "another user"), (0o1777, OTHER, STAFF, "another"),
    ],
)  # fmt: skip
def test_whoever_can_write_can_exchange(mode: int, uid: int, gid: int, problem: str) -> None:
    """Another owner, or others who may write where the folder is not sticky; a group of one is nobody else."""
    said = exposure_of(folder(mode, uid, gid), user=ME, alone=lambda group: group == MINE)
    assert (problem in said) if problem else not said


@pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing on Windows")
def test_a_real_folder(tmp_path: Path) -> None:
    """The user's own folder is theirs alone, until everybody may write to it; a link counts as what it leads to."""
    assert exposed(tmp_path) == ""
    assert ours(tmp_path)
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (tmp_path / "link").symlink_to(open_to_all)
    assert exposed(open_to_all) == exposed(tmp_path / "link") == "can be written to by every user"
    open_to_all.chmod(0o1777)
    assert exposed(open_to_all) == ""
