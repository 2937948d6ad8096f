"""The remote of a bump: what it has is read, commit and tag go there together or not at all, nobody is ever asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from release.repositories import bump, git, isolated, project

from hephaestus.release.repository import Repository
from hephaestus.services.remote import PushRefusedError, _unattended, push, read_remote


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a remote ``origin`` which has its branch and tag."""
    root = project(tmp_path / "project")
    subprocess.run(["git", "clone", "-q", "--bare", str(root), str(tmp_path / "origin.git")], check=True)
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(root, "push", "-q", "-u", "origin", "main")
    return root


def test_what_the_remote_has_is_read(root: Path) -> None:
    """Its default branch, the head of ours, every tag by its name."""
    remote = read_remote(Repository(root=root), "main")
    assert remote is not None
    assert (remote.name, remote.default, remote.tags) == ("origin", "main", ("v1.2.0",))
    assert remote.head == git(root, "rev-parse", "HEAD")


def test_a_branch_of_another_name_there_is_found(root: Path) -> None:
    """The branch's upstream counts, not what it is called here."""
    git(root, "switch", "-q", "-c", "here", "--track", "origin/main")
    remote = read_remote(Repository(root=root), "here")
    assert remote is not None
    assert remote.head == git(root, "rev-parse", "HEAD")


def test_no_remote_and_a_silent_one_are_no_answer(root: Path, tmp_path: Path) -> None:
    """Neither is taken for one that has nothing."""
    (tmp_path / "origin.git").rename(tmp_path / "gone.git")
    assert read_remote(Repository(root=root), "main") is None
    git(root, "remote", "remove", "origin")
    assert read_remote(Repository(root=root), "main") is None


def test_commit_and_tag_are_pushed(root: Path, tmp_path: Path) -> None:
    """Both arrive; pushing what is there already is fine."""
    plan = bump(root, "minor")
    repository = Repository(root=root)
    assert push(repository, plan) == "origin"
    assert push(repository, plan) == "origin"
    bare = tmp_path / "origin.git"
    assert git(bare, "rev-parse", "v1.3.0^{commit}") == git(bare, "rev-parse", "main") == git(root, "rev-parse", "HEAD")


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.3.0"])
def test_a_remote_that_refuses_one_gets_neither(root: Path, tmp_path: Path, ref: str) -> None:
    """A rule for the branch, or for tags: nothing is there afterwards, and the way on and the way back are told."""
    hook = tmp_path / "origin.git" / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\n[ "$1" = {ref} ] && echo "{ref} is protected" && exit 1\nexit 0\n')
    hook.chmod(0o755)
    plan = bump(root, "minor")
    with pytest.raises(PushRefusedError) as raised:
        push(Repository(root=root), plan)
    assert f"{ref} is protected" in "\n".join(raised.value.details)
    assert "nox -s bump -- 1.3.0 --push" in raised.value.next_step
    bare = tmp_path / "origin.git"
    assert git(bare, "tag") == "v1.2.0"
    assert git(bare, "log", "--format=%s", "main") == "first"
    hook.unlink()
    assert push(Repository(root=root), plan) == "origin"


def test_the_way_back_that_is_told_takes_the_bump_back(root: Path) -> None:
    """The commands in the refusal's next step undo the bump."""
    before = git(root, "rev-parse", "HEAD")
    plan = bump(root, "minor")
    error = PushRefusedError(plan=plan, remote="origin", output="")
    commands = error.next_step.partition("instead: ")[2]
    subprocess.run(["sh", "-c", commands], cwd=root, check=True, capture_output=True)
    assert git(root, "rev-parse", "HEAD") == before
    assert git(root, "tag") == "v1.2.0"
    assert git(root, "status", "--porcelain") == ""


def test_a_push_that_others_were_ahead_of_is_refused(root: Path, tmp_path: Path) -> None:
    """Somebody pushed meanwhile: nothing is overwritten."""
    git(tmp_path, "clone", "-q", str(tmp_path / "origin.git"), "other")
    (tmp_path / "other" / "new.txt").write_text("x")
    git(tmp_path / "other", "add", "new.txt")
    git(tmp_path / "other", "commit", "-q", "-m", "theirs")
    git(tmp_path / "other", "push", "-q")
    plan = bump(root, "minor")
    with pytest.raises(PushRefusedError):
        push(Repository(root=root), plan)
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%s", "main") == "theirs"


def test_nobody_is_asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither git nor ssh may prompt; an ssh command of the user's own is kept as it is."""
    repository = Repository(root=root)
    assert _unattended(repository)["GIT_SSH_COMMAND"] == "ssh -o BatchMode=yes"
    assert repository.ask("-c", "alias.e=!env", "e").text.count("GIT_TERMINAL_PROMPT=0") == 1
    git(root, "config", "core.sshCommand", "ssh -i key")
    assert "GIT_SSH_COMMAND" not in _unattended(repository)
    git(root, "config", "--unset", "core.sshCommand")
    monkeypatch.setenv("GIT_SSH_COMMAND", "mine")
    assert "GIT_SSH_COMMAND" not in _unattended(repository)
