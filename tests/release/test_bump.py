"""Planning a bump: every place is found and rewritten, and every reason not to is told at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from release.repositories import FILES, bump, git, isolated, planned, project

from hephaestus.release.bump import Remote
from hephaestus.release.errors import GateRefused
from hephaestus.release.increments import IncrementError


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of version 1.2.0, tagged."""
    return project(tmp_path / "project")


def refused(root: Path, *words: str, branch: str = "", remote: Remote | None = None) -> dict[str, str]:
    """The findings of a refused plan, by code; nothing has changed."""
    before = git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")
    with pytest.raises(GateRefused) as raised:
        planned(root, *words, branch=branch, remote=remote)
    assert (git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")) == before
    assert raised.value.next_step == f"nox -s bump -- {' '.join(words)}"
    assert all(finding.remedy for finding in raised.value.findings)
    return {finding.code: finding.line() for finding in raised.value.findings}


def test_every_place_is_changed_in_one_commit_with_an_annotated_tag(root: Path) -> None:
    """pyproject.toml, __version__, the version file, the changelog; comments stay; one commit, one tag object."""
    plan = bump(root, "minor")
    assert (root / "pyproject.toml").read_text() == FILES["pyproject.toml"].replace("1.2.0", "1.3.0")
    assert (root / "src/tiny_thing/__init__.py").read_text() == FILES["src/tiny_thing/__init__.py"].replace("2", "3")
    assert (root / "VERSION").read_text() == "1.3.0\n"
    changelog = (root / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [1.3.0] - 2026-11-22\n\n### Added\n\n- A thing.\n\n## [1.2.0]" in changelog
    assert changelog.endswith("[1.3.0]: https://github.com/o/tiny/compare/v1.2.0...v1.3.0\n")
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "log", "--format=%s") == "Release 1.3.0\nfirst"
    assert git(root, "cat-file", "-t", plan.tag) == "tag"
    assert git(root, "rev-parse", "v1.3.0^{commit}") == git(root, "rev-parse", "HEAD")
    assert git(root, "tag", "-l", "--format=%(contents)", "v1.3.0") == "tiny-thing 1.3.0"
    assert len(git(root, "show", "--format=", "--name-only", "HEAD").splitlines()) == 4


def test_a_chain_of_candidates_ends_in_one_version(root: Path) -> None:
    """minor rc, rc, final: three commits and tags; the final version is compared with the last stable one."""
    for words in (["minor", "rc"], ["rc"], ["final"]):
        bump(root, *words)
    assert git(root, "tag").split() == ["v1.2.0", "v1.3.0", "v1.3.0rc1", "v1.3.0rc2"]
    text = (root / "CHANGELOG.md").read_text()
    assert text.count("## [") == 4, "rc2 brought nothing and has no section"
    assert "[1.3.0]: https://github.com/o/tiny/compare/v1.2.0...v1.3.0\n" in text


def test_files_keep_their_line_ends_marks_and_modes(tmp_path: Path) -> None:
    """CRLF, a byte-order mark, single quotes and the executable bit are as before; only the version differs."""
    files = {
        "pyproject.toml": FILES["pyproject.toml"].replace('"1.2.0"', "'1.2.0'").replace("\n", "\r\n"),
        "src/tiny_thing/__init__.py": "\ufeff" + FILES["src/tiny_thing/__init__.py"].replace("\n", "\r\n"),
        "CHANGELOG.md": "\ufeff" + FILES["CHANGELOG.md"].replace("\n", "\r\n"),
    }
    root = project(tmp_path / "project", **files)
    (root / "VERSION").chmod(0o755)
    git(root, "commit", "-q", "-am", "mode")
    bump(root, "1.3.0")
    for name in ("pyproject.toml", "src/tiny_thing/__init__.py"):
        assert (root / name).read_bytes() == files[name].replace("1.2.0", "1.3.0").encode()
    changelog = (root / "CHANGELOG.md").read_bytes()
    assert changelog.startswith(b"\xef\xbb\xbf# Changelog\r\n")
    assert changelog.count(b"\n") == changelog.count(b"\r\n")
    assert (root / "VERSION").stat().st_mode & 0o777 == 0o755


def test_a_version_already_written_is_tagged(tmp_path: Path) -> None:
    """The first release of 1.2.0 as it stands: its section gets no second heading; asked again it is done."""
    files = {"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.0]\n\n- all\n"}
    root = project(tmp_path / "project", tag="", **files)
    assert [edit.path for edit in bump(root, "1.2.0").edits] == ["CHANGELOG.md"]
    assert "## [1.2.0] - 2026-11-22\n" in (root / "CHANGELOG.md").read_text()
    assert planned(root, "1.2.0").done
    git(root, "tag", "-d", "v1.2.0")
    plan = bump(root, "1.2.0")
    assert plan.edits == ()
    assert git(root, "rev-parse", "v1.2.0^{commit}") == plan.head


def test_without_a_changelog_it_is_said_where_the_notes_will_be_from(root: Path) -> None:
    """No CHANGELOG.md stops nothing, and is remarked upon."""
    git(root, "rm", "-q", "CHANGELOG.md")
    git(root, "commit", "-q", "-m", "none")
    plan = bump(root, "patch")
    assert "CHANGELOG.md" in plan.remarks[0]
    assert git(root, "describe") == "v1.2.1"


LOCKED = """\
version = 1

[[package]]
name = "other"
version = "1.2.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "tiny-thing"
version = "1.2.0"
source = { editable = "." }
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_lock_of_uv_follows(tmp_path: Path, end: str) -> None:
    """The entry of the project itself has the new version, the one of another package keeps its own."""
    lock = LOCKED.replace("\n", end)
    root = project(tmp_path / "project", **{"uv.lock": lock})
    bump(root, "minor")
    head, _, own = lock.rpartition("1.2.0")
    assert (root / "uv.lock").read_bytes() == f"{head}1.3.0{own}".encode()


@pytest.mark.parametrize("source", ['registry = "https://pypi.org/simple"', 'editable = "other"'])
def test_a_package_of_the_same_name_from_elsewhere_keeps_its_version(tmp_path: Path, source: str) -> None:
    """What uv locked from an index or another folder is not the project."""
    lock = LOCKED.replace('editable = "."', source)
    root = project(tmp_path / "project", **{"uv.lock": lock})
    assert "uv.lock" not in [edit.path for edit in planned(root, "minor").edits]


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ({"VERSION": "1.1.0\n"}, "version-differs", "VERSION:1: says 1.1.0"),
        ({"VERSION": "none\n"}, "version-file", "names no version"),
        ({"src/tiny_thing/__init__.py": '__version__ = "1.1"\n'}, "version-differs", "__init__.py:1"),
        ({"src/tiny_thing/__init__.py": 'x = "1.2.0"; __version__ = "1.2.0"\n'}, "not-editable", "__init__.py:1"),
        ({"src/tiny_thing/__init__.py": '__version__ = "1\\x2e2.0"\n'}, "not-editable", "__init__.py:1"),
        ({"CHANGELOG.md": "# C\n\n## [Unreleased]\n\n## [1.2.0]\n\n- old\n"}, "changelog-empty", "is empty"),
        ({"CHANGELOG.md": "# C\n"}, "changelog-shape", "[Unreleased]"),
        ({"CHANGELOG.md": "## [Unreleased]\n\n- x\n\n## [1.3.0]\n\n- y\n"}, "changelog-taken", "line 5"),
        ({"CHANGELOG.md": "## [Unreleased]\n- x\n## [Unreleased]\n- y\n"}, "changelog-double", "lines 1, 3"),
        ({"CHANGELOG.md": b"## [Unreleased]\n\n- \xff\n"}, "changelog-unreadable", "UTF-8"),
    ],
)
def test_what_is_written_wrong_is_refused(tmp_path: Path, files: dict[str, str], code: str, words: str) -> None:
    """Places that disagree, that hold no version, that cannot be rewritten alone; changelogs of every broken shape."""
    found = refused(project(tmp_path / "project", **files), "minor")
    assert list(found) == [code]
    assert words in found[code]


def test_all_reasons_are_told_at_once(root: Path) -> None:
    """A dirty tree, the wrong branch, a tag that is taken, an empty changelog and a read-only file in one refusal."""
    (root / "CHANGELOG.md").write_text("## [Unreleased]\n")
    (root / "VERSION").chmod(0o444)
    (root / "new.txt").write_text("x")
    git(root, "tag", "v1.3")
    git(root, "switch", "-q", "-c", "topic")
    found = refused(root, "minor")
    assert set(found) == {"dirty", "branch", "tag-taken", "changelog-empty", "read-only"}
    assert "?? new.txt" in found["dirty"]
    assert "git switch main, or say `--branch topic`" in found["branch"]


def test_a_detached_head_is_refused(root: Path) -> None:
    """On no branch the commit would be lost: the branch to switch to is named."""
    git(root, "switch", "-q", "--detach")
    assert "git switch main" in refused(root, "patch")["detached"]


def test_a_shallow_clone_is_refused(root: Path, tmp_path: Path) -> None:
    """Where tags may be missing, "free" cannot be known."""
    bump(root, "patch")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{root}", str(tmp_path / "clone")], check=True)
    (tmp_path / "clone" / "CHANGELOG.md").write_text(FILES["CHANGELOG.md"].replace("1.2.0", "1.2.1"))
    git(tmp_path / "clone", "commit", "-q", "-am", "more")
    found = refused(tmp_path / "clone", "minor")
    assert "git fetch --unshallow --tags" in found["shallow-clone"]


def test_tags_that_are_no_versions_are_nobodys(root: Path) -> None:
    """`latest`, `nightly`, `v-next`: neither taken, nor newer, nor what a link compares with."""
    for tag in ("latest", "nightly", "v-next"):
        git(root, "tag", tag)
    plan = planned(root, "minor", remote=Remote(name="origin", default="main", tags=("stable",)))
    (changelog,) = [edit for edit in plan.edits if edit.path == "CHANGELOG.md"]
    assert b"compare/v1.2.0...v1.3.0" in changelog.after


def test_a_newer_tag_is_refused_but_on_a_branch_of_an_older_series(root: Path) -> None:
    """1.2.1 after v2.0.0: refused on main; with --branch only the tags of that branch count, and main is not asked."""
    git(root, "branch", "1.2.x")
    bump(root, "major")
    git(root, "switch", "-q", "1.2.x")
    assert set(refused(root, "patch")) == {"branch", "older"}
    assert bump(root, "patch", branch="1.2.x").tag == "v1.2.1"
    git(root, "switch", "-q", "main")
    assert set(refused(root, "minor", branch="1.2.x")) >= {"branch"}


def test_the_remote_is_believed_before_what_was_last_fetched(root: Path) -> None:
    """Its default branch, its tags and its head count; an unknown or later commit there means we are behind."""
    head = git(root, "rev-parse", "HEAD")
    fine = Remote(name="origin", default="main", head=head, tags=("v1.2.0",))
    assert planned(root, "minor", remote=fine).version == "1.3.0"
    assert "git switch trunk" in refused(root, "minor", remote=Remote(name="origin", default="trunk"))["branch"]
    assert "git pull --ff-only origin" in refused(root, "minor", remote=Remote(name="origin", head="f" * 40))["behind"]
    found = refused(root, "minor", remote=Remote(name="origin", default="main", head=head, tags=("v1.3.0", "v1.9")))
    assert "exists already, on origin" in found["tag-taken"]
    assert "v1.9: is a newer version" in found["older"]


def test_behind_the_upstream_as_last_fetched_is_refused(root: Path, tmp_path: Path) -> None:
    """Without an answer from the remote, the branch it was last seen at is compared."""
    subprocess.run(["git", "clone", "-q", str(root), str(tmp_path / "clone")], check=True)
    bump(root, "patch")
    git(tmp_path / "clone", "fetch", "-q")
    assert "1 commits behind" in refused(tmp_path / "clone", "minor")["behind"]


def test_files_that_git_would_not_commit_are_refused(tmp_path: Path) -> None:
    """A version file that is ignored, and one that is a link: the commit would not hold the version."""
    settings = FILES["pyproject.toml"].replace('["VERSION"]', '["VERSION", "generated.py"]')
    root = project(tmp_path / "project", **{"pyproject.toml": settings, ".gitignore": "generated.py\nreal\n"})
    (root / "generated.py").write_text('version = "1.2.0"\n')
    (root / "VERSION").rename(root / "real")
    (root / "VERSION").symlink_to("real")
    git(root, "commit", "-q", "-am", "link")
    assert set(refused(root, "minor")) == {"untracked", "link"}


def test_nobody_to_commit_as_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git knows no name: found before anything is written."""
    git(root, "config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert "git config user.name" in refused(root, "minor")["identity"]


def test_words_without_one_meaning_are_refused_before_anything_is_read(root: Path) -> None:
    """`rc` on a final version: the arithmetic's own refusal."""
    with pytest.raises(IncrementError):
        planned(root, "rc")
