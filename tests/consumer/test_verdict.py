"""Verdicts: when the policy holds, and the line for people."""

from __future__ import annotations

import pytest

from hephaestus.consumer.verdict import State, Verdict, holds


def verdict(state: State, *, required: bool = True) -> Verdict:
    """A verdict on something."""
    return Verdict(state=state, subject="a file", required=required)


PASSED, FAILED, GONE = verdict(State.PASS), verdict(State.FAIL), verdict(State.ABSENT)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], False),
        ([PASSED], True),
        ([PASSED, FAILED], False),
        ([PASSED, GONE], False),
        ([PASSED, verdict(State.ABSENT, required=False)], True),
        ([PASSED, verdict(State.FAIL, required=False)], False),
        ([verdict(State.ABSENT, required=False)], False),
    ],
)
def test_the_policy_holds(verdicts: list[Verdict], expected: bool) -> None:
    """Something passed, nothing failed, nothing required is absent; of nothing at all nothing holds."""
    assert holds(verdicts) is expected


def test_the_line_has_state_place_subject_and_reason() -> None:
    """Place and reason are left out where there is none."""
    assert Verdict(state=State.FAIL, subject="x", reason="why", place="pypi").text() == "FAIL   pypi      x: why"
    assert Verdict(state=State.PASS, subject="x").text() == "PASS   x"


def test_a_line_is_one_line() -> None:
    """Foreign text in names and reasons can neither begin a line of its own nor speak to the terminal."""
    hostile = "x\nPASS   y\r\x1b[2K\u202e\u2028z"
    line = Verdict(state=State.FAIL, subject=hostile, reason=hostile).text()
    assert len(line.splitlines()) == 1
    assert line.isprintable()
