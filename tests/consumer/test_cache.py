"""The folder of wheelhouses: private while it is filled, one run at a time, and never more removed than was made."""

from __future__ import annotations

import errno
import hashlib
import json
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.consumer.cache import MARKER, Unpacked, WheelhouseCache, storage_failures
from hephaestus.consumer.refusals import PlaceExposed, PlaceTaken, PlaceUnwritable
from hephaestus.release.archive import Member

NAME = "tiny-1.2.3-wheelhouse.tar.gz"


@pytest.fixture
def cache(tmp_path: Path) -> WheelhouseCache:
    """A cache that says nothing."""
    return WheelhouseCache(tmp_path / "cache", told=lambda _text: None)


def test_the_private_folder_is_private_and_on_the_same_file_system(cache: WheelhouseCache) -> None:
    """Mode 0700, beside what it will be renamed to; gone afterwards, whatever happened."""
    with cache.opened() as private:
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert private.parent == cache.folder
        assert private.stat().st_dev == cache.folder.stat().st_dev
        (private / "file").write_text("x")
    assert not private.exists()
    with pytest.raises(RuntimeError), cache.opened() as private:
        raise RuntimeError
    assert not private.exists()


def test_what_killed_runs_left_is_removed_and_nothing_else(cache: WheelhouseCache, tmp_path: Path) -> None:
    """Private folders of before go; a link that is called like one leads nowhere; other files stay."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    cache.folder.mkdir()
    (cache.folder / ".hephaestus-incoming-dead" / "wheels").mkdir(parents=True)
    (cache.folder / ".hephaestus-incoming-link").symlink_to(mine)
    (cache.folder / "notes.txt").write_text("x")
    with cache.opened():
        pass
    left = {path.name for path in cache.folder.iterdir()}
    assert left == {".hephaestus-incoming-link", "notes.txt", ".hephaestus.lock"}
    assert (mine / "thesis.txt").exists()


def test_a_folder_that_others_can_write_to_is_refused_before_anything_is_made(cache: WheelhouseCache) -> None:
    """Whoever could rename the private folder could exchange what was proven; the message names both ways out."""
    cache.folder.mkdir()
    cache.folder.chmod(0o777)
    with pytest.raises(PlaceExposed, match="can be written to by every user") as caught, cache.opened():
        pass
    assert "--destination" in caught.value.next_step
    assert f"chmod go-w {cache.folder}" in caught.value.next_step
    assert list(cache.folder.iterdir()) == []
    cache.folder.chmod(0o1777)
    with cache.opened() as private:
        assert private.is_dir()


def test_unpacked_wheels_of_another_user_are_not_taken(cache: WheelhouseCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sticky folder somebody else may have laid them there, the right ones even: they could still change them."""
    folder = cache.unpacked(NAME)
    folder.mkdir(parents=True)
    Unpacked.of(folder, NAME, "0" * 64, [])
    cache.check_unpacked(NAME, sha256="0" * 64, overwrite=False)
    monkeypatch.setattr("hephaestus.consumer.cache.ours", lambda _path: False)
    with pytest.raises(PlaceTaken, match="this program did not make it"):
        cache.check_unpacked(NAME, sha256="0" * 64, overwrite=True)


def test_one_run_at_a_time(cache: WheelhouseCache) -> None:
    """The second one says that it waits, and goes on when the first has ended."""
    told, entered = threading.Event(), threading.Event()

    def second() -> None:
        with WheelhouseCache(cache.folder, told=lambda _text: told.set()).opened():
            entered.set()

    with cache.opened():
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(300)
        assert not entered.is_set()
    thread.join(300)
    assert entered.is_set()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_what_a_person_can_change_is_a_refusal(tmp_path: Path, code: int) -> None:
    """A full, foreign or read-only disk is named with its file."""
    with pytest.raises(PlaceUnwritable, match="/some/file"), storage_failures(tmp_path):
        raise OSError(code, "no", "/some/file")


