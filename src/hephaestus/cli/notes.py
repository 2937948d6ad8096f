"""``hephaestus release notes``: what a version brings, as the notes of its release will tell it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.release.errors import ReleaseError

__all__ = ["notes"]


class NothingToTellError(ReleaseError):
    """Raised when neither changelog nor commits say anything about a version."""

    def __init__(self, *, version: str, trouble: str) -> None:
        super().__init__(
            what=f"nothing is known about {version}: {trouble}",
            why="its release notes would name the files only",
            next_step="write its section into CHANGELOG.md, or fetch the history: git fetch --unshallow --tags",
        )


class VersionUnreadableError(ReleaseError):
    """Raised for a ``--version`` that PEP 440 does not know."""

    def __init__(self, *, version: str) -> None:
        super().__init__(
            what=f"{version!r} is no version",
            why="versions are read as PEP 440 has them",
            next_step="say it as X.Y.Z, X.Y.ZrcN ...; without --version it is the project's own",
        )


def notes(
    *,
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Another version than the project's own.")
    ] = "",
) -> None:
    """Print what changed since the last stable version: from CHANGELOG.md, or from the commits."""
    from packaging.version import InvalidVersion, Version

    from hephaestus.release.changes import changes_since_stable
    from hephaestus.release.project import read_project

    with refusing():
        project = read_project(Path.cwd(), newest=bool(version))
        try:
            wanted = str(Version(version)) if version else project.version
        except InvalidVersion as error:
            raise VersionUnreadableError(version=version) from error
        changes = changes_since_stable(project, version=wanted)
        if not changes.text:
            raise NothingToTellError(version=wanted, trouble=changes.trouble)
    # As it stands: not for a terminal to wrap, and UTF-8 whatever the terminal's own encoding.
    sys.stdout.buffer.write(f"{changes.text}\n".encode("utf-8", "replace"))
