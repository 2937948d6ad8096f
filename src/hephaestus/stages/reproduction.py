"""Reproduction: the second build under other conditions, held against the first one file by file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.comparison import compare_archives
from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.stages.frontend import Built
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import Reproducibility

__all__ = ["NotReproducibleError", "Verdict", "age", "demand", "later_tick", "verdict"]

#: Backends whose wheels and sdists come out the same under any umask, path, time zone and file time, given
#: SOURCE_DATE_EPOCH (measured: facts on reproducible builds, section 1). All others are reported only.
_REQUIRED = (
    "flit.buildapi",
    "flit_core.buildapi",
    "hatchling.build",
    "hatchling.ouroboros",
    "mesonpy",
    "poetry.core.masonry.api",
    "scikit_build_core.build",
    "uv_build",
)

#: How many differences of one file are shown; the receipt keeps as many.
SHOWN = 20

_MODE = re.compile(r": mode [0-7]{4} / [0-7]{4}\Z")
_SAME_UMASK = (
    "build it under one umask wherever it is built (GitHub's runners have 022), and its bytes are the same; "
    "a backend that writes fixed modes needs no such care"
)
_INDEPENDENT = (
    "make the build independent of time, umask, path and time zone: a release that breaks off can be completed only "
    "with the same bytes"
)


class NotReproducibleError(ReleaseError):
    """Raised when two builds of one commit differ although they must not; names the differing members."""

    def __init__(self, *, differences: Mapping[str, Sequence[str]], backend: str) -> None:
        self.differences = differences
        super().__init__(
            what=f"two builds of the same source differ in {', '.join(sorted(differences))}",
            why="bytes that cannot be made again cannot be checked by anybody, nor a half-finished release be resumed",
            details=[f"{name}: {line}" for name, lines in sorted(differences.items()) for line in lines],
            next_step=f"make the build of {backend} independent of time, umask, path and time zone; or set "
            '`[tool.hephaestus.release.build] reproducible = "report"` to have it recorded only',
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What holding two builds together said: ``same`` per file name, ``differences`` as lines per file name."""

    same: Mapping[str, bool] = field(default_factory=dict)
    differences: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def warnings(self) -> list[Finding]:
        """One warning per differing file."""
        return [
            Finding(
                code="not-reproducible",
                subject=name,
                message=f"a second build differs: {'; '.join(lines[:3])}{' ...' if len(lines) > 3 else ''}",
                remedy=_SAME_UMASK if all(map(_MODE.search, lines)) else _INDEPENDENT,
                severity=Severity.WARNING,
            )
            for name, lines in sorted(self.differences.items())
        ]


def demand(context: Context) -> Reproducibility:
    """REQUIRE, REPORT or OFF: the policy's word, else the configuration's, else by the project's backend."""
    asked = context.world.policy.reproducible
    if asked == Reproducibility.AUTO:
        asked = Reproducibility(context.project.config.build.reproducible)
    if asked != Reproducibility.AUTO:
        return asked
    return Reproducibility.REQUIRE if context.project.backend in _REQUIRED else Reproducibility.REPORT


def verdict(first: Built, second: Built) -> Verdict:
    """Hold two builds together, file by file; a file that only one of them wrote differs."""
    ours = {path.name: path for path in first.files}
    theirs = {path.name: path for path in second.files}
    differences: dict[str, list[str]] = {}
    for name in sorted(set(ours) | set(theirs)):
        if name not in ours or name not in theirs:
            differences[name] = [f"written by the {'first' if name in ours else 'second'} build only"]
            continue
        found = [difference.line() for difference in compare_archives(ours[name], theirs[name])]
        if found:
            more = [f"... and {len(found) - SHOWN} more differences"] if len(found) > SHOWN else []
            differences[name] = found[:SHOWN] + more
    return Verdict(same={name: name not in differences for name in ours}, differences=differences)


def age(folder: Path, *, epoch: int) -> None:
    """Give every file other times and the modes of a clone made under umask 077: none may enter a build."""
    for path in [folder, *sorted(folder.rglob("*"))]:
        if path.is_symlink():
            continue
        path.chmod(path.stat().st_mode & 0o700)
        moment = epoch + 40 * 86_400 + len(path.name)
        os.utime(path, (moment, moment))


def later_tick(now: float) -> float:
    """The first moment whose stamp differs from any made until ``now``, both in seconds since 1970.

    gzip (RFC 1952) and tar count whole seconds, zip counts pairs of them (APPNOTE 4.4.6). Two quick builds within one
    tick agree about the time by luck, and a build made again on another day does not.
    """
    return 2.0 * (now // 2.0 + 1.0)
