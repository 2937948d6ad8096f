"""A bump is all or nothing: after every failure, and after a kill at every boundary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from e2e.projects import gone, until
from release.repositories import DATE, FILES, again, bump, git, isolated, planned, project, state

from hephaestus.release import bump_transaction
from hephaestus.release import repository as repository_module
from hephaestus.release.bump_transaction import (
    BumpBusyError,
    BumpStuckError,
    carry_out,
    exclusive,
    interrupted,
    settle,
)
from hephaestus.release.files import NotWritableError
from hephaestus.release.repository import GitRefusedError, Repository

SRC = Path(__file__).resolve().parents[2] / "src"

#: A run of its own that is killed at each of its boundaries in turn, each time over a fresh copy.
KILLED = """
import os, sys
from dataclasses import replace
from pathlib import Path
from hephaestus.release.boundary import BoundaryFault, arm
from hephaestus.release.bump import plan_bump
from hephaestus.release.bump_transaction import carry_out
from hephaestus.release.project import read_project
from hephaestus.release.repository import Repository

date, *roots = sys.argv[1:]
whole = plan_bump(read_project(Path(roots[0])), ["minor"], date=date, remote=None)
for number, root in enumerate(map(Path, roots), start=1):
    plan = replace(whole, root=root)
    child = os.fork()
    if child == 0:
        arm(BoundaryFault(kill_at=number))
        carry_out(plan, Repository(root=root))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


#: Killed once while it acts, at the boundary given, and once more at each boundary of settling that.
KILLED_TWICE = """
import os, sys
from dataclasses import replace
from pathlib import Path
from hephaestus.release.boundary import BoundaryFault, arm
from hephaestus.release.bump import plan_bump
from hephaestus.release.bump_transaction import carry_out, interrupted, settle
from hephaestus.release.project import read_project
from hephaestus.release.repository import Repository

def die(number, act):
    child = os.fork()
    if child == 0:
        arm(BoundaryFault(kill_at=number))
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

date, first, *roots = sys.argv[1:]
whole = plan_bump(read_project(Path(roots[0])), ["minor"], date=date, remote=None)
for number, root in enumerate(map(Path, roots), start=1):
    repository = Repository(root=root)
    plan = replace(whole, root=root)
    assert die(int(first), lambda: carry_out(plan, repository)) == -9
    print(die(number, lambda: settle(interrupted(repository), repository)))
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of version 1.2.0, tagged."""
    return project(tmp_path / "project")


