"""What stands last on the terminal after a refusal - through the real nox, whose own lines follow every message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import SUITE, Ran, git

from hephaestus.nox.closing import Refusal

NOXFILE = f"""\
import sys

sys.path.insert(0, {str(SUITE / "src")!r})

import nox

from hephaestus.nox import release_sessions

release_sessions(prefix="r-")


@nox.session(python=False)
def fine(session):
    session.log("fine")


@nox.session(python=False)
def refuses(session):
    session.error("a reason of its own")
"""

Nox = Callable[..., Ran]

NEXT = "  next: `nox -s release -- --help` lists what may stand there"
LAST = [
    "",
    "build: after `--`: unrecognized arguments: --pubish",
    '  (the whole message is above, after "Session r-build aborted")',
    NEXT,
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    """The smallest project the suite can read, in git, beside the noxfile."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny-thing"\nversion = "1.2.3"\n', encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "pyproject.toml")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_the_next_command_is_the_last_thing_on_the_terminal(nox: Nox) -> None:
    """Nox's aborted lines and its summary follow the refusal; behind them all stand what was refused and what to do."""
    ran = nox(NOXFILE, "-s", "r-smoke", "--", "--pubish")
    assert ran.code == 1
    lines = ran.output.splitlines()
    assert lines[-4:] == LAST
    assert lines[-5].startswith("nox > * r-smoke: aborted")
    assert any(line.startswith(f"nox > Session r-build aborted: {LAST[1]}") for line in lines), "the message itself"
    assert sum(line.startswith("  why:") for line in lines) == 1, "and only there in full"


def test_every_refusal_of_a_run_is_said_in_its_order(nox: Nox) -> None:
    """Without dependencies two stages refuse, another session ends well, a third aborts: both of ours, ours alone."""
    words = ("--no-dependencies", "-s", "r-build", "fine", "refuses", "r-sign", "--", "--pubish")
    ran = nox(NOXFILE, *words, env={"NO_COLOR": "1"})
    assert ran.code == 1
    other = [line.replace("build", "sign") for line in LAST]
    assert ran.output.splitlines()[-8:] == [*LAST, *other]
    assert "\x1b" not in ran.output


@pytest.mark.parametrize(
    "words",
    [
        ("-s", "r-build", "--", "--pubish"),
        ("-s", "r-sign", "--", "--help"),
        ("-s", "fine", "refuses"),
    ],
)
def test_nothing_is_said_twice(nox: Nox, words: tuple[str, ...]) -> None:
    """A refusal that stands last anyway, sessions that skip, and others' failures have no last words."""
    ran = nox(NOXFILE, *words)
    assert "the whole message is above" not in ran.output
    assert ran.output.count(NEXT.strip()) == (1 if "--pubish" in words else 0)


def test_the_annotation_is_what_it_was(nox: Nox, tmp_path: Path) -> None:
    """In GitHub Actions there is one annotation and one paragraph of the step summary; the last words are none."""
    page = tmp_path / "page.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    ran = nox(NOXFILE, "-s", "r-sign", "--", "--pubish", env=env)
    assert ran.output.count("::error") == 1
    assert page.read_text(encoding="utf-8").count("failed") == 1
    assert ran.output.splitlines()[-4:] == LAST


def test_many_reasons_are_counted_and_the_index_stays_named() -> None:
    """Three reasons are shown and the others counted; what belongs to the next command comes before it."""
    reasons = [f"  - file {number}: wrong" for number in range(5)]
    message = "\n".join(["check: refused", "  why:  so", *reasons, "  next: `nox -s check`", "  with: `-- --publish`"])
    assert Refusal(session="check", message=message).lines() == [
        "check: refused",
        *reasons[:3],
        "  - and 2 more",
        '  (the whole message is above, after "Session check aborted")',
        "  with: `-- --publish`",
        "  next: `nox -s check`",
    ]
