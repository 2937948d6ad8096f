"""The commands in a project whose version comes from the tag: with a tag, without one, with the one that is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from release.repositories import git, isolated, project

Said = Callable[..., tuple[int, str, str]]

FILES = {
    "pyproject.toml": '[project]\nname = "tiny-thing"\ndynamic = ["version"]\n\n[build-system]\nrequires = []\n'
    'build-backend = "setuptools.build_meta"\n\n[tool.setuptools_scm]\n\n'
    '[tool.hephaestus.release]\nrepository = "o/n"\n',
    "src/tiny_thing/__init__.py": '"""Tiny."""\n',
    "VERSION": "none here\n",
    ".gitignore": "/release/\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: tagged v1.2.0, and one commit further."""
    isolated(monkeypatch, tmp_path / "home")
    made = project(tmp_path / "here", **FILES)
    (made / "more.txt").write_text("more\n", encoding="utf-8")
    git(made, "add", "--all")
    git(made, "commit", "-q", "-m", "Add more")
    monkeypatch.chdir(made)
    return made


@pytest.mark.parametrize("words", [("status", "--offline"), ("plan",), ("notes",)])
def test_who_looks_at_one_release_needs_its_tag(root: Path, says: Said, words: tuple[str, ...]) -> None:
    """Without one at the commit each refuses, and names both ways; with one it answers about that version."""
    code, _, err = says("release", *words)
    assert code == 1
    assert "no release's tag is at this commit" in err
    assert "nox -s bump -- minor" in err
    assert "nox -s release -- --tag vX.Y.Z" in err
    git(root, "tag", "v1.3.0rc1")
    _, out, err = says("release", *words)
    assert "no release's tag" not in err
    assert "1.3.0rc1" in out or words == ("notes",)


@pytest.mark.parametrize("command", ["status", "plan"])
def test_a_rehearsal_may_name_the_tag_it_will_have(root: Path, says: Said, command: str) -> None:
    """`--tag` gives the version where the commit has none; another one than the commit's is refused."""
    _, out, err = says("release", command, "--tag", "v2.0.0", "--json")
    assert json.loads(out)["version"] == "2.0.0", err
    git(root, "tag", "v1.3.0")
    code, _, err = says("release", command, "--tag", "v2.0.0")
    assert code == 1
    assert "--tag v2.0.0 was asked for, but this is v1.3.0" in err


def test_status_takes_no_other_tag_for_a_version_that_is_written(root: Path, says: Said) -> None:
    """A version in [project] has its tag; another one would be answered about something else."""
    text = FILES["pyproject.toml"].replace('dynamic = ["version"]', 'version = "1.2.0"')
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    assert says("release", "status", "--offline", "--tag", "v1.2.0")[0] == 0
    code, _, err = says("release", "status", "--offline", "--tag", "v1.2.1")
    assert (code, "this is v1.2.0" in err) == (1, True)


def test_two_tags_are_named_and_none_is_taken(root: Path, says: Said) -> None:
    """A candidate and its final version at one commit: whoever asks is told both."""
    git(root, "tag", "v1.3.0rc1")
    git(root, "tag", "v1.3.0")
    code, _, err = says("release", "status", "--offline")
    assert (code, "this commit has 2: v1.3.0, v1.3.0rc1" in err) == (1, True)


def test_who_looks_at_the_whole_project_needs_none(root: Path, says: Said) -> None:
    """Notes of a version that is named, audit and rollback come as far as without it; doctor says what is missing."""
    code, out, _ = says("release", "notes", "--version", "1.2.0")
    assert (code, out) == (0, "- old\n")
    for words in (("audit", "--rehearsal"), ("rollback", "1.2.0", "--rehearsal")):
        code, _, err = says("release", *words)
        assert (code, "stand-ins" in err) == (1, True), err
    code, out, _ = says("doctor", "--offline", "--json")
    (line,) = [line for line in json.loads(out)["lines"] if line["code"] == "tag"]
    assert (line["verdict"], "has no tag of a release" in line["seen"]) == ("FAIL", True)
    git(root, "tag", "v1.3.0")
    code, out, _ = says("doctor", "--offline", "--json")
    (line,) = [line for line in json.loads(out)["lines"] if line["code"] == "tag"]
    assert line["verdict"] == "PASS"


def test_init_says_where_the_version_comes_from(root: Path, says: Said) -> None:
    """No version is made up where there is none yet, and the files are written all the same."""
    code, out, err = says("init", "--repository", "o/n")
    assert code == 0, err
    assert "tiny-thing, setuptools.build_meta, github.com/o/n" in out
    assert "the version is that of the commit's tag (tool.setuptools_scm)" in out
    text = FILES["pyproject.toml"].replace(
        "[tool.setuptools_scm]", '[tool.setuptools.dynamic]\nversion.file = "VERSION"'
    )
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    (root / "VERSION").write_text("1.2.0\n", encoding="utf-8")
    assert "the version is in VERSION:1" in says("init", "--repository", "o/n", "--dry-run")[1]