def hook(root: Path, name: str, script: str) -> None:
    """Install a git hook."""
    path = root / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_killed_at_any_boundary_the_next_run_makes_the_same_of_it(root: Path, tmp_path: Path) -> None:
    """Wherever a run dies of SIGKILL, the next one ends exactly as an undisturbed one: one commit, one tag, no more."""
    boundaries = 20
    copies = [tmp_path / f"copy-{number}" for number in range(1, boundaries + 2)]
    for copy in copies:
        subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, DATE, *map(str, copies)],
        env={**os.environ, "PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    codes = [int(line) for line in ran.stdout.split()]
    assert codes == [-9] * boundaries + [0], "every boundary was met, and there is none after the last"
    bump(root, "minor")
    whole = state(root)
    halves = set()
    for copy in copies[:-1]:
        halves.add(bool(git(copy, "status", "--porcelain")))
        assert again(copy, ["minor"]) == "1.3.0"
        assert state(copy) == whole, copy.name
    assert state(copies[-1]) == whole
    assert halves == {True, False}, "some were killed in the midst of their files"


@pytest.mark.parametrize(("first", "boundaries"), [(12, 15), (17, 3)])
def test_killed_once_more_while_settling_the_third_run_still_ends_well(
    root: Path, tmp_path: Path, first: int, boundaries: int
) -> None:
    """Killed amidst its files (12) or between commit and tag (17), then at any boundary of undoing or completing it."""
    copies = [tmp_path / f"copy-{number}" for number in range(1, boundaries + 2)]
    for copy in copies:
        subprocess.run(["cp", "-a", str(root), str(copy)], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_TWICE, DATE, str(first), *map(str, copies)],
        env={**os.environ, "PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [int(line) for line in ran.stdout.split()] == [-9] * boundaries + [0]
    bump(root, "minor")
    whole = state(root)
    for copy in copies:
        if git(copy, "tag").split() != ["v1.2.0", "v1.3.0"] or (copy / ".git" / "hephaestus-bump.json").exists():
            assert again(copy, ["minor"]) == "1.3.0"
        assert state(copy) == whole, copy.name


def test_a_hook_that_never_ends_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine runs us and nobody could answer: git and the hook are ended, everything is as before."""
    before = state(root)
    monkeypatch.setenv("CI", "true")
    hook(root, "pre-commit", "echo $$ > .git/hook.pid; exec sleep 600")
    pid = root / ".git" / "hook.pid"
    communicate, had = subprocess.Popen.communicate, []

    def at_once(child: subprocess.Popen[bytes], *given: object, timeout: float | None = None) -> object:
        # The time a commit has is over as soon as its hook is at work, and no sooner, however slow the machine.
        if "commit" in child.args and not had:  # type: ignore[operator]
            had.append(timeout)
            assert until(lambda: pid.exists() and pid.read_text().endswith("\n"))
            raise subprocess.TimeoutExpired(child.args, 60)
        return communicate(child, *given, timeout=timeout)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess.Popen, "communicate", at_once)
    with pytest.raises(GitRefusedError) as raised:
        bump(root, "minor")
    assert had == [repository_module._PATIENCE_IN_CI]
    assert "did not end within 60 seconds" in "\n".join(raised.value.details)
    assert until(lambda: gone(int(pid.read_text())))
    assert not (root / ".git" / "index.lock").exists()
    assert state(root) == before


def test_nobody_can_be_asked_at_a_terminal(root: Path) -> None:
    """Even where there is a terminal, git and its hooks have none: a question fails at once."""
    hook(root, "pre-commit", "read answer < /dev/tty")
    parent, child = os.openpty()
    script = (
        "import fcntl, os, sys, termios\n"
        "os.setsid()\n"
        f"fcntl.ioctl({child}, termios.TIOCSCTTY, 0)\n"
        "open('/dev/tty').close()\n"
        "from pathlib import Path\n"
        "from release.repositories import bump\n"
        "bump(Path(sys.argv[1]), 'minor')\n"
    )
    path = os.pathsep.join([str(SRC), str(SRC.parent / "tests")])
    ran = subprocess.run(
        [sys.executable, "-c", script, str(root)], env={**os.environ, "PYTHONPATH": path}, pass_fds=[child],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    os.close(parent)
    os.close(child)
    assert "/dev/tty" in ran.stderr
    assert "GitRefusedError" in ran.stderr
    assert git(root, "tag") == "v1.2.0"


@pytest.mark.parametrize(("name", "words"), [("pre-commit", "no, says the hook"), ("commit-msg", "bad message")])
def test_a_refused_commit_leaves_everything_as_it_was(root: Path, name: str, words: str) -> None:
    """A hook says no: its words are told, files and index are as before; without the hook the same command works."""
    before = state(root)
    hook(root, name, f"echo '{words}' >&2; exit 1")
    with pytest.raises(GitRefusedError, match="git commit") as raised:
        bump(root, "minor")
    assert words in "\n".join(raised.value.details)
    assert raised.value.next_step.endswith("nox -s bump -- minor")
    assert state(root) == before
    (root / ".git" / "hooks" / name).unlink()
    bump(root, "minor")
    assert git(root, "describe") == "v1.3.0"


@pytest.mark.parametrize("signed", ["tag.gpgSign", "commit.gpgSign"])
def test_a_signature_that_cannot_be_made_takes_everything_back(root: Path, signed: str) -> None:
    """Git is configured to sign and cannot: nobody is asked, the commit, if it was made, is taken back too."""
    git(root, "config", signed, "true")
    git(root, "config", "gpg.program", "/bin/false")
    before = state(root)
    with pytest.raises(GitRefusedError):
        bump(root, "minor")
    assert state(root) == before


def test_commit_and_tag_are_signed_where_git_is_configured_to(root: Path, tmp_path: Path) -> None:
    """With an SSH key as git's signing key both carry a signature; the bump needs no word about it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    for setting, value in {
        "gpg.format": "ssh", "user.signingKey": str(tmp_path / "key.pub"), "commit.gpgSign": "true",
        "tag.gpgSign": "true",
    }.items():  # fmt: skip
        git(root, "config", setting, value)
    bump(root, "minor")
    for thing in ("HEAD", "v1.3.0"):
        assert "BEGIN SSH SIGNATURE" in git(root, "cat-file", "-p", thing)


def test_an_interruption_by_hand_is_undone_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the third file is written: the first two are as before, no journal is left."""
    before = state(root)
    written = []
    real = bump_transaction._write

    def write(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        real(path, content)

    plan = planned(root, "minor")
    monkeypatch.setattr(bump_transaction, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        carry_out(plan, Repository(root=root))
    assert state(root) == before


def test_a_disk_that_is_full_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal itself cannot be written: nothing was begun."""
    before = state(root)
    plan = planned(root, "minor")

    def full(path: Path, text: str) -> None:
        raise NotWritableError(path=path, error=OSError(28, "No space left on device"))

    monkeypatch.setattr(bump_transaction, "write_text", full)
    with pytest.raises(NotWritableError, match="No space left"):
        carry_out(plan, Repository(root=root))
    assert state(root) == before


def half_done(root: Path) -> None:
    """Leave what a run leaves that was killed after its first file."""
    plan = planned(root, "minor")
    repository = Repository(root=root)
    (root / ".git" / "hephaestus-bump.json").write_text(bump_transaction._rendered(plan, repository))
    (root / plan.edits[0].path).write_bytes(plan.edits[0].after)
    (root / ".incoming-0123").write_text("half")


def test_work_done_since_a_kill_is_not_destroyed(root: Path) -> None:
    """A file that was edited after the kill is neither the old nor the new one: refused, with what to look at."""
    half_done(root)
    (root / "VERSION").write_text("my own work\n")
    repository = Repository(root=root)
    left = interrupted(repository)
    assert left is not None
    with pytest.raises(BumpStuckError, match="VERSION was edited since") as raised:
        settle(left, repository)
    assert "git restore ." in raised.value.next_step
    assert (root / "VERSION").read_text() == "my own work\n"


def test_commits_made_since_a_kill_are_not_touched(root: Path) -> None:
    """Somebody committed what the killed run left: refused; the journal is named, and nothing is taken back."""
    half_done(root)
    git(root, "commit", "-q", "-am", "mine")
    repository = Repository(root=root)
    left = interrupted(repository)
    assert left is not None
    with pytest.raises(BumpStuckError, match="other commits were made since") as raised:
        settle(left, repository)
    assert "hephaestus-bump.json" in raised.value.next_step
    assert git(root, "log", "-1", "--format=%s") == "mine"


def test_a_tag_alone_is_settled_too(root: Path) -> None:
    """A bump without edits, killed before its tag: nothing to undo. Killed after it: complete."""
    git(root, "tag", "-d", "v1.2.0")
    (root / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.0] - 2026-01-01\n\n- all\n")
    git(root, "commit", "-q", "-am", "ready")
    repository = Repository(root=root)
    plan = planned(root, "1.2.0")
    assert plan.edits == ()
    journal = root / ".git" / "hephaestus-bump.json"
    for made in (False, True):
        journal.write_text(bump_transaction._rendered(plan, repository))
        if made:
            git(root, "tag", "-a", "v1.2.0", "-m", "x")
        left = interrupted(repository)
        assert left is not None
        assert settle(left, repository) is made
        assert not journal.exists()


def test_an_undone_bump_leaves_nothing_beside_the_files(root: Path) -> None:
    """Temporary files of a killed run are removed with its edits."""
    before = state(root)
    half_done(root)
    repository = Repository(root=root)
    left = interrupted(repository)
    assert left is not None
    assert settle(left, repository) is False
    assert state(root) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"edits": 1}', '{"edits": [], "words": []}', "\udcff"])
