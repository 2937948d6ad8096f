"""The bump session: its grammar, and real nox over a real repository with a real remote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import SUITE, Ran
from release.repositories import DATE, git, isolated, planned, project

from hephaestus.nox.bump import BumpUsageError, OvertakenError, _bump, parse
from hephaestus.nox.posargs import HelpAsked
from hephaestus.release.bump_transaction import _rendered
from hephaestus.release.repository import Repository

Nox = Callable[..., Ran]

NOXFILE = f"""\
import sys

sys.path.insert(0, {str(SUITE / "src")!r})

from hephaestus.nox import release_sessions

release_sessions()
"""


@pytest.mark.parametrize(
    "words", ["major", "minor rc", "rc", "final", "1.2.3", "patch --push", "--dry-run patch", "2.0 --date 2026-01-02"]
)
def test_every_way_to_ask_is_understood(words: str) -> None:
    """The grammar of docs/versions.md, with options before and behind; the date is today's unless given."""
    request = parse(words.split(), today="2026-11-22")
    assert request.words
    assert request.date == ("2026-01-02" if "--date" in words else "2026-11-22")
    assert (request.push, request.dry_run) == ("--push" in words, "--dry-run" in words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "required"),
        ("next", "`next` names no next version"),
        ("final rc", "names no next version"),
        ("minor --date yesterday", "YYYY-MM-DD"),
        ("minor --date 2026-02-30", "YYYY-MM-DD"),
        ("minor --date 20260203", "YYYY-MM-DD"),
        ("minor --pus", "--pus"),
        ("minor --publish", "--publish"),
    ],
)
def test_what_cannot_be_understood_is_refused(words: str, problem: str) -> None:
    """No version, another word, no such day, options cut short or of the stages: refused with what can be asked for."""
    with pytest.raises(BumpUsageError) as raised:
        parse(words.split(), today="2026-11-22")
    assert problem in raised.value.what
    assert "major | minor" in raised.value.why


def test_help_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--help`` asks for the text; it ends no process, and nothing but nox colours it (argparse would, from 3.14)."""
    for name in ("NO_COLOR", "PYTHON_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with pytest.raises(HelpAsked, match="--dry-run") as asked:
        parse(["--help"], today="2026-11-22")
    assert "\x1b" not in str(asked.value)


class TestInterrupted:
    """What a session says and does about a run that was killed."""

    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A project whose bump to 1.3.0 (`minor`) was killed between its commit and its tag."""
        isolated(monkeypatch, tmp_path / "home")
        root = project(tmp_path / "project")
        plan = planned(root, "minor")
        (root / ".git" / "hephaestus-bump.json").write_text(_rendered(plan, Repository(root=root)))
        for edit in plan.edits:
            (root / edit.path).write_bytes(edit.after)
        git(root, "commit", "-q", "-am", plan.subject)
        return root

    def test_the_same_words_complete_it_and_bump_no_further(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Typed again, `minor` ends at 1.3.0, not at 1.4.0, and says so."""
        _bump(parse(["minor"], today=DATE), root)
        assert "completed" in capsys.readouterr().err
        assert git(root, "describe") == "v1.3.0"

    def test_other_words_complete_it_and_are_refused(self, root: Path) -> None:
        """`patch` was meant of 1.2.0: the tag is made, and the new words are not applied to another version."""
        with pytest.raises(OvertakenError, match=r"1\.3\.0 is completed now; `patch` was not done"):
            _bump(parse(["patch"], today=DATE), root)
        assert git(root, "describe") == "v1.3.0"
        _bump(parse(["minor", "rc"], today=DATE), root)
        assert git(root, "describe") == "v1.4.0rc1"

    def test_a_dry_run_settles_nothing(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It only says that there is something to settle."""
        _bump(parse(["minor", "rc", "--dry-run"], today=DATE), root)
        assert "was interrupted" in capsys.readouterr().err
        assert git(root, "tag") == "v1.2.0"

    def test_killed_before_the_commit_it_is_undone_and_done_again(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The files of the killed run are brought back first, so that the tree is clean for the new one."""
        git(root, "reset", "-q", "--soft", "HEAD~1")
        _bump(parse(["patch"], today=DATE), root)
        assert "undone" in capsys.readouterr().err
        assert git(root, "describe") == "v1.2.1"


def test_a_push_without_anywhere_to_push_to_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No remote, or one that does not answer: nothing is made that could not be sent. Without --push it is a remark."""
    isolated(monkeypatch, tmp_path / "home")
    root = project(tmp_path / "project")
    with pytest.raises(BumpUsageError, match="no remote"):
        _bump(parse(["minor", "--push"], today=DATE), root)
    git(root, "remote", "add", "origin", str(tmp_path / "nowhere"))
    with pytest.raises(BumpUsageError, match="origin does not answer"):
        _bump(parse(["minor", "--push"], today=DATE), root)
    assert git(root, "tag") == "v1.2.0"
    _bump(parse(["minor"], today=DATE), root)
    assert git(root, "describe") == "v1.3.0"


def test_a_version_is_made_and_pushed_by_real_nox(nox: Nox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, shown, made, asked again, pushed: each run says what it did and what is next; nothing prompts."""
    isolated(monkeypatch, tmp_path / "home")
    home = {"HOME": str(tmp_path / "home")}
    root = project(tmp_path / "project", **{"noxfile.py": NOXFILE, ".gitignore": "/.nox/\n__pycache__/\n"})
    subprocess.run(["git", "clone", "-q", "--bare", str(root), str(tmp_path / "origin.git")], check=True)
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))

    def ran(*words: str, **env: str) -> Ran:
        (tmp_path / "noxfile.py").unlink(missing_ok=True)
        done = nox(NOXFILE, "-f", str(root / "noxfile.py"), "-s", "bump", *words, env={**home, **env}, cwd=root)
        assert "Traceback" not in done.output
        return done

    (root / "stray").touch()
    refused = ran("--", "minor", GITHUB_ACTIONS="true", CI="true")
    assert refused.code == 1
    assert "::error title=bump::bump: refused for one reason" in refused.output
    assert "nothing was changed" in refused.output
    assert "?? stray" in refused.output
    (root / "stray").unlink()

    shown = ran("--", "minor", "--dry-run")
    assert shown.code == 0, shown.output
    assert '+version = "1.3.0"   # here' in shown.output
    assert git(root, "status", "--porcelain") == ""

    made = ran("--", "minor", "--date", "2026-01-02")
    assert made.code == 0, made.output
    assert "next: git push --atomic origin main v1.3.0" in made.output
    assert "markdown_it" not in made.output
    assert "## [1.3.0] - 2026-01-02" in (root / "CHANGELOG.md").read_text()
    assert git(tmp_path / "origin.git", "tag") == "v1.2.0"

    pushed = ran("--", "1.3.0", "--push")
    assert pushed.code == 0, pushed.output
    assert "1.3.0 is made already" in pushed.output
    assert git(tmp_path / "origin.git", "rev-parse", "v1.3.0^{commit}") == git(root, "rev-parse", "HEAD")

    git(root, "switch", "-q", "-c", "next")
    elsewhere = ran("--", "minor", "rc", "--branch", "next")
    assert elsewhere.code == 0, elsewhere.output
    assert "next: git push origin next; and once it is merged" in elsewhere.flat, "a tag alone would start a publish"
    assert "with a merge commit: git push origin v1.4.0rc1" in elsewhere.flat

    only = ran("--install-only", "--", "patch")
    assert only.code == 1
    assert "--install-only" in only.output
    assert git(root, "describe") == "v1.4.0rc1"
