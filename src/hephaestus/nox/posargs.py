"""One grammar of what may stand after ``--``: nox hands it to every session of a run (facts: nox, fact 6)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hephaestus.release.boundary import BoundaryFault
from hephaestus.release.directory import STAGES
from hephaestus.release.errors import ReleaseError
from hephaestus.stages.stage import Options

__all__ = ["HelpAsked", "PublishVariableError", "Request", "UsageError", "parse"]


class UsageError(ReleaseError):
    """Raised when the words after ``--`` cannot be understood; nothing has been started."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what=f"after `--`: {problem}",
            why="one grammar serves all stages, so that a chain and a single stage are asked in the same words",
            next_step="`nox -s release -- --help` lists what may stand there",
        )


class PublishVariableError(ReleaseError):
    """Raised for an HEPHAESTUS_PUBLISH that is neither a yes nor a no; nothing has been started."""

    def __init__(self, *, value: str) -> None:
        super().__init__(
            what=f"HEPHAESTUS_PUBLISH is {value!r}",
            why="1 publishes, 0 or nothing rehearses; a job that meant 1 would end green with nothing published",
            next_step="set it to 1, or unset it",
        )


class HelpAsked(Exception):
    """Raised for ``--help``; carries the text."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked for: ``faults`` go to the stand-ins, ``boundary`` to this process.

    ``index`` names the private index of a publish; empty where it goes to the public ones.
    """

    options: Options
    publish: bool = False
    index: str = ""
    keep_world: bool = False
    faults: tuple[str, ...] = ()
    boundary: BoundaryFault | None = None


class _Parser(argparse.ArgumentParser):
    color: bool  # argparse's own from Python 3.14 on

    def error(self, message: str) -> NoReturn:
        raise UsageError(problem=message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        del status
        raise HelpAsked(message or "")

    def print_help(self, file: object = None) -> None:
        del file
        raise HelpAsked(self.format_help())


def parse(words: Sequence[str], *, environ: Mapping[str, str], invoked_from: Path) -> Request:
    """Read the words after ``--``; raises UsageError, HelpAsked. Relative paths are below ``invoked_from``."""
    given = _parser().parse_args(list(words))
    for stage in given.redo:
        if stage not in {*STAGES, "*"}:
            raise UsageError(problem=f"--redo={stage}: no such stage; the stages are {', '.join(STAGES)}")
    variable = environ.get("HEPHAESTUS_PUBLISH", "")
    if variable not in ("", "0", "1"):
        # Rehearsed all the same, a job that says `true` would end green with nothing published.
        raise PublishVariableError(value=variable)
    publish = given.publish or variable == "1"
    if given.index is not None and not given.index:
        raise UsageError(problem="--index takes the name of a configured index")
    if given.index and not publish:
        raise UsageError(problem=f"--index {given.index} says where a publish goes; it needs --publish")
    # The variable alone starts nothing: a rehearsal goes to stand-ins, whatever a shell's profile sets.
    index = given.index or (environ.get("HEPHAESTUS_INDEX", "") if publish else "")
    boundary, faults = _faults(given.fault)
    if publish and (given.fault or given.keep_world):
        raise UsageError(problem="--fault and --keep-world belong to a rehearsal; they cannot be published")
    prebuilt = invoked_from / given.prebuilt if given.prebuilt else None
    if prebuilt is not None and not prebuilt.is_dir():
        raise UsageError(problem=f"--from {given.prebuilt}: no such folder")
    return Request(
        options=Options(
            redo=frozenset(given.redo),
            prebuilt=prebuilt,
            tag=given.tag,
            keep_work=given.keep_work,
        ),
        publish=publish,
        index=index,
        keep_world=given.keep_world,
        faults=faults,
        boundary=boundary,
    )


def _faults(words: Sequence[str]) -> tuple[BoundaryFault | None, tuple[str, ...]]:
    kill_at: int | None = None
    trace: Path | None = None
    others = []
    for word in words:
        kind, _, value = word.partition(":")
        if kind == "kill":
            if not value.isdecimal() or int(value) < 1:
                raise UsageError(problem=f"--fault={word}: kill:N takes the number of a boundary, from 1")
            kill_at = int(value)
        elif kind == "trace":
            if not value:
                raise UsageError(problem=f"--fault={word}: trace:FILE takes a file")
            trace = Path(value)
        else:
            others.append(word)
    armed = BoundaryFault(kill_at=kill_at, trace=trace) if kill_at or trace else None
    return armed, tuple(others)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nox -s STAGE --",
        description="What may stand after `--`, for every stage alike.",
        add_help=True,
        allow_abbrev=False,
    )
    parser.color = False  # it would ask whether stdout is a terminal, and nox's log goes to stderr
    parser.add_argument("--publish", action="store_true", help="act on the real services instead of the stand-ins")
    parser.add_argument(
        "--index", metavar="NAME", help="with --publish: the private index of that name instead of the public ones"
    )
    parser.add_argument(
        "--redo",
        nargs="?",
        const="*",
        default=[],
        action="append",
        metavar="STAGE",
        help="run STAGE (or every stage of this run) although nothing changed",
    )
    parser.add_argument(
        "--from", dest="prebuilt", default="", metavar="DIR", help="adopt the wheels in DIR instead of building one"
    )
    parser.add_argument("--tag", default="", help="the release's tag, where the commit does not carry it yet")
    parser.add_argument(
        "--keep-world",
        action="store_true",
        help="rehearse changed source against the stand-ins of the last one: see the conflict",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="SERVICE:KIND[=VALUE][@N][xT]",
        help="let a stand-in misbehave, e.g. pypi:503@2; kill:N dies at the N-th boundary",
    )
    parser.add_argument(
        "--keep-work", action="store_true", help="keep each stage's temporary folder and say where it is"
    )
    return parser
