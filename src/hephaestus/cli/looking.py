"""Where a command looks: the real services, or the stand-ins of the last rehearsal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    from hephaestus.inspection.places import Places
    from hephaestus.release.project import Project

__all__ = ["IndexUnknownError", "NoStandinsError", "indexes_named", "look_at"]


class NoStandinsError(ReleaseError):
    """Raised when a rehearsal is to be looked at whose stand-ins are not running."""

    def __init__(self, *, version: str) -> None:
        super().__init__(
            what=f"the stand-ins of the rehearsal of {version} are not running",
            why="looking starts nothing; they end by themselves when nobody has asked them anything for a while",
            next_step="`nox -s verify` starts them again with all they hold; then run the same command again",
        )


class IndexUnknownError(ReleaseError):
    """Raised when an index is named that this project is not released on."""

    def __init__(self, *, given: str, known: Sequence[str]) -> None:
        super().__init__(
            what=f"--index {given[:80]}: no such index",
            why="an index is named as the configuration names it",
            next_step=f"name one of {', '.join(known)}",
        )


def indexes_named(names: Sequence[str], places: Places) -> tuple[str, ...]:
    """The indexes of those names, all when none is given; raises IndexUnknownError."""
    for name in names:
        if name not in places.indexes:
            raise IndexUnknownError(given=name, known=sorted(places.indexes))
    return tuple(dict.fromkeys(names)) or tuple(places.indexes)


def look_at(project: Project, *, rehearsal: bool, environ: Mapping[str, str]) -> Places:
    """The places to look at; raises NoStandinsError, AddressesRefusedError."""
    from hephaestus.inspection.places import published, rehearsed
    from hephaestus.release.root import ReleaseRoot

    if not rehearsal:
        return published(project, environ=environ)
    root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=True)
    places = rehearsed(project, root, environ=environ)
    if places is None:
        raise NoStandinsError(version=project.version)
    return places
