"""A diagnosis for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.line import Diagnosis, Line, Verdict

__all__ = ["diagnosis_data", "render_diagnosis"]

_INDENT = " " * 13


def render_diagnosis(case: Case, diagnosis: Diagnosis) -> str:
    """Every line under its heading; for what failed or is unknown also why it matters, what to set, and where."""
    project = case.project
    shown = [f"{project.normalized} {project.version}   {case.repository}, {case.workflow}"]
    width = max(len(line.subject) for line in diagnosis.lines)
    group = ""
    for line in diagnosis.lines:
        if line.group != group:
            group = line.group
            shown += ["", f"  {group}"]
        shown.append(f"    {line.verdict:<7}  {line.subject:<{width}}  {line.seen}")
        if line.verdict is not Verdict.PASS:
            shown += _advice(line)
    counts = ", ".join(f"{diagnosis.count(verdict)} {verdict}" for verdict in Verdict)
    shown += ["", f"  {counts}: {_conclusion(diagnosis)}", ""]
    return "\n".join(shown)


def _advice(line: Line) -> Iterator[str]:
    yield f"{_INDENT}why:  {line.why}"
    yield f"{_INDENT}do:   {line.remedy}"
    if line.page:
        yield f"{_INDENT}at:   {line.page}"
    width = max((len(name) for name, _ in line.values), default=0)
    yield from (f"{_INDENT}      {name:<{width}}  {value}" for name, value in line.values)


def _conclusion(diagnosis: Diagnosis) -> str:
    if not diagnosis.healthy:
        return "not ready; set right what failed, then run `hephaestus doctor` again"
    if diagnosis.count(Verdict.UNKNOWN):
        return "nothing failed; what is unknown is yours to look at"
    return "ready"


def diagnosis_data(case: Case, diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for programs (schema 1); ``ready`` is what the exit code says."""
    return {
        "schema": 1,
        "project": case.project.normalized,
        "version": case.project.version,
        "tag": case.project.tag,
        "repository": case.repository,
        "workflow": case.workflow,
        "ready": diagnosis.healthy,
        "counts": {str(verdict): diagnosis.count(verdict) for verdict in Verdict},
        "lines": [
            {
                "code": line.code,
                "group": line.group,
                "subject": line.subject,
                "verdict": str(line.verdict),
                "seen": line.seen,
                "why": line.why,
                "remedy": line.remedy,
                "page": line.page,
                "values": dict(line.values),
            }
            for line in diagnosis.lines
        ],
    }
