"""What one rule says about one file: a finding for people and, where the index refuses too, its answer."""

from __future__ import annotations

from dataclasses import dataclass

from hephaestus.release.errors import Finding, Severity

__all__ = ["Judgement", "Refusal"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The answer of an index to an upload: HTTP ``status`` and a ``message`` with PyPI's beginning."""

    status: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A finding, with ``refusal`` set exactly when PyPI itself refuses such a file."""

    finding: Finding
    refusal: Refusal | None = None

    @classmethod
    def refused(
        cls, code: str, subject: str, message: str, *, remedy: str, answer: str, status: int = 400
    ) -> Judgement:
        """The index refuses: ``answer`` is what it says, ``message`` what we say."""
        return cls(
            finding=Finding(code=code, subject=subject, message=message, remedy=remedy),
            refusal=Refusal(status=status, message=answer),
        )

    @classmethod
    def ours(cls, code: str, subject: str, message: str, *, remedy: str) -> Judgement:
        """An error of this suite only: the index would take the file."""
        return cls(finding=Finding(code=code, subject=subject, message=message, remedy=remedy))

    @classmethod
    def warned(cls, code: str, subject: str, message: str, *, remedy: str) -> Judgement:
        """Worth knowing, no reason to stop."""
        return cls(
            finding=Finding(code=code, subject=subject, message=message, remedy=remedy, severity=Severity.WARNING)
        )
