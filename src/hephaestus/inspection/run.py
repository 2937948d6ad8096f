"""The run a plan is of: where it would go, with which options, and the command that starts it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.directory import STAGES
from hephaestus.release.errors import ReleaseError
from hephaestus.stages.stage import Options
from hephaestus.worlds.private import PrivateTarget

__all__ = ["Run", "RunRefusedError"]


class RunRefusedError(ReleaseError):
    """Raised when options are named with which no run would begin."""

    def __init__(self, *, problems: Sequence[str]) -> None:
        super().__init__(
            what=f"no run would begin so: {problems[0]}",
            why="a plan is of a run that could be started; its options are those of `nox -s release -- --help`",
            details=problems[1:],
            next_step="correct or leave out what is named",
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the whole chain. ``folder`` is what was typed for ``options.prebuilt``."""

    publish: bool = False
    target: PrivateTarget | None = None
    options: Options = field(default_factory=Options)
    keep_world: bool = False
    folder: str = ""

    @classmethod
    def read(
        cls,
        *,
        publish: bool,
        target: PrivateTarget | None,
        redo: Sequence[str],
        tag: str,
        prebuilt: str,
        keep_world: bool,
        here: Path,
    ) -> Run:
        """Understand what may change a run, as nox would; relative paths are below ``here``. Raises RunRefusedError."""
        problems = [
            f"--redo {stage[:80]}: no such stage; the stages are {', '.join(STAGES)}, and * is all of them"
            for stage in redo
            if stage not in (*STAGES, "*")
        ]
        folder = here / prebuilt if prebuilt else None
        if folder is not None and not folder.is_dir():
            problems.append(f"--from {prebuilt}: no such folder")
        if keep_world and publish:
            problems.append("--keep-world belongs to a rehearsal; it cannot be published")
        if problems:
            raise RunRefusedError(problems=problems)
        options = Options(redo=frozenset(redo), prebuilt=folder, tag=tag)
        return cls(publish=publish, target=target, options=options, keep_world=keep_world, folder=prebuilt)

    @property
    def label(self) -> str:
        """The label of the world it would act in."""
        return self.target.label if self.target is not None else "publish" if self.publish else "rehearsal"

    @property
    def command(self) -> str:
        """What starts it."""
        words = ["--publish"] if self.publish else []
        words += ["--index", self.target.name] if self.target is not None else []
        words += ["--redo" if stage == "*" else f"--redo={stage}" for stage in sorted(self.options.redo)]
        words += [f"--from={self.folder}"] if self.folder else []
        words += [f"--tag={self.options.tag}"] if self.options.tag else []
        words += ["--keep-world"] if self.keep_world else []
        return shlex.join(["nox", "-s", "release", *(["--", *words] if words else [])])
