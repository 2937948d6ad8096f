"""Bad inputs as example files: ``bad/<stage>/<case>.toml`` says what is wrong, and what must be said about it.

Adding a case is adding a file. Every file has

- ``about``: one sentence, and ``failure``: the rows of facts on failures it stands for (may be empty),
- what to change, in tables that the stage's own runner reads,
- ``[expect]``: ``error`` (the class that is raised), ``code`` (of a finding, may be empty), ``words`` (all must
  stand in the message), and ``next`` (words of the next command).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plants import minted

from hephaestus.release.errors import Finding, ReleaseError

__all__ = ["BAD", "Case", "cases", "holds"]

BAD = Path(__file__).parent / "bad"

_KEYS = {"error", "code", "words", "next"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One example file. ``stage`` is the folder it lies in; ``change`` is everything but ``expect``."""

    stage: str
    name: str
    about: str
    change: Mapping[str, Any]
    error: str
    code: str
    words: tuple[str, ...]
    next: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def read(cls, path: Path) -> Case:
        """Read one example; raises ValueError when it does not say what it expects."""
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        expect = data.pop("expect", {})
        if not data.get("about") or not expect.get("error") or set(expect) - _KEYS:
            raise ValueError(f"{path.name}: `about` and [expect] with {', '.join(sorted(_KEYS))} are needed")
        if not expect.get("words"):
            raise ValueError(f"{path.name}: [expect] names no words that the message must have")
        return cls(
            stage=path.parent.name,
            name=path.stem,
            about=data["about"],
            change=data,
            error=expect["error"],
            code=expect.get("code", ""),
            words=tuple(expect["words"]),
            next=tuple(expect.get("next", ())),
        )


def cases(*stages: str) -> list[Case]:
    """Every example of these stages, in order; at least one per stage, or the collection itself is broken."""
    found: list[Case] = []
    for stage in stages:
        paths = sorted((BAD / stage).glob("*.toml"))
        if not paths:
            raise ValueError(f"no examples in {BAD / stage}")
        found += [Case.read(path) for path in paths]
    return found


def holds(case: Case, error: ReleaseError) -> None:
    """Assert that ``error`` is what the case expects, and that people can act on it."""
    text = str(error)
    assert type(error).__name__ == case.error, text
    missing = [word for word in case.words if word not in text]
    assert not missing, f"{missing} not in:\n{text}"
    if case.code:
        codes = {finding.code for finding in findings(error)}
        assert case.code in codes, f"{case.code} not among {sorted(codes)}:\n{text}"
    assert error.next_step, text
    absent = [word for word in case.next if word not in text]
    assert not absent, f"{absent} not in:\n{text}"
    assert minted(text.encode()) == [], "a token is told"
    # A backend's own traceback may be quoted among the details; the message itself is a sentence.
    assert "Traceback" not in f"{error.what}{error.why}{error.next_step}"


def findings(error: ReleaseError) -> list[Finding]:
    """The findings an error carries, by whatever name."""
    carried = [getattr(error, name, ()) for name in ("errors", "warnings", "findings")]
    return [finding for group in carried for finding in group]
