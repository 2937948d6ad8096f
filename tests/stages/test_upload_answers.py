"""How an upload ends badly: the state it is in, until when it can go on, and how."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from packaging.version import Version

from hephaestus.services.index import FileState, PlannedFile, Propagation, PropagationState, UploadPlan
from hephaestus.services.project import IndexFile
from hephaestus.services.uploading import UPLOAD_ANSWERS, UploadAnswer
from hephaestus.stages.upload_answers import NotShownError, ProvenanceMissingError, UploadIncompleteError

UNTIL = datetime(2026, 12, 6, 9, 16, tzinfo=UTC)
PASSING = UploadAnswer(pattern="", meaning="the index has trouble", remedy="wait", transient=True)
LASTING = replace(PASSING, meaning="the index refuses", remedy="change something", transient=False)


def plan(*, deadline: datetime | None = None) -> UploadPlan:
    there = PlannedFile(filename="a.whl", sha256="0" * 64, state=FileState.IDENTICAL)
    lacking = PlannedFile(filename="a.tar.gz", sha256="1" * 64, state=FileState.MISSING)
    return UploadPlan(version=Version("1"), files=(there, lacking), deadline=deadline)


def incomplete(
    answer: UploadAnswer = PASSING, *, deadline: datetime | None = UNTIL, now: datetime | None = None, output: str = ""
) -> UploadIncompleteError:
    return UploadIncompleteError(
        stage="upload-pypi", index="pypi", plan=plan(deadline=deadline), answer=answer, output=output,
        now=now or UNTIL - timedelta(days=3),
    )  # fmt: skip


def test_an_incomplete_upload_says_how_far_it_came_and_until_when() -> None:
    """k of n, the deadline and what is left of it, which files, the tool's last words, the command that goes on."""
    error = incomplete(output="Traceback (most recent call last):\n  File x\n\nValueError: so\n")
    assert error.what == (
        "upload-pypi: the index has trouble; 1 of 2 files are on pypi; "
        "to be completed before 2026-12-06 09:16 UTC (3 days left)"
    )
    assert error.details == ("on pypi: a.whl", "missing: a.tar.gz", "ValueError: so")
    assert error.next_step == "wait; `nox -s upload-pypi` goes on from here"


def test_what_else_is_there_is_named() -> None:
    """Other bytes under our name, and files that are none of ours, are told apart from what is missing."""
    theirs = IndexFile(filename="a.tar.gz", url="https://x/a.tar.gz", sha256="2" * 64)
    odd = replace(
        plan(),
        files=(PlannedFile(filename="a.tar.gz", sha256="1" * 64, state=FileState.CONFLICT, remote=theirs),),
        foreign=(replace(theirs, filename="b.whl"),),
    )
    error = UploadIncompleteError(stage="upload-pypi", index="pypi", plan=odd, answer=PASSING, output="", now=UNTIL)
    assert error.details == (
        f"conflict: a.tar.gz: ours has sha256 {'1' * 64}, the index has {'2' * 64}",
        "none of ours: b.whl",
    )
    assert error.next_step.startswith("raise the version (`nox -s bump -- 2`)")


def test_what_lasts_is_not_tried_again() -> None:
    """A refusal that stays names only what changes it; without a first file there is no deadline to name."""
    error = incomplete(LASTING, deadline=None)
    assert error.next_step == "change something"
    assert "before" not in error.what


@pytest.mark.parametrize("answer", [answer for answer in UPLOAD_ANSWERS if "raise the version" in answer.remedy])
def test_an_answer_that_asks_for_a_new_version_names_its_command(answer: UploadAnswer) -> None:
    """Nobody looks up how: wherever the version is to be raised, the exact command stands beside it, once."""
    assert incomplete(answer).next_step.count("raise the version (`nox -s bump -- 2`)") == 1


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=13, hours=23), "(13 days left)"),
        (timedelta(days=1, hours=23), "(47 hours left)"),
        (timedelta(minutes=59), "(less than two hours left)"),
    ],
)
def test_the_time_left_is_said_in_words(left: timedelta, words: str) -> None:
    """Days first, then hours, then that it is nearly over."""
    assert words in incomplete(now=UNTIL - left).what


@pytest.mark.parametrize("answer", [PASSING, LASTING])
def test_after_the_deadline_only_a_new_version_helps(answer: UploadAnswer) -> None:
    """Whatever the index said last: past the 14 days the next step is a new version, not another try."""
    error = incomplete(answer, now=UNTIL + timedelta(seconds=1))
    assert "ended 2026-12-06 09:16 UTC: a new version is needed" in error.what
    assert error.next_step.startswith("raise the version (`nox -s bump -- 2`)")


@pytest.mark.parametrize("state", [state for state in PropagationState if state is not PropagationState.VISIBLE])
def test_everything_that_is_not_shown_has_a_way_on(state: PropagationState) -> None:
    """Lag, absence, wrong bytes, quarantine, archive and silence each have their own words and next step."""
    seen = Propagation(
        state=state, waiting=("a.whl",), wrong={"b.whl": ("1", "2")}, reason="because", polls=3, seconds=7.0
    )
    error = NotShownError(stage="upload-pypi", index="pypi", seen=seen)
    assert "asked 3 times in 7 s" in error.what
    assert {"not shown: a.whl", "b.whl: expected sha256 1, served 2", "because"} <= set(error.details)
    assert error.next_step
    assert "{" not in error.next_step


def test_lost_attestations_name_the_files() -> None:
    """They cannot be added later, and the message says so."""
    error = ProvenanceMissingError(stage="upload-pypi", index="pypi", version="1", files=["a.whl"])
    assert error.details == ("a.whl",)
    assert "nox -s bump -- 2" in error.next_step
    assert "cannot be added" in error.why
