"""Two packages in one repository, each with tags of its own: what one does never counts as the other's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from release.repositories import DATE, FILES, bump, git, isolated, planned

from hephaestus.release.changes import changes_since_stable
from hephaestus.release.errors import GateRefused
from hephaestus.release.project import read_project


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path / "home")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """core 1.2.0 and cli 1.2.0, tagged; then a commit in each, and cli released ahead as 5.0.0."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("several")
        isolated(patch, folder / "home")
        root = folder / "repository"
        root.mkdir()
        git(root, "init", "-q")
        for name in ("core", "cli"):
            for path, content in FILES.items():
                text = content.replace("tiny-thing", f"tiny-{name}").replace("tiny_thing", f"tiny_{name}")
                if path == "pyproject.toml":
                    text += f'tag-prefix = "{name}-"\nworkflow = "publish-{name}.yml"\n'
                target = root / "packages" / name / path.replace("tiny_thing", f"tiny_{name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
        commit(root, "first", tags=("core-v1.2.0", "cli-v1.2.0"))
        (root / "packages/core/one.py").write_text("1\n", encoding="utf-8")
        commit(root, "feat: core alone")
        (root / "packages/cli/one.py").write_text("1\n", encoding="utf-8")
        commit(root, "feat: cli alone", tags=("cli-v5.0.0", "v9.9.9"))
        (root / "both.txt").write_text("1\n", encoding="utf-8")
        commit(root, "feat: neither")
        return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of them for one test."""
    shutil.copytree(made, tmp_path / "repository")
    return tmp_path / "repository"


def commit(root: Path, subject: str, *, tags: tuple[str, ...] = ()) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", subject)
    for tag in tags:
        git(root, "tag", "-a", tag, "-m", tag)


def test_a_bump_makes_the_packages_own_tag_and_changes_nothing_else(root: Path) -> None:
    """A newer version of the other package, or of none, is no newer version of this one; links name this one's tags."""
    core = root / "packages/core"
    plan = bump(core, "minor")
    assert plan.tag == "core-v1.3.0"
    assert git(root, "cat-file", "-t", "core-v1.3.0") == "tag"
    assert git(root, "log", "-1", "--format=%s") == "Release tiny-core 1.3.0"
    changed = git(root, "show", "--format=", "--name-only", "HEAD").splitlines()
    assert len(changed) == 4
    assert all(path.startswith("packages/core/") for path in changed)
    log = (core / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [1.3.0] - {DATE}" in log
    assert log.endswith("[1.3.0]: https://github.com/o/tiny/compare/core-v1.2.0...core-v1.3.0\n")


@pytest.mark.parametrize("taken", ["core-v1.3.0", "core-1.3.0", "core-v2.0.0"])
def test_the_packages_own_tags_still_refuse_a_bump(root: Path, taken: str) -> None:
    """A tag of the version, in any spelling, or of a newer one, is found under the package's prefix."""
    git(root, "tag", taken)
    with pytest.raises(GateRefused) as raised:
        planned(root / "packages/core", "minor")
    assert [(finding.code, finding.subject) for finding in raised.value.findings] == [
        ("older" if "2.0" in taken else "tag-taken", taken)
    ]


def test_notes_tell_the_commits_of_the_package_since_its_own_last_release(root: Path) -> None:
    """Neither the other's commits nor its tags count; what bump commits is no change."""
    for name in ("core", "cli"):
        (root / "packages" / name / "CHANGELOG.md").unlink()
    (root / "packages/core/two.py").write_text("2\n", encoding="utf-8")
    commit(root, "fix: core again")
    bump(root / "packages/core", "patch")
    told = changes_since_stable(read_project(root / "packages/core"), version="1.2.1")
    assert told.origin == "commits"
    assert "Commits since core-v1.2.0:" in told.text
    assert "core alone" in told.text
    assert "core again" in told.text
    assert "Release" not in told.text
    assert "cli" not in told.text
    assert "neither" not in told.text
