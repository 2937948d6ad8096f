"""The version of a commit by its tags: exactly one tag's, or the one that is named, or a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release.repositories import git, isolated

from hephaestus.release.project import read_project
from hephaestus.release.source import SourceError
from hephaestus.release.tagged_version import (
    TagContradictsError,
    TagGivenError,
    TagsAmbiguousError,
    UntaggedError,
    newest_version,
    tagged_version,
)

TAGGED = '[project]\nname = "x"\ndynamic = ["version"]\n[tool.hephaestus.release]\nversion-from = "tag"\n'


@pytest.mark.parametrize(
    ("tags", "prefix", "given", "version"),
    [
        (["v1.2.0"], "", "", "1.2.0"),
        (["latest", "v1.2.0rc1", "core-v9"], "", "", "1.2.0rc1"),
        (["v1.2.0"], "", "v1.2.0", "1.2.0"),
        ([], "", "v1.3", "1.3"),
        (["1.2.0", "release"], "", "v1.3", "1.3"),
        (["core-v1.2.0", "v3"], "core-", "", "1.2.0"),
        (["v3"], "core-", "core-v2", "2"),
    ],
)
def test_the_one_tag_gives_the_version_or_the_one_that_is_named(
    tags: list[str], prefix: str, given: str, version: str
) -> None:
    """As the tag writes it, so that the tag of the version is that tag again; other packages' tags say nothing."""
    assert tagged_version(tags, prefix=prefix, given=given, setting="s") == version


@pytest.mark.parametrize(
    ("tags", "given", "kind", "words"),
    [
        ([], "", UntaggedError, "nox -s release -- --tag vX.Y.Z"),
        (["1.2.0", "V2"], "", UntaggedError, "1.2.0 is at this commit, but a release's tag is v and the version"),
        (["v1.2.0", "v1.2.0rc3"], "", TagsAmbiguousError, "has 2: v1.2.0, v1.2.0rc3"),
        (["v1.2", "v1.2.0"], "v1.2", TagsAmbiguousError, "has 2: v1.2, v1.2.0"),
        (["v1.2.0"], "v1.3.0", TagContradictsError, "--tag v1.3.0 was asked for, but this is v1.2.0"),
        ([], "", UntaggedError, "hephaestus release status --tag vX.Y.Z"),
        ([], "1.3.0", TagGivenError, "--tag 1.3.0 is no tag of a release"),
        ([], "1.3.0", TagGivenError, "say it as --tag v1.3.0"),
        ([], "main", TagGivenError, "say it as --tag vX.Y.Z"),
    ],
)
def test_everything_else_is_refused_by_name(tags: list[str], given: str, kind: type[Exception], words: str) -> None:
    """No tag, two, another one than was asked for, or a name that is none."""
    with pytest.raises(kind) as raised:
        tagged_version(tags, prefix="", given=given, setting="tool.hatch.version.source")
    assert words in str(raised.value)


def test_a_shallow_clone_is_told_to_fetch() -> None:
    """There the tag may be missing although it was made."""
    with pytest.raises(UntaggedError, match="no release's tag") as raised:
        tagged_version([], prefix="", given="", setting="s", shallow=True)
    assert "git fetch --unshallow --tags" in str(raised.value)


@pytest.mark.parametrize(
    ("tags", "prefix", "version"),
    [
        ([], "", "0.0.0"),
        (["v1.9.0", "v1.10.0", "v1.10.0rc1", "12", "core-v99"], "", "1.10.0"),
        (["v1", "core-v0.1"], "core-", "0.1"),
    ],
)
def test_the_newest_version_is_by_its_order_not_its_letters(tags: list[str], prefix: str, version: str) -> None:
    """And 0.0.0 where there was no release yet."""
    assert newest_version(tags, prefix=prefix) == version


