"""A bump where the version is not in [project]: the file it is in is edited; one of the tag gets changelog and tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from release.repositories import FILES, bump, git, isolated, planned, project

from hephaestus.release.errors import GateRefused

TOP = '[project]\nname = "tiny-thing"\ndynamic = ["version"]\n\n[tool.hephaestus.release]\nrepository = "o/tiny"\n'
VCS = f'{TOP}\n[build-system]\nbuild-backend = "hatchling.build"\n[tool.hatch.version]\nsource = "vcs"\n'
INIT = '"""Tiny."""\n'


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path / "home")


def tagged(root: Path, *, tag: str = "v1.2.0", **more: str) -> Path:
    """A project whose version comes from the tag; one commit after it."""
    files = {"pyproject.toml": VCS, "src/tiny_thing/__init__.py": INIT, ".gitignore": "_v.py\n"}
    return project(root, tag=tag, **{"VERSION": "not a version file here\n", **files, **more})


def commit(root: Path, name: str = "more.txt") -> None:
    """One more commit."""
    (root / name).write_text("more\n", encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", f"Add {name}")


class TestFile:
    """The version is written in a file that a backend's setting, or ours, names."""

    @pytest.mark.parametrize(
        ("backend", "settings", "path", "before"),
        [
            ("hatchling.build", '[tool.hatch.version]\npath = "about.txt"\npattern = "build (?P<version>.+)\\\\."\n',
             "about.txt", "# 2\nbuild 1.2.0.\nbuild 9.\n"),
            ("hatchling.build", '[tool.hatch.version]\npath = "src/tiny_thing/x.py"\n', "src/tiny_thing/x.py",
             "version = 'v1.2.0'  # 1.2.0\n"),
            ("setuptools.build_meta", '[tool.setuptools.dynamic]\nversion = {attr = "tiny_thing.x.release"}\n',
             "src/tiny_thing/x.py", 'name = "1.2.0"\r\nrelease = "1.2.0"\r\n'),
            ("setuptools.build_meta", '[tool.setuptools.dynamic]\nversion = {file = ["VERSION"]}\n',
             "VERSION", "1.2.0\n"),
            ("poetry.core.masonry.api", '[tool.hephaestus.release]\nversion-from = "pyproject.toml"\n',
             "pyproject.toml", "[tool.poetry]\nversion = '1.2.0'  # and poetry reads it there\n"),
            ("maturin", '[tool.hephaestus.release]\nversion-from = "Cargo.toml"\n', "Cargo.toml",
             '[package]\nname = "x"\nversion = "1.2.0"\n'),
        ],
    )  # fmt: skip
    def test_the_file_is_edited_and_nothing_else_of_it(
        self, tmp_path: Path, backend: str, settings: str, path: str, before: str
    ) -> None:
        """One place is rewritten, be it found by a pattern, a name or alone; the rest keeps its bytes."""
        top = TOP.replace("[tool.hephaestus.release]\n", "") if "hephaestus" in settings else TOP
        top = top.replace('repository = "o/tiny"\n', "") if "hephaestus" in settings else top
        text = f'{top}\n[build-system]\nbuild-backend = "{backend}"\n{settings}'
        before = text + before if path == "pyproject.toml" else before
        root = project(
            tmp_path / "project",
            **{"pyproject.toml": text, "src/tiny_thing/__init__.py": INIT, "VERSION": "-\n", path: before},
        )
        plan = bump(root, "minor")
        assert {edit.path for edit in plan.edits} == {path, "CHANGELOG.md"}
        lines = before.split("\n")
        at = next(number for number, line in enumerate(lines) if "1.2.0" in line and not line.startswith("name"))
        lines[at] = lines[at].replace("1.2.0", "1.3.0", 1)
        assert (root / path).read_bytes().decode() == "\n".join(lines)
        assert git(root, "describe", "--tags") == "v1.3.0"

    def test_a_pattern_that_the_new_version_no_longer_fits_is_refused(self, tmp_path: Path) -> None:
        """The file is read back with the pattern: what it does not find again was not written where it must be."""
        settings = '[tool.hatch.version]\npath = "VERSION"\npattern = "^(?P<version>[0-9.]+)$"\n'
        text = f'{TOP}\n[build-system]\nbuild-backend = "hatchling.build"\n{settings}'
        files = {"pyproject.toml": text, "src/tiny_thing/__init__.py": INIT, "VERSION": "1.2.0\n"}
        root = project(tmp_path / "project", **files)
        with pytest.raises(GateRefused, match="VERSION:1: cannot be edited"):
            planned(root, "minor", "rc")


