"""An audit for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hephaestus.consumer.verdict import Verdict, holds
from hephaestus.release.project import Project

__all__ = ["audit_data", "render_audit"]

_PROVEN, _NAMED = "verified", "as the indexes name their publishers"
_TITLE = "what indexes serve, against tags, manifests and attestations"


def render_audit(project: Project, verdicts: Sequence[Verdict], *, verified: bool, index: str = "") -> str:
    """A line a verdict, and what all of them come to. ``index`` names the private one that alone was asked."""
    told = f"what {index} serves, against tags and receipts" if index else _TITLE
    lines = ["", f"{project.normalized}   {told}", ""]
    lines += [f"  {verdict.text()}" for verdict in verdicts]
    bad = sum(verdict.refuses for verdict in verdicts)
    if not verdicts:
        lines.append("  nothing is served and nothing is tagged: there is nothing that could be clean")
    else:
        lines += [
            "",
            f"  clean: {len(verdicts)} lines"
            if holds(verdicts)
            else f"  {bad} of {len(verdicts)} lines do not hold"
            if bad
            else "  nothing is served: there is nothing that could be clean",
        ]
    if index:
        lines += [] if verified else ["  digests as its page names them; --verify fetches every file"]
    elif not verified:
        lines.append("  attestations: publishers as the indexes name them; --verify proves them")
    return "\n".join([*lines, ""])


def audit_data(project: Project, verdicts: Sequence[Verdict], *, verified: bool, index: str = "") -> dict[str, Any]:
    """The same as JSON data."""
    attested = "none: a private index takes none" if index else _PROVEN if verified else _NAMED
    return {
        "schema": 1,
        "project": project.normalized,
        "clean": holds(verdicts),
        "attestations": attested,
        "lines": [
            {
                "state": str(one.state),
                "index": one.place,
                "subject": one.subject,
                "reason": one.reason,
                "required": one.required,
            }
            for one in verdicts
        ],
    }
