"""The terminal: what a stage is doing, each command as it is run, how it ended. Quiet where nobody watches."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from hephaestus.release.project import Project
from hephaestus.stages.runner import Outcome
from hephaestus.toolchain.redaction import shown
from hephaestus.worlds.world import World

__all__ = ["Terminal", "human_size"]


def human_size(size: int) -> str:
    """Bytes as people read them: ``512 B``, ``81.2 kB``, ``1.3 GB`` (powers of 1000)."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 1000 or unit == "GB":
            return f"{value:.1f} {unit}"
    return f"{size} B"


class Terminal:
    """A Narrator for one stage: one line that moves on a terminal, plain lines elsewhere."""

    def __init__(self, *, stage: str, stream: TextIO | None = None) -> None:
        self._stage = stage
        self._stream = stream if stream is not None else sys.stderr
        self._alive = self._stream.isatty()
        self._last_progress = 0.0
        self._moving = False

    def began(self, project: Project, world: World) -> None:
        """The stage's first line: what is released, in which world, as whom."""
        assumed = " (assumed)" if world.publisher.assumed else ""
        name = f"{project.name} {project.version}"
        identity = f" as {world.publisher.repository}{assumed}" if world.policy.signed else ""
        self._line(f"{self._stage}: {name}, {world.label}{identity}")

    def step(self, text: str) -> None:
        """One step of the stage."""
        self._line(f"  {text}")

    def command(self, text: str) -> None:
        """A tool command as run."""
        self._line(f"  > {text}")

    def warn(self, text: str) -> None:
        """Something to read that stops nothing."""
        self._line(f"  warning: {text}")

    def progress(self, done: int, total: int, unit: str) -> None:
        """On a terminal a moving count, at most ten times a second; elsewhere nothing."""
        now = time.monotonic()
        if not self._alive or (done < total and now - self._last_progress < 0.1):
            return
        self._last_progress = now
        counted = (human_size(done), human_size(total)) if unit == "bytes" else (str(done), f"{total} {unit}")
        text = " of ".join(counted)
        self._stream.write(f"\r\x1b[K  {self._stage}: {text}")
        self._stream.flush()
        self._moving = True

    def ended(self, outcome: Outcome) -> None:
        """The stage's last line."""
        for warning in outcome.warnings:
            self.warn(warning.line())
        if outcome.state == "done":
            files = len(outcome.receipt.outputs) if outcome.receipt is not None else 0
            made = f", {files} file{'s' if files > 1 else ''}" if files else ""
            self._line(f"  {self._stage}: done in {outcome.seconds:.1f} s{made}")

    def _line(self, text: str) -> None:
        clear = "\r\x1b[K" if self._moving else ""
        self._moving = False
        self._stream.write(f"{clear}{shown(text)}\n")
        self._stream.flush()