@settings(max_examples=150)
@given(
    tags=st.lists(
        st.sampled_from(["v1", "v2.0", "v2.0rc1", "1", "core-v1", "nightly", "v1.x"]), max_size=4, unique=True
    ),
    prefix=st.sampled_from(["", "core-"]),
    given=st.sampled_from(["", "v1", "v3", "core-v1", "x"]),
)
def test_a_version_that_is_given_back_is_one_of_a_tag_that_was_there_or_named(
    tags: list[str], prefix: str, given: str
) -> None:
    """Whatever the tags: the version's own tag is among them, or it is the one that was named."""
    try:
        version = tagged_version(tags, prefix=prefix, given=given, setting="s")
    except (UntaggedError, TagsAmbiguousError, TagContradictsError, TagGivenError):
        version = ""
    assert not version or f"{prefix}v{version}" in {*tags, given}


class TestCommit:
    """A real commit."""

    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A repository of one commit, no tag."""
        isolated(monkeypatch, tmp_path / "home")
        root = tmp_path / "project"
        root.mkdir()
        (root / "pyproject.toml").write_text(TAGGED, encoding="utf-8")
        git(root, "init", "-q")
        git(root, "add", "--all")
        git(root, "commit", "-q", "-m", "first")
        return root

    def test_the_tag_of_head_is_asked_for_afresh_each_time(self, root: Path) -> None:
        """No tag, the one that is named, the one that is made since: never what an earlier reading found."""
        with pytest.raises(UntaggedError, match=re.escape("no release's tag")):
            read_project(root)
        assert read_project(root, tag="v2.0").version == "2.0"
        git(root, "tag", "-a", "v1.0", "-m", "1.0")
        found = read_project(root)
        assert (found.version, found.tag, found.version_place) == ("1.0", "v1.0", "the tag v1.0")
        git(root, "commit", "-q", "--allow-empty", "-m", "second")
        with pytest.raises(UntaggedError, match=re.escape("no release's tag")):
            read_project(root)
        assert read_project(root, newest=True).version == "1.0"

    @pytest.mark.parametrize("depth", [(), ("--depth", "1")])
    def test_a_jobs_checkout_of_the_tag_says_the_version(
        self, tmp_path: Path, root: Path, depth: tuple[str, ...]
    ) -> None:
        """HEAD is detached at the tag, with the whole history or without: the version is that of the tag."""
        git(root, "tag", "-a", "v1.0", "-m", "1.0")
        git(root, "commit", "-q", "--allow-empty", "-m", "second")
        git(root, "clone", "-q", *depth, "--branch", "v1.0", f"file://{root}", str(tmp_path / "checkout"))
        found = read_project(tmp_path / "checkout")
        assert (found.version, found.tag) == ("1.0", "v1.0")

    def test_a_checkout_without_tags_is_told_to_fetch_them(self, tmp_path: Path, root: Path) -> None:
        """A shallow checkout of a branch has no tag, be it made or not."""
        git(root, "tag", "v1.0")
        git(root, "commit", "-q", "--allow-empty", "-m", "second")
        git(root, "clone", "-q", "--depth", "1", "--no-tags", f"file://{root}", str(tmp_path / "checkout"))
        with pytest.raises(UntaggedError, match=re.escape("no release's tag")) as raised:
            read_project(tmp_path / "checkout")
        assert any("git fetch --unshallow --tags" in line for line in raised.value.details)

    def test_without_a_commit_or_a_repository_the_reason_is_gits(self, tmp_path: Path, root: Path) -> None:
        """One release needs a commit; who looks at the project as a whole does not."""
        bare = tmp_path / "bare"
        bare.mkdir()
        (bare / "pyproject.toml").write_text(TAGGED, encoding="utf-8")
        with pytest.raises(SourceError, match="in no git repository"):
            read_project(bare)
        git(bare, "init", "-q")
        with pytest.raises(SourceError, match="no commit yet"):
            read_project(bare)
        assert read_project(bare, newest=True).version == "0.0.0"
        del root