def test_a_defect_is_not_dressed_up(tmp_path: Path) -> None:
    """A file of ours that is not there is no trouble of the disk."""
    with pytest.raises(FileNotFoundError), storage_failures(tmp_path):
        (tmp_path / "no such file").read_text()


def test_a_folder_that_cannot_be_made_is_a_refusal(tmp_path: Path) -> None:
    """The destination is a file."""
    (tmp_path / "cache").write_text("a file")
    cache = WheelhouseCache(tmp_path / "cache" / "below", told=lambda _text: None)
    with pytest.raises(PlaceUnwritable), cache.opened():
        raise AssertionError


def test_a_pipe_in_the_archives_place_is_never_read(cache: WheelhouseCache) -> None:
    """Not even --overwrite: what is no file was not put there by a download."""
    import os

    cache.folder.mkdir()
    os.mkfifo(cache.folder / NAME)
    with cache.opened() as private:
        for overwrite in (False, True):
            with pytest.raises(PlaceTaken):
                cache.kept_archive(NAME, sha256="0" * 64, overwrite=overwrite, private=private)


def test_a_link_in_the_archives_place_is_replaced_not_followed(cache: WheelhouseCache, tmp_path: Path) -> None:
    """With --overwrite the link goes; what it leads to stays as it is."""
    target = tmp_path / "target"
    target.write_text("mine")
    cache.folder.mkdir()
    (cache.folder / NAME).symlink_to(target)
    with cache.opened() as private:
        with pytest.raises(PlaceTaken):
            cache.kept_archive(NAME, sha256="0" * 64, overwrite=False, private=private)
        assert cache.kept_archive(NAME, sha256="0" * 64, overwrite=True, private=private) is None
        (private / NAME).write_text("new")
        cache.keep(private, archive=private / NAME, unpacked=None)
    assert (target.read_text(), (cache.folder / NAME).read_text()) == ("mine", "new")


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_kept_archive_cannot_be_exchanged_while_it_is_used(cache: WheelhouseCache, mode: int) -> None:
    """Replaced, or where others may write to it rewritten, after it was judged: what is used is what was judged."""
    content = b"good" * 100
    path = cache.archive(NAME)
    cache.folder.mkdir()
    path.write_bytes(content)
    path.chmod(mode)
    with cache.opened() as private:
        own = cache.kept_archive(NAME, sha256=hashlib.sha256(content).hexdigest(), overwrite=False, private=private)
        assert own is not None
        if mode == 0o666:
            path.write_bytes(b"evil" * 100)
        else:
            path.unlink()
            path.write_bytes(b"evil" * 100)
        assert (own.parent, own.read_bytes()) == (private, content)
        cache.keep(private, archive=own, unpacked=None)
    assert path.read_bytes() == content


def test_only_a_folder_with_our_marker_is_removed(cache: WheelhouseCache) -> None:
    """Cleaning up takes what was unpacked, and leaves what merely has its name."""
    folder = cache.unpacked(NAME)
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    assert not cache.remove_unpacked(NAME)
    assert (folder / "thesis.txt").exists()
    (folder / "thesis.txt").unlink()
    (folder / "a.whl").write_bytes(b"x")
    Unpacked.of(folder, NAME, "0" * 64, [Member(name="a.whl", size=1, digest="sha256:" + "1" * 64)])
    assert cache.remove_unpacked(NAME)
    assert not folder.exists()


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["schema", "archive", "sha256", "members", "x"]), inner)).map(json.dumps))  # fmt: skip
def test_whatever_a_marker_holds_it_is_read_or_none(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """A marker that is damaged is none; one that is whole says what it says."""
    folder = tmp_path_factory.mktemp("marker")
    (folder / MARKER).write_text(text, encoding="utf-8", errors="replace")
    found = Unpacked.found(folder)
    assert found is None or (isinstance(found.members, dict) and isinstance(found.intact, bool))
