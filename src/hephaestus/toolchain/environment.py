"""The Environment a stage works in, whoever makes it: nox for sessions, the cache for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hephaestus.toolchain.process import Completed

__all__ = ["Environment"]


class Environment(Protocol):
    """An isolated environment made from one lock, installed when first used: a stage that skips installs nothing."""

    @property
    def python(self) -> Path:
        """The interpreter."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run a tool of this environment (its scripts come first on PATH); prints the command, records it.

        Raises ToolMissingError, ToolHangsError; a failing exit code is the caller's to judge.
        """

    def work(self, worker: str, request: Mapping[str, Any], *, env: Mapping[str, str]) -> dict[str, Any]:
        """Run ``hephaestus/workers/<worker>.py`` under this Python (``-I``): JSON in, JSON out.

        Raises WorkerError when it does not answer with JSON.
        """