def test_a_journal_that_cannot_be_read_is_named(root: Path, text: str) -> None:
    """Whatever stands in the journal: no guess, the file is named."""
    (root / ".git" / "hephaestus-bump.json").write_text(text, errors="surrogateescape")
    with pytest.raises(BumpStuckError, match="journal"):
        interrupted(Repository(root=root))


def test_a_git_still_at_work_is_waited_for(root: Path) -> None:
    """A git that outlived the killed run holds its lock: nothing is undone under its hands, and it is said why."""
    half_done(root)
    (root / ".git" / "index.lock").touch()
    repository = Repository(root=root)
    left = interrupted(repository)
    assert left is not None
    with pytest.raises(GitRefusedError, match="git reset") as raised:
        settle(left, repository)
    assert "index.lock" in "\n".join(raised.value.details)
    (root / ".git" / "index.lock").unlink()
    assert settle(left, repository) is False


def test_two_bumps_do_not_meet(root: Path) -> None:
    """While one runs, another in the same clone is refused; the system frees the lock of a dead one."""
    repository = Repository(root=root)
    with filelock.FileLock(root / ".git" / "hephaestus-bump.lock"), pytest.raises(BumpBusyError), exclusive(repository):
        pytest.fail("the lock was held twice")
    with exclusive(repository):
        pass


def test_a_project_in_a_folder_of_its_repository_is_bumped(tmp_path: Path) -> None:
    """Only the project's own files are committed; changes elsewhere in the repository are left alone."""
    top = project(tmp_path / "mono", **{f"sub/{name}": text for name, text in FILES.items()}, tag="v1.2.0")
    (top / "elsewhere.txt").write_text("x")
    root = top / "sub"
    half_done_at = planned(root, "minor")
    carry_out(half_done_at, Repository(root=root))
    shown = git(top, "show", "--format=", "--name-only", "HEAD").splitlines()
    assert all(name.startswith("sub/") for name in shown)
    assert len(shown) == 4
    assert git(top, "status", "--porcelain") == "?? elsewhere.txt"
    assert json.loads('"' + git(top, "describe") + '"') == "v1.3.0"
