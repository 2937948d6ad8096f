"""One line of a diagnosis, the check it comes from, and the question that is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from hephaestus.services.errors import ServiceError

__all__ = ["Check", "Diagnosis", "Line", "Question", "Verdict"]


class Verdict(StrEnum):
    """What a check has come to. UNKNOWN: nobody could tell, most often for want of a right to see it."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A check with its verdict. ``seen`` is what is so; ``values`` are what a form is to be filled in with."""

    code: str
    group: str
    subject: str
    verdict: Verdict
    seen: str
    why: str
    remedy: str
    page: str = ""
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at. ``why`` it matters, ``remedy`` is what to set, ``page`` the address where.

    ``code`` is stable for programs; ``group`` is a heading; ``subject`` a few words.
    """

    code: str
    group: str
    subject: str
    why: str
    remedy: str
    page: str = ""
    values: tuple[tuple[str, str], ...] = ()

    def line(self, verdict: Verdict, seen: str, *, remedy: str = "") -> Line:
        """The line of that verdict; ``remedy`` replaces the usual one."""
        return Line(
            code=self.code,
            group=self.group,
            subject=self.subject,
            verdict=verdict,
            seen=seen,
            why=self.why,
            remedy=remedy or self.remedy,
            page=self.page,
            values=self.values,
        )

    def passed(self, seen: str) -> Line:
        """PASS, and what was seen."""
        return self.line(Verdict.PASS, seen)

    def failed(self, seen: str, *, remedy: str = "") -> Line:
        """FAIL, and what was seen."""
        return self.line(Verdict.FAIL, seen, remedy=remedy)

    def unknown(self, seen: str, *, remedy: str = "") -> Line:
        """UNKNOWN, and why nobody could tell."""
        return self.line(Verdict.UNKNOWN, seen, remedy=remedy)

    def line_of(self, error: ServiceError, *, failed: bool) -> Line:
        """FAIL or UNKNOWN: what a service said instead of an answer, and what helps."""
        verdict = Verdict.FAIL if failed else Verdict.UNKNOWN
        return self.line(verdict, error.what, remedy=f"{self.remedy} ({error.next_step})")

    def judged(self, seen: str, *, good: bool) -> Line:
        """PASS or FAIL."""
        return self.passed(seen) if good else self.failed(seen)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A check with the way to its answer."""

    check: Check
    answer: Callable[[Check], Line]

    def line(self) -> Line:
        """The answer; UNKNOWN where the service does not give one, with what it said instead."""
        try:
            return self.answer(self.check)
        except ServiceError as error:
            return self.check.line_of(error, failed=False)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All lines, in the order they are shown."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, *parts: Iterable[Line]) -> Diagnosis:
        """One diagnosis of several groups of lines."""
        return cls(lines=tuple(line for part in parts for line in part))

    def count(self, verdict: Verdict) -> int:
        """How many lines have come to it."""
        return sum(line.verdict is verdict for line in self.lines)

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return not self.count(Verdict.FAIL)
