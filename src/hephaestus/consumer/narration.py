"""How an installation tells what it does; implemented by the report."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Narrator"]


class Narrator(Protocol):
    """Who is told, and shows it or not."""

    def step(self, text: str) -> None:
        """One step, a few words."""

    def command(self, text: str) -> None:
        """A command as it is run, ready to be repeated by hand."""

    def warn(self, text: str) -> None:
        """Something that stops nothing but should be read."""

    def progress(self, done: int, total: int, unit: str) -> None:
        """How far long work has come: bytes for transfers."""
