"""`hephaestus release notes`: what a version brings, printed as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from release.repositories import FILES, git, isolated, project
from typer.testing import CliRunner

from hephaestus.cli import app


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of version 1.2.0, tagged, with two commits since, in which the command runs."""
    isolated(monkeypatch, tmp_path / "home")
    root = project(tmp_path / "project")
    (root / "a.txt").write_text("a")
    git(root, "add", "a.txt")
    git(root, "commit", "-q", "-m", "feat: say a\n\nBREAKING CHANGE: no b")
    git(root, "commit", "-q", "--allow-empty", "-m", "nothing at all")
    monkeypatch.chdir(root)
    return root


def printed(*words: str) -> str:
    """What the command prints."""
    ran = CliRunner().invoke(app, ["release", "notes", *words])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def refused(*words: str) -> str:
    """What it says when it refuses."""
    ran = CliRunner().invoke(app, ["release", "notes", *words])
    assert ran.exit_code == 1
    assert "next:" in ran.stderr
    return ran.stderr


def test_the_projects_own_version_is_told_from_the_changelog(root: Path) -> None:
    """Without options: the section of the version in pyproject.toml, in UTF-8 and not wrapped."""
    text = FILES["CHANGELOG.md"].replace("- old", f"- \u00e9 {'long ' * 60}")
    (root / "CHANGELOG.md").write_text(text, encoding="utf-8")
    assert printed() == f"- \u00e9 {'long ' * 60}".rstrip() + "\n"
    assert printed("--version", "v1.2") == printed()


def test_a_version_the_changelog_does_not_know_is_told_from_commits(root: Path) -> None:
    """1.3.0: the commits that changed the project since v1.2.0, grouped, breaking ones first."""
    shown = printed("--version", "1.3.0")
    assert shown.startswith("Commits since v1.2.0:\n\n### Breaking\n\n- say a ([")
    assert f"https://github.com/o/tiny/commit/{git(root, 'rev-parse', 'HEAD~1')}" in shown
    assert "nothing at all" not in shown


def test_merges_candidates_and_bumps_are_no_changes(root: Path) -> None:
    """Commits are counted from the last stable tag, not from a candidate's; merges and bumps are left out."""
    git(root, "tag", "-a", "v1.3.0rc1", "-m", "x")
    git(root, "switch", "-q", "-c", "topic", "HEAD~1")
    (root / "c.txt").write_text("c")
    git(root, "add", "c.txt")
    git(root, "commit", "-q", "-m", "fix: mend c")
    git(root, "switch", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "Merge topic", "topic")
    (root / "VERSION").write_text("1.3.0rc2\n")
    git(root, "commit", "-q", "-am", "Release 1.3.0rc2")
    lines = [line for line in printed("--version", "1.3.0").splitlines() if line.startswith("- ")]
    assert sorted(line.split(" (")[0] for line in lines) == ["- mend c", "- say a"]


def test_a_changelog_that_is_no_text_and_tags_that_are_no_versions_are_passed_over(root: Path) -> None:
    """Bytes that are no UTF-8 tell nothing, `latest` ends nothing: the commits since v1.2.0 are told."""
    (root / "CHANGELOG.md").write_bytes(b"## [1.3.0]\n\n- \xff\n")
    git(root, "tag", "latest")
    assert printed("--version", "1.3.0").startswith("Commits since v1.2.0:")


def test_without_git_only_the_changelog_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No git on PATH: the version that the changelog knows is told, of another one nothing is known."""
    monkeypatch.setenv("PATH", str(root))
    assert printed() == "- old\n"
    assert "no commits here" in refused("--version", "1.3.0")


def test_where_nothing_is_known_nothing_is_made_up(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No version, nothing since the tag, a shallow clone without tags, no repository: each refused with its reason."""
    assert "'x' is no version" in refused("--version", "x")
    git(root, "tag", "v1.2.5")
    assert "no commits since v1.2.5" in refused("--version", "1.3.0")
    git(tmp_path, "clone", "-q", "--depth=1", "--no-tags", f"file://{root}", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert "shallow" in refused("--version", "1.3.0")
    (tmp_path / "clone" / ".git").rename(tmp_path / "clone" / "no-git")
    assert "no commits here" in refused("--version", "1.3.0")
