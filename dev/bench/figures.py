"""Figures: pairs measured side by side, their ratios, the goal each is held to; as text and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dev.bench.usage import Usage, anchor

__all__ = ["Figure", "Spread", "interleaved", "ratio_figure", "table"]

#: Beyond this the machine changed its speed within a batch (facts: performance, section 12): said beside the figure.
STEADY = 0.10


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Least, median and most of some rounds."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of ``values``; raises ValueError when there are none."""
        if not values:
            raise ValueError("no round was measured")
        return cls(least=min(values), median=statistics.median(values), most=max(values))

    def data(self) -> list[float]:
        """For JSON, to a tenth of a millisecond."""
        return [round(value, 4) for value in (self.least, self.median, self.most)]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table. ``value`` is held against ``goal`` (None: none was set) by its median.

    ``unit`` is ``x`` for a ratio of CPU seconds; ``parts`` has the CPU seconds of each side; ``commands`` the exact
    commands that were compared, by side.
    """

    name: str
    value: Spread
    unit: str = "x"
    goal: float | None = None
    rounds: int = 1
    parts: Mapping[str, Spread] = field(default_factory=dict)
    anchor: Spread | None = None
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median is within the goal; None where there is no goal."""
        return None if self.goal is None else self.value.median <= self.goal

    @property
    def unsteady(self) -> bool:
        """Whether the machine changed its speed while this was measured."""
        return self.anchor is not None and self.anchor.most > self.anchor.least * (1 + STEADY)

    def data(self) -> dict[str, Any]:
        """For JSON: spreads as [least, median, most]."""
        return {
            "name": self.name,
            "value": self.value.data(),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
            "rounds": self.rounds,
            "parts": {side: spread.data() for side, spread in self.parts.items()},
            "anchor": self.anchor.data() if self.anchor else None,
            "unsteady": self.unsteady,
            "commands": {side: list(lines) for side, lines in self.commands.items()},
            "note": self.note,
        }


def interleaved(
    sides: Mapping[str, Callable[[int], Usage]], *, rounds: int, said: Callable[[str], None] = lambda _line: None
) -> tuple[dict[str, list[Usage]], Spread]:
    """Run every side once per round, in turn, with the anchor loop first in each; sides get the round's number.

    Which side goes first changes from round to round, so that neither always follows the other.
    """
    used: dict[str, list[Usage]] = {side: [] for side in sides}
    anchors = []
    for number in range(rounds):
        anchors.append(anchor())
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for side in order:
            usage = sides[side](number)
            used[side].append(usage)
            said(f"round {number + 1}/{rounds}, {side}: {usage.cpu:.2f} s CPU, {usage.wall:.2f} s wall")
    return used, Spread.of(anchors)


def ratio_figure(
    name: str,
    used: Mapping[str, Sequence[Usage]],
    *,
    over: tuple[str, str],
    goal: float | None,
    anchors: Spread | None = None,
    commands: Mapping[str, Sequence[str]] | None = None,
    note: str = "",
) -> Figure:
    """CPU of side ``over[0]`` divided by that of ``over[1]``, round by round. Raises ZeroDivisionError, ValueError."""
    above, below = (used[side] for side in over)
    ratios = [one.cpu / other.cpu for one, other in zip(above, below, strict=True)]
    return Figure(
        name=name,
        value=Spread.of(ratios),
        goal=goal,
        rounds=len(ratios),
        parts={side: Spread.of([usage.cpu for usage in used[side]]) for side in over},
        anchor=anchors,
        commands=commands or {},
        note=note,
    )


def table(figures: Sequence[Figure]) -> str:
    """The table as people read it: a line a figure, its goal, and whether it is met - by the median."""
    lines = [f"  {'figure':<46} {'median':>8}  {'min - max':<15} {'n':>2}  {'goal':<7} met"]
    for figure in figures:
        value, unit = figure.value, figure.unit
        spread = f"{value.least:.2f} - {value.most:.2f}"
        goal = f"{figure.goal:g} {unit}" if figure.goal is not None else "-"
        met = {True: "met", False: "NOT MET", None: "-"}[figure.met]
        shown = f"{value.median:.2f} {unit}"
        lines.append(f"  {figure.name:<46} {shown:>8}  {spread:<15} {figure.rounds:>2}  {goal:<7} {met}")
        for side, part in figure.parts.items():
            lines.append(f"      {part.median:8.3f} s CPU  ({part.least:.3f} - {part.most:.3f})  {side}")
        if figure.note:
            lines.append(f"      {figure.note}")
        if figure.unsteady and figure.anchor:
            anchors = f"{figure.anchor.least:.3f} - {figure.anchor.most:.3f} s"
            lines.append(f"      the machine's speed moved meanwhile: anchor {anchors}")
    return "\n".join(lines) + "\n"
