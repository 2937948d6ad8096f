"""Opening the world a run acts in: the release root, the directory of this source, the stand-ins behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import Source
from hephaestus.worlds.world import Reproducibility, TestPyPIPolicy, World

__all__ = ["IDLE_VARIABLE", "IdleTimeError", "NothingBuiltError", "Opened", "open_rehearsal", "release_root"]

#: How many seconds the stand-ins outlive the last request; for tests and small machines.
IDLE_VARIABLE = "HEPHAESTUS_STANDINS_IDLE"
_IDLE_SECONDS = 600.0
_LONGEST_IDLE = 86_400.0


class IdleTimeError(ReleaseError):
    """Raised when HEPHAESTUS_STANDINS_IDLE is no number of seconds from 1 to a day."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            what=f"{IDLE_VARIABLE} is {given!r}",
            why=f"it is how many seconds the stand-ins outlive the last request: from 1 to {_LONGEST_IDLE:.0f}",
            next_step=f"unset it ({_IDLE_SECONDS:.0f} s are waited then), or give a number of seconds",
        )


class NothingBuiltError(ReleaseError):
    """Raised when a stage is asked to act on a version that has never been built here."""

    def __init__(self, *, version: str, directory: str) -> None:
        super().__init__(
            what=f"{version} has not been built: there is no {directory}/",
            why="a stage never makes its own inputs; build opens the release",
            next_step="`nox -s build`, or `nox -s release` for the whole chain",
        )


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Where a stage acts: its world and the release directory."""

    world: World
    directory: ReleaseDirectory


def release_root(project: Project, *, rehearsal: bool) -> ReleaseRoot:
    """The project's release folder, made and marked; raises UnmarkedFolderError, NotWritableError."""
    root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=rehearsal)
    root.prepare()
    return root


def open_rehearsal(
    project: Project,
    root: ReleaseRoot,
    *,
    source: Source | None,
    keep_world: bool,
    environ: Mapping[str, str],
    faults: Sequence[str],
    run: str,
) -> Opened:
    """The world of stand-ins for this project; the caller holds the release's lock.

    ``source`` is given by build alone: another source than last time opens another world, unless ``keep_world``.
    ``faults`` are armed once per ``run``. Raises NothingBuiltError and what starting the stand-ins raises.
    """
    from hephaestus.standins.services import Configuration
    from hephaestus.toolchain.locks import read_lock
    from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment
    from hephaestus.worlds.children import installer
    from hephaestus.worlds.hosting import ensure_host
    from hephaestus.worlds.rehearsal import REHEARSAL_POLICY, rehearsal_world

    version = project.version
    known = root.pointer(version)
    if source is not None and not (keep_world and known):
        root.open_world(version, source.digest, commit=source.commit)
        known = root.pointer(version)
    directory = root.directory(version)
    if not known:
        raise NothingBuiltError(version=version, directory=directory.path.relative_to(project.root).as_posix())
    directory.path.mkdir(parents=True, exist_ok=True)
    environments = {"testpypi": "testpypi", "pypi": "pypi"}
    cache = cache_folder(environ)
    host = ensure_host(
        root.standins(str(known["source"])),
        python=lambda: cached_environment(read_lock("standins"), env=installer(environ), cache=cache),
        configuration=Configuration(
            project=project.normalized,
            repository=project.repository,
            workflow=project.config.workflow,
            environments=environments,
        ),
        cache=cache,
        environ=environ,
        idle_seconds=_idle_seconds(environ),
        faults=faults,
        run=run,
    )
    world = rehearsal_world(
        version=version,
        commit=str(known.get("commit", "")),
        repository=project.repository,
        workflow=project.config.workflow,
        environments=environments,
        host=host,
        environ=environ,
        policy=replace(
            REHEARSAL_POLICY,
            testpypi=TestPyPIPolicy(project.config.testpypi),
            prerelease_to_pypi=project.config.prerelease_to_pypi,
            reproducible=Reproducibility(project.config.build.reproducible),
        ),
    )
    return Opened(world=world, directory=directory)


def _idle_seconds(environ: Mapping[str, str]) -> float:
    given = environ.get(IDLE_VARIABLE, "")
    if not given:
        return _IDLE_SECONDS
    try:
        seconds = float(given)
    except ValueError as error:
        raise IdleTimeError(given=given) from error
    if not 1 <= seconds <= _LONGEST_IDLE:
        raise IdleTimeError(given=given)
    return seconds
