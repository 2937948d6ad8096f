"""Where a command looks: the real services, or the stand-ins of the last rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    from hephaestus.inspection.places import Places
    from hephaestus.release.project import Project

__all__ = ["NoStandinsError", "look_at"]


class NoStandinsError(ReleaseError):
    """Raised when a rehearsal is to be looked at whose stand-ins are not running."""

    def __init__(self, *, version: str) -> None:
        super().__init__(
            what=f"the stand-ins of the rehearsal of {version} are not running",
            why="looking starts nothing; they end by themselves when nobody has asked them anything for a while",
            next_step="`nox -s verify` starts them again with all they hold; then run the same command again",
        )


def look_at(project: Project, *, rehearsal: bool, environ: Mapping[str, str]) -> Places:
    """The places to look at; raises NoStandinsError, AddressesRefusedError."""
    from hephaestus.inspection.places import published, rehearsed
    from hephaestus.release.root import ReleaseRoot

    if not rehearsal:
        return published(project, environ=environ)
    root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=True)
    places = rehearsed(project, root)
    if places is None:
        raise NoStandinsError(version=project.version)
    return places
