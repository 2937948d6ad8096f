"""The top folder: its marker, worlds that swap places, pruning, and a lock that dies with its owner."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hephaestus.release.boundary import BoundaryFault, arm
from hephaestus.release.files import NotWritableError
from hephaestus.release.root import KEPT_REHEARSALS, LockedError, ReleaseRoot, UnmarkedFolderError

# A forked child only passes boundaries and dies; from 3.12 on Python warns of forks where other tests run threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SOURCE = Path(__file__).resolve().parents[2] / "src"

HOLD = """
import sys, pathlib
from hephaestus.release.root import ReleaseRoot
with ReleaseRoot(path=pathlib.Path(sys.argv[1]), rehearsal=True).lock("1.0"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> ReleaseRoot:
    made = ReleaseRoot(path=tmp_path / "release", rehearsal=True)
    made.prepare()
    return made


class TestFolder:
    def test_it_hides_itself_from_git_and_says_whose_it_is(self, root: ReleaseRoot) -> None:
        """The folder has a marker and ignores all it holds; preparing again changes nothing."""
        assert (root.path / ".gitignore").read_text(encoding="utf-8") == "*\n"
        before = sorted(path.name for path in root.path.iterdir())
        root.prepare()
        assert sorted(path.name for path in root.path.iterdir()) == before

    @pytest.mark.parametrize("what", ["folder", "file", "link"])
    def test_a_folder_of_somebody_else_is_refused(self, tmp_path: Path, what: str) -> None:
        """A folder with content, a file, or a link under the configured name is left alone."""
        path = tmp_path / "release"
        if what == "folder":
            path.mkdir()
            (path / "thesis.txt").write_text("x", encoding="utf-8")
        elif what == "file":
            path.write_text("x", encoding="utf-8")
        else:
            (tmp_path / "real").mkdir()
            path.symlink_to(tmp_path / "real")
        with pytest.raises(UnmarkedFolderError, match="did not make it"):
            ReleaseRoot(path=path, rehearsal=True).prepare()

    def test_an_empty_folder_is_taken(self, tmp_path: Path) -> None:
        """A folder that holds nothing can become the release folder."""
        (tmp_path / "release").mkdir()
        ReleaseRoot(path=tmp_path / "release", rehearsal=False).prepare()

    def test_real_releases_and_rehearsals_never_share_a_folder(self, tmp_path: Path) -> None:
        """The same version has two directories, one per world."""
        paths = {ReleaseRoot(path=tmp_path, rehearsal=kind).directory("1.0").path for kind in (True, False)}
        assert paths == {tmp_path / "1.0", tmp_path / "rehearsal" / "1.0"}

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_read_only_project_is_told(self, tmp_path: Path) -> None:
        """A folder that cannot be made is an error with a way on."""
        tmp_path.chmod(0o555)
        try:
            with pytest.raises(NotWritableError):
                ReleaseRoot(path=tmp_path / "release", rehearsal=True).prepare()
        finally:
            tmp_path.chmod(0o755)


def leave(root: ReleaseRoot, source: str, *, version: str = "1.0") -> None:
    """Open the world of ``source`` and leave a trace of it in directory and stand-ins' state."""
    root.open_world(version, source)
    root.directory(version).path.mkdir(exist_ok=True)
    (root.directory(version).path / "who").write_text(source, encoding="utf-8")
    root.standins(source).mkdir(parents=True, exist_ok=True)


def who(root: ReleaseRoot, *, version: str = "1.0") -> str:
    path = root.directory(version).path / "who"
    return path.read_text(encoding="utf-8") if path.exists() else ""


class TestWorlds:
    def test_worlds_swap_back_and_forth(self, root: ReleaseRoot) -> None:
        """Each source finds its own directory again, however often they take turns; a new one starts empty."""
        leave(root, "aaa")
        root.open_world("1.0", "bbb")
        assert who(root) == ""
        leave(root, "bbb")
        for source in ("aaa", "bbb", "bbb", "aaa", "bbb"):
            root.open_world("1.0", source)
            assert who(root) == source
            assert root.pointer("1.0")["source"] == source

    def test_versions_do_not_disturb_each_other(self, root: ReleaseRoot) -> None:
        """Opening a world of one version leaves that of another where it is."""
        leave(root, "aaa", version="1.0")
        leave(root, "bbb", version="2.0")
        root.open_world("2.0", "ccc")
        assert who(root, version="1.0") == "aaa"

    def test_five_former_rehearsals_are_kept_with_their_state(self, root: ReleaseRoot) -> None:
        """The last five set aside stay, older ones go with the state of their stand-ins."""
        sources = [f"{number:012x}" for number in range(KEPT_REHEARSALS + 3)]
        for number, source in enumerate(sources):
            leave(root, source)
            for path in (root.releases / "former").iterdir():
                # Folders set aside within one tick of the clock would have no order.
                age = (number - sources.index(path.name.rpartition("-")[2])) * 10
                os.utime(path, (1e9 - age, 1e9 - age))
        former = sorted(path.name for path in (root.releases / "former").iterdir())
        assert former == [f"1.0-{source}" for source in sources[-KEPT_REHEARSALS - 1 : -1]]
        states = sorted(path.name for path in (root.releases / "standins").iterdir())
        assert states == sources[-KEPT_REHEARSALS - 1 :]

    def test_setting_aside_makes_young(self, root: ReleaseRoot) -> None:
        """What counts for pruning is when a rehearsal was left, not when it was made."""
        leave(root, "aaa")
        os.utime(root.directory("1.0").path, (1.0, 1.0))
        root.open_world("1.0", "bbb")
        assert (root.releases / "former" / "1.0-aaa").stat().st_mtime > 1e9

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.parametrize("then", ["aaa", "bbb"])
    def test_a_kill_while_swapping_mixes_nothing_up(self, tmp_path: Path, then: str) -> None:
        """SIGKILL at every boundary of a swap: whichever world is opened next finds its own directory."""
        pattern = ReleaseRoot(path=tmp_path / "pattern", rehearsal=True)
        pattern.prepare()
        leave(pattern, "bbb")
        leave(pattern, "aaa")
        other = {"aaa": "bbb", "bbb": "aaa"}[then]
        for at in range(1, 30):
            root = ReleaseRoot(path=Path(shutil.copytree(pattern.path, tmp_path / f"{at}")), rehearsal=True)
            was_killed = killed(lambda root=root: root.open_world("1.0", "bbb"), at=at)  # type: ignore[misc]
            root.open_world("1.0", then)
            assert who(root) == then, f"killed at {at}"
            root.open_world("1.0", other)
            assert who(root) == other, f"killed at {at}"
            if not was_killed:
                assert at > 3
                return
        raise AssertionError("swapping never ends")

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"source": 1'])
    def test_a_broken_pointer_counts_as_none(self, root: ReleaseRoot, content: str) -> None:
        """Without a readable pointer the directory is set aside as unknown and nothing is lost."""
        leave(root, "aaa")
        (root.releases / ".1.0.world").write_text(content, encoding="utf-8")
        root.open_world("1.0", "bbb")
        assert who(root) == ""
        assert (root.releases / "former" / "1.0-unknown" / "who").read_text(encoding="utf-8") == "aaa"


def killed(action: Callable[[], object], *, at: int) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            arm(BoundaryFault(kill_at=at))
            action()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


class TestLock:
    @pytest.fixture
    def holder(self, root: ReleaseRoot) -> subprocess.Popen[str]:
        """Another process that holds the lock of version 1.0 until its stdin ends."""
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(root.path)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            yield child  # type: ignore[misc]
            if child.poll() is None:
                child.kill()

    def test_a_living_owner_is_named(self, root: ReleaseRoot, holder: subprocess.Popen[str]) -> None:
        """While another process works on the version, we are told who, and give up after the wait."""
        told: list[str] = []

        def enter() -> None:
            with root.lock("1.0", wait=0.0, waiting=told.append):
                raise AssertionError("the lock was given twice")

        with pytest.raises(LockedError, match=f"pid {holder.pid}"):
            enter()
        assert told[0].startswith(f"pid {holder.pid} on ")

    def test_another_version_is_free(self, root: ReleaseRoot, holder: subprocess.Popen[str]) -> None:
        """The lock is one release's, not the project's."""
        with root.lock("2.0", wait=0.0):
            pass

    def test_a_dead_owner_holds_nothing(self, root: ReleaseRoot, holder: subprocess.Popen[str]) -> None:
        """SIGKILL frees the lock at once, although the owner's note is still there."""
        holder.kill()
        holder.wait()
        assert (root.releases / ".1.0.owner").read_text(encoding="utf-8").startswith(f"pid {holder.pid} ")
        with root.lock("1.0", wait=0.0):
            assert (root.releases / ".1.0.owner").read_text(encoding="utf-8").startswith(f"pid {os.getpid()} ")
        assert not (root.releases / ".1.0.owner").exists()

    def test_an_error_inside_frees_the_lock(self, root: ReleaseRoot) -> None:
        """Whatever ends the work, the lock is free afterwards."""

        def fail() -> None:
            with root.lock("1.0", wait=0.0):
                raise ZeroDivisionError

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                fail()