class TestTag:
    """The version comes from the tag."""

    def test_changelog_and_tag_are_made_and_it_is_said(self, tmp_path: Path) -> None:
        """From the newest tag of the history; the plan says that only these two are made."""
        root = tagged(tmp_path / "project")
        commit(root)
        plan = bump(root, "minor")
        assert (plan.version, [edit.path for edit in plan.edits]) == ("1.3.0", ["CHANGELOG.md"])
        assert any("comes from the tag (tool.hatch.version.source)" in line for line in plan.remarks)
        assert git(root, "describe", "--tags") == "v1.3.0"

    def test_without_a_changelog_the_tag_is_all(self, tmp_path: Path) -> None:
        """No commit is made; the tag is annotated and at HEAD."""
        root = tagged(tmp_path / "project")
        git(root, "rm", "-q", "CHANGELOG.md")
        git(root, "commit", "-q", "-m", "Drop the changelog")
        head = git(root, "rev-parse", "HEAD")
        assert bump(root, "patch").edits == ()
        assert git(root, "rev-parse", "v1.2.1^{commit}") == head
        assert git(root, "cat-file", "-t", "v1.2.1") == "tag"
        assert planned(root, "1.2.1").done

    def test_no_commit_gets_a_second_version(self, tmp_path: Path) -> None:
        """With nothing to commit, a tag at a commit that has one would make its version a guess: refused."""
        root = tagged(tmp_path / "project")
        git(root, "rm", "-q", "CHANGELOG.md")
        git(root, "commit", "-q", "-m", "Drop the changelog")
        bump(root, "minor", "rc")
        with pytest.raises(GateRefused, match=r"v1\.3\.0rc1: is at this commit already"):
            planned(root, "final")

    def test_the_first_version_of_all_needs_no_tag_before_it(self, tmp_path: Path) -> None:
        """A project without a release is newer than nothing: the words count from 0.0.0."""
        root = tagged(tmp_path / "project", tag="")
        assert planned(root, "minor").version == "0.1.0"
        assert bump(root, "1.0.0").tag == "v1.0.0"

    def test_what_a_tool_left_in_the_work_tree_says_nothing(self, tmp_path: Path) -> None:
        """The ignored file with the version of some commit is not in git: it neither disagrees nor is edited."""
        root = tagged(tmp_path / "project")
        (root / "src/tiny_thing/_version.py").write_text('__version__ = "1.2.1.dev3"\n', encoding="utf-8")
        (root / ".git/info/exclude").write_text("_version.py\n", encoding="utf-8")
        commit(root)
        assert [edit.path for edit in bump(root, "minor").edits] == ["CHANGELOG.md"]

    def test_a_version_that_is_committed_besides_is_held_and_edited(self, tmp_path: Path) -> None:
        """A literal in the package is part of the release: it must agree, and is bumped along."""
        root = tagged(tmp_path / "project", **{"src/tiny_thing/__init__.py": FILES["src/tiny_thing/__init__.py"]})
        commit(root)
        assert "src/tiny_thing/__init__.py" in {edit.path for edit in bump(root, "minor").edits}
        (root / "src/tiny_thing/__init__.py").write_text('__version__ = "1.1.0"\n', encoding="utf-8")
        commit(root, "again.txt")
        with pytest.raises(GateRefused, match=r"__init__\.py:1: says 1\.1\.0, the tag v1\.3\.0 says 1\.3\.0"):
            planned(root, "minor")
