"""What is said of one fact about a release: it holds, it does not, or nothing could be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["State", "Verdict", "holds"]


class State(StrEnum):
    """PASS: looked at, and it holds. FAIL: looked at, and it does not. ABSENT: not there, or not looked at."""

    PASS = "PASS"  # noqa: S105 - a word on a page, no password
    FAIL = "FAIL"
    ABSENT = "ABSENT"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One fact. ``reason`` says what it holds by, what it fails by, or why it was not looked at.

    ``place`` is where the subject was found (an index, ``github``, a folder's part). Without ``required`` the policy
    holds even where the fact is absent, never where it fails.
    """

    state: State
    subject: str
    reason: str = ""
    place: str = ""
    required: bool = True

    @property
    def refuses(self) -> bool:
        """Whether the policy does not hold because of this fact."""
        return self.state is State.FAIL or (self.required and self.state is State.ABSENT)

    def text(self) -> str:
        """The line for people: one line, whatever stands in foreign names and reasons."""
        place = f"{self.place:9} " if self.place else ""
        line = f"{self.state:6} {place}{self.subject}{f': {self.reason}' if self.reason else ''}"
        return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def holds(verdicts: Iterable[Verdict]) -> bool:
    """Whether the policy holds: something was looked at and passed, and nothing refuses. Nothing at all holds not."""
    told = list(verdicts)
    return any(verdict.state is State.PASS for verdict in told) and not any(verdict.refuses for verdict in told)
