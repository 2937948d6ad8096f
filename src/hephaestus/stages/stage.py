"""What a stage is: inputs, gates, an act. The runner does the rest, once, for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hephaestus.release.directory import ReleaseDirectory, Staging
from hephaestus.release.errors import Finding
from hephaestus.release.project import Project
from hephaestus.release.source import Source
from hephaestus.toolchain.environment import Environment
from hephaestus.worlds.world import World

__all__ = ["Context", "Evidence", "Inputs", "Narrator", "Options", "Stage"]


class Narrator(Protocol):
    """How a stage tells people what it is doing; implemented by the report."""

    def step(self, text: str) -> None:
        """One step of the stage, a few words."""

    def command(self, text: str) -> None:
        """A tool command as it is run, ready to be repeated by hand."""

    def warn(self, text: str) -> None:
        """Something that does not stop the stage but should be read."""

    def progress(self, done: int, total: int, unit: str) -> None:
        """How far long work has come: bytes for transfers, files for the rest."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked for on the command line, after ``--``; the same for every stage of a run.

    ``redo`` holds names of stages, or ``*`` for all; ``prebuilt`` is a folder of wheels to adopt; ``tag`` overrides
    the assumed one.
    """

    redo: frozenset[str] = frozenset()
    prebuilt: Path | None = None
    tag: str = ""
    keep_work: bool = False

    def forces(self, stage: str) -> bool:
        """Whether ``stage`` is to run although nothing changed."""
        return bool(self.redo & {stage, "*"})


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything one stage works with. ``work`` is a temporary folder outside the project, gone afterwards."""

    project: Project
    world: World
    directory: ReleaseDirectory
    environment: Environment
    narrator: Narrator
    options: Options
    work: Path
    source: Source | None = None


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a stage's key is made of: files of the release directory with their digests, and settings as JSON data."""

    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What an act proved: JSON data for the receipt, versions of the tools used, findings that are only warnings."""

    data: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[Finding] = ()


class Stage(ABC):
    """One named session of the chain.

    ``name`` is the session's, ``lock`` names the toolchain lock of its environment, ``retry`` is the command that
    runs it again.
    """

    name: str
    lock: str

    @property
    def retry(self) -> str:
        """The command which runs this stage, and only what it still lacks."""
        return f"nox -s {self.name}"

    @abstractmethod
    def inputs(self, context: Context) -> Inputs:
        """What the key is made of; says nothing about whether it suffices (the gates do)."""

    @abstractmethod
    def gates(self, context: Context) -> list[Finding]:
        """Every reason not to act, all at once; empty when there is none. Changes and sends nothing."""

    @abstractmethod
    def act(self, context: Context, staging: Staging) -> Evidence:
        """Do the work; outputs go into ``staging``. Raises ReleaseError; may be run again after any interruption."""

    def exempt(self, context: Context) -> str:
        """Why policy leaves this stage nothing to do for this release, or an empty string."""
        del context
        return ""

    def confirm(self, context: Context) -> str:
        """Why a receipt with the right key does not count after all (the outside says otherwise), or ""."""
        del context
        return ""
