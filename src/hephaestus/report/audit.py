"""An audit for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hephaestus.consumer.verdict import State, Verdict, holds
from hephaestus.release.project import Project

__all__ = ["audit_data", "render_audit"]


def render_audit(project: Project, verdicts: Sequence[Verdict], *, verified: bool) -> str:
    """A line a verdict, and what all of them come to."""
    lines = ["", f"{project.normalized}   what indexes serve, against tags, manifests and attestations", ""]
    lines += [f"  {verdict.text()}" for verdict in verdicts]
    bad = sum(verdict.state is not State.PASS for verdict in verdicts)
    if not verdicts:
        lines.append("  nothing is served and nothing is tagged: there is nothing that could be clean")
    else:
        lines += [
            "",
            f"  clean: {len(verdicts)} lines" if holds(verdicts) else f"  {bad} of {len(verdicts)} lines do not hold",
        ]
    if not verified:
        lines.append("  attestations: publishers as the indexes name them; --verify proves them")
    return "\n".join([*lines, ""])


def audit_data(project: Project, verdicts: Sequence[Verdict], *, verified: bool) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "schema": 1,
        "project": project.normalized,
        "clean": holds(verdicts),
        "attestations": "verified" if verified else "as the indexes name their publishers",
        "lines": [
            {"state": str(one.state), "index": one.place, "subject": one.subject, "reason": one.reason}
            for one in verdicts
        ],
    }
