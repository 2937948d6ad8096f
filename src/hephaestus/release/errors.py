"""The base of every foreseeable failure.

::

    ReleaseError                what happened, why it matters, the exact next command
    ├── GateRefused             a stage's gates found reasons not to act (all of them at once)
    ├── StageFailed             a tool of a stage failed; its output is kept
    └── ...                     one subclass per kind, defined beside the code that detects it

A subclass owns its message: it takes the values that vary and composes ``what``, ``why`` and ``next_step``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Finding", "GateRefused", "ReleaseError", "Severity", "StageFailed"]


class ReleaseError(Exception):
    """A failure a person can act on.

    ``what`` happened (one line, names the thing), ``why`` it matters or what it generally means, and
    ``next_step``: the exact next command or change. ``details`` are further lines, shown before it.
    """

    def __init__(self, *, what: str, why: str = "", next_step: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.details = tuple(details)

    def __str__(self) -> str:
        """The whole message, one part a line."""
        lines = [self.what]
        if self.why:
            lines.append(f"  why:  {self.why}")
        lines.extend(f"  - {detail}" for detail in self.details)
        if self.next_step:
            lines.append(f"  next: {self.next_step}")
        return "\n".join(lines)


class Severity:
    """How much a finding weighs: an error refuses the stage, a warning is shown and recorded."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found wrong: ``subject`` names the file or field, ``code`` is stable for programs."""

    code: str
    subject: str
    message: str
    remedy: str = ""
    severity: str = Severity.ERROR

    def line(self) -> str:
        """One line for people: subject, message and what to do."""
        text = f"{self.subject}: {self.message}"
        return f"{text} -> {self.remedy}" if self.remedy else text


class GateRefused(ReleaseError):
    """Raised when a stage's gates hold reasons not to act; nothing has been changed or sent."""

    def __init__(self, *, stage: str, findings: Sequence[Finding], next_step: str) -> None:
        self.stage = stage
        self.findings = tuple(findings)
        count = "one reason" if len(findings) == 1 else f"{len(findings)} reasons"
        super().__init__(
            what=f"{stage}: refused for {count}; nothing was changed and nothing was sent",
            details=[finding.line() for finding in findings],
            next_step=next_step,
        )


class StageFailed(ReleaseError):
    """Raised when a tool that a stage runs ends with a failure the stage could not explain better."""

    def __init__(self, *, stage: str, command: str, code: int, output: str, next_step: str) -> None:
        self.output = output
        tail = [line for line in output.strip().splitlines() if line.strip()][-12:]
        super().__init__(
            what=f"{stage}: `{command}` ended with exit code {code}",
            why="the tool's own last lines follow",
            details=tail,
            next_step=next_step,
        )
