"""Mistakes in the configuration: collected, found in the text, and told all at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hephaestus.release.errors import ReleaseError

__all__ = ["ConfigurationError", "Mistake", "Mistakes", "line_of"]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One setting that is not understood: its dotted ``field`` and the ``problem``, which reads on from it."""

    field: str
    problem: str
    details: tuple[str, ...] = ()


class ConfigurationError(ReleaseError):
    """Raised when fields of the configuration are unknown, of the wrong type, or out of their values: all of them.

    ``text`` is the pyproject.toml they stand in, where it is known: then each is told with its line.
    """

    def __init__(self, mistakes: Sequence[Mistake], *, text: str = "") -> None:
        self.mistakes = tuple(mistakes)
        lines = [line_of(mistake.field, text) for mistake in mistakes]
        why = "a setting that is not understood would be a setting that is ignored"
        if len(mistakes) == 1:
            one, line = mistakes[0], f", line {lines[0]}" if lines[0] else ""
            super().__init__(
                what=f"pyproject.toml{line}: {one.field} {one.problem}",
                why=why,
                details=one.details,
                next_step=f"correct or remove {one.field}; docs/stages.md lists every field",
            )
            return
        super().__init__(
            what=f"pyproject.toml: {len(mistakes)} settings are not understood",
            why=why,
            details=[
                f"{f'line {line}: ' if line else ''}{mistake.field} {mistake.problem}"
                f"{': ' if mistake.details else ''}{'; '.join(mistake.details)}"
                for mistake, line in zip(mistakes, lines, strict=True)
            ],
            next_step="correct or remove each of them; docs/stages.md lists every field",
        )


@dataclass(kw_only=True)
class Mistakes:
    """What is wrong so far. A field is told once: what follows from its first mistake is none of its own."""

    found: list[Mistake] = field(default_factory=list)

    def add(self, field: str, problem: str, *, details: Sequence[str] = ()) -> None:
        """Note a mistake, unless the field has one."""
        if not self.of(field):
            self.found.append(Mistake(field=field, problem=problem, details=tuple(details)))

    def of(self, field: str) -> bool:
        """Whether that field has a mistake."""
        return any(mistake.field == field for mistake in self.found)


def line_of(field: str, text: str) -> int | None:
    """The line (from 1) of the TOML document ``text`` at which the dotted ``field`` begins.

    Of a field that is missing, the line of the innermost table that is there; None where no line can be told. TOML's
    own reader is asked: the field begins where a document that is cut off after that line first has it.
    """
    lines = text.splitlines(keepends=True)
    keys = field.split(".")
    while keys and (not lines or not _has(text, keys)):
        keys.pop()
    for number, line in enumerate(lines if keys else ()):
        if keys[-1] in line and _has("".join(lines[:number]), keys) is False:
            ends = range(number + 1, len(lines) + 1)
            there = next((has for end in ends if (has := _has("".join(lines[:end]), keys)) is not None), None)
            if there:
                return number + 1
    return None


def _has(text: str, keys: Sequence[str]) -> bool | None:
    """Whether a TOML document holds the keys one within the other; None where it is no document."""
    try:
        value: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True
