"""Where a command looks: the real services, a private index, or the stand-ins of the last rehearsal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    from hephaestus.inspection.places import Places
    from hephaestus.release.directory import ReleaseDirectory
    from hephaestus.release.project import Project
    from hephaestus.worlds.private import PrivateTarget

__all__ = [
    "IndexUnknownError",
    "IndexWithoutPublishError",
    "IndexesMixedError",
    "NoStandinsError",
    "ReceiptsTrackedError",
    "indexes_named",
    "look_at",
    "release_target",
]


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


class IndexWithoutPublishError(ReleaseError):
    """Raised when a private index is named without --publish: a rehearsal goes to stand-ins, whatever is named."""

    def __init__(self, *, index: str) -> None:
        super().__init__(
            what=f"--index {index[:80]} names where a publish goes; it needs --publish",
            why="a rehearsal knows the stand-ins of PyPI and Test PyPI only",
            next_step="add --publish, or leave --index out",
        )


class IndexesMixedError(ReleaseError):
    """Raised when a private index is named together with another index, or with the stand-ins of a rehearsal."""

    def __init__(self, *, index: str, others: str) -> None:
        super().__init__(
            what=f"--index {index} cannot be looked at together with {others}",
            why="what a private index holds is another release, of which nobody else is told anything",
            next_step="ask about each by a command of its own",
        )


class ReceiptsTrackedError(ReleaseError):
    """Raised when nothing but receipts that git tracks says which private index is meant."""

    def __init__(self, *, index: str, folder: str) -> None:
        super().__init__(
            what=f"whether the release of {index} is meant, only receipts say that came with the clone",
            why=f"{folder}/ is in git: who wrote there would choose the address that is sent your token",
            next_step=f"add `--index {index}`, or `--index pypi` for the public indexes; take {folder}/ out of git",
        )


def release_target(
    project: Project, directory: ReleaseDirectory, *, index: str, published: bool, environ: Mapping[str, str]
) -> PrivateTarget | None:
    """The private index whose release is meant; None for the public ones, and for a rehearsal.

    The one named, else that of HEPHAESTUS_INDEX as for nox, else the one that every receipt here is of: to ask PyPI
    about a project that was released on a private index would tell its name. A public index names them all. Raises
    IndexWithoutPublishError, UnknownIndexError, ReceiptError, ReceiptsTrackedError.
    """
    from hephaestus.release.indexes import PUBLIC_INDEXES
    from hephaestus.release.repository import Repository
    from hephaestus.worlds.private import INDEX_VARIABLE, private_target

    if index and not published:
        raise IndexWithoutPublishError(index=index)
    if index in PUBLIC_INDEXES or not published:
        return None
    if named := index or environ.get(INDEX_VARIABLE, ""):
        return private_target(project, named)
    labels = {receipt.world for receipt in directory.receipts().values()}
    found = [private_target(project, name) for name in project.config.indexes]
    target = next((target for target in found if labels == {target.label}), None)
    if target is not None and Repository(root=project.root).present(project.config.directory):
        raise ReceiptsTrackedError(index=target.name, folder=project.config.directory)
    return target


def indexes_named(names: Sequence[str], places: Places, *, configured: Sequence[str] = ()) -> tuple[str, ...]:
    """The indexes of those names, all when none is given; raises IndexUnknownError.

    ``configured`` are the private ones that could have been named too.
    """
    for name in names:
        if name not in places.indexes:
            raise IndexUnknownError(given=name, known=[*sorted(places.indexes), *sorted(configured)])
    return tuple(dict.fromkeys(names)) or tuple(places.indexes)


def look_at(project: Project, *, rehearsal: bool, environ: Mapping[str, str], names: Sequence[str] = ()) -> Places:
    """The places to look at; a private index where ``names`` has one.

    Raises NoStandinsError, AddressesRefusedError, IndexesMixedError, IndexTokenError.
    """
    from hephaestus.inspection.places import private, published, rehearsed
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.worlds.private import private_target

    if named := next((name for name in names if name in project.config.indexes), ""):
        if others := [name for name in names if name != named]:
            raise IndexesMixedError(index=named, others=", ".join(others))
        if rehearsal:
            raise IndexesMixedError(index=named, others="the stand-ins of a rehearsal (--rehearsal)")
        return private(project, private_target(project, named), environ=environ)
    if not rehearsal:
        return published(project, environ=environ)
    root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=True)
    places = rehearsed(project, root, environ=environ)
    if places is None:
        raise NoStandinsError(version=project.version)
    return places
