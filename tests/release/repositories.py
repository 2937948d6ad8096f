"""Small real git repositories with a project in them, and a bump over them without nox."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hephaestus.release.bump import Plan, Remote, plan_bump
from hephaestus.release.bump_transaction import carry_out, interrupted, settle
from hephaestus.release.project import read_project
from hephaestus.release.repository import Repository

DATE = "2026-11-22"

FILES = {
    "pyproject.toml": '[project]\nname = "tiny-thing"  # ours\nversion = "1.2.0"   # here\n\n'
    '[tool.hephaestus.release]\nrepository = "o/tiny"\nversion-files = ["VERSION"]\n',
    "src/tiny_thing/__init__.py": '"""Tiny."""\n\n__version__ = "1.2.0"\n',
    "VERSION": "1.2.0\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [1.2.0] - 2026-01-01\n\n- old\n",
}


def git(root: Path, *words: str) -> str:
    """Run git in the environment of the test."""
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def isolated(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """An empty HOME, a name, no configuration of this machine: for this process and every git it starts."""
    home.mkdir(exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("GIT_", "CI"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n", encoding="utf-8"
    )


def project(root: Path, *, tag: str = "v1.2.0", **files: str | bytes) -> Path:
    """A committed project, tagged; ``files`` replace or add some."""
    root.mkdir()
    git(root, "init", "-q")
    for name, content in {**FILES, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "first")
    if tag:
        git(root, "tag", "-a", tag, "-m", tag)
    return root


def planned(root: Path, *words: str, branch: str = "", remote: Remote | None = None) -> Plan:
    """Plan a bump."""
    return plan_bump(read_project(root, newest=True), words, date=DATE, branch=branch, remote=remote)


def bump(root: Path, *words: str, branch: str = "", remote: Remote | None = None) -> Plan:
    """Plan a bump and carry it out."""
    plan = planned(root, *words, branch=branch, remote=remote)
    carry_out(plan, Repository(root=root))
    return plan


def again(root: Path, words: Sequence[str]) -> str:
    """What a run after a killed one does: settle, then bump unless that was completed. Returns the version."""
    repository = Repository(root=root)
    left = interrupted(repository)
    if left is not None and settle(left, repository):
        return left.version
    return bump(root, *words).version


def state(root: Path) -> dict[str, object]:
    """Everything a bump touches: files, status, history, tags."""
    listed = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {
        "files": {path.relative_to(root).as_posix(): path.read_bytes() for path in listed},
        "status": git(root, "status", "--porcelain"),
        "history": git(root, "log", "--format=%T %s"),
        "tags": git(root, "for-each-ref", "refs/tags", "--format=%(objecttype) %(refname) %(*tree) %(contents)"),
        "journal": (root / ".git" / "hephaestus-bump.json").exists(),
    }
