"""A diagnosis as people read it and as programs do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.line import Check, Diagnosis, Line, Verdict
from hephaestus.release.project import read_project
from hephaestus.report.diagnosis import diagnosis_data, render_diagnosis
from hephaestus.worlds.addresses import PUBLIC

CHECK = Check(
    code="x", group="GitHub", subject="a thing", why="it matters", remedy="set it", page="https://example.org/x",
    values=(("Owner", "o"), ("Environment name", "pypi")),
)  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "A.B"\nversion = "1.0"\n', "utf-8")
    project = read_project(tmp_path)
    return Case(project=project, repository="o/n", addresses=PUBLIC, environ={"GH_TOKEN": "secret"}, home=tmp_path)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_advice_stands_where_something_is_to_be_done(case: Case, verdict: Verdict) -> None:
    """FAIL and UNKNOWN say why, what, where, and the values of the form; PASS is one line."""
    shown = render_diagnosis(case, Diagnosis(lines=(CHECK.line(verdict, "seen so"),)))
    assert f"{verdict:<7}  a thing  seen so" in shown
    advice = ["why:  it matters", "do:   set it", "at:   https://example.org/x", "Owner             o"]
    assert [part in shown for part in advice] == [verdict is not Verdict.PASS] * 4


@pytest.mark.parametrize(
    ("verdicts", "conclusion", "healthy"),
    [
        ([Verdict.PASS], "1 PASS, 0 FAIL, 0 UNKNOWN: ready", True),
        ([Verdict.PASS, Verdict.UNKNOWN], "1 PASS, 0 FAIL, 1 UNKNOWN: nothing failed; what is unknown is yours", True),
        ([Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL], "1 PASS, 1 FAIL, 1 UNKNOWN: not ready", False),
    ],
)
def test_the_conclusion(case: Case, verdicts: list[Verdict], conclusion: str, healthy: bool) -> None:
    """Ready, nothing failed, or not ready; the same as `healthy` and `ready`."""
    found = Diagnosis(lines=tuple(CHECK.line(verdict, "seen") for verdict in verdicts))
    assert conclusion in render_diagnosis(case, found)
    assert found.healthy is healthy
    assert diagnosis_data(case, found)["ready"] is healthy


def test_groups_are_headings_once(case: Case) -> None:
    """Each group is named before its lines, in the order of the lines."""
    lines: list[Line] = []
    for group in ("this machine", "GitHub", "PyPI"):
        check = Check(code="c", group=group, subject="s", why="w", remedy="r")
        lines += [check.passed("one"), check.passed("two")]
    shown = render_diagnosis(case, Diagnosis(lines=tuple(lines))).splitlines()
    assert [line.strip() for line in shown if line.startswith("  ") and line[2] != " "][:3] == [
        "this machine", "GitHub", "PyPI"
    ]  # fmt: skip


def test_programs_get_every_field(case: Case) -> None:
    """The JSON form has all of a line, is serializable, and holds nothing of the environment."""
    text = json.dumps(diagnosis_data(case, Diagnosis(lines=(CHECK.failed("seen"),))))
    (line,) = json.loads(text)["lines"]
    assert line == {
        "code": "x", "group": "GitHub", "subject": "a thing", "verdict": "FAIL", "seen": "seen", "why": "it matters",
        "remedy": "set it", "page": "https://example.org/x", "values": {"Owner": "o", "Environment name": "pypi"},
    }  # fmt: skip
    assert "secret" not in text
    assert "secret" not in repr(case)
