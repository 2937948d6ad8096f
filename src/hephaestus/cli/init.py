"""``hephaestus init``: make this project one that releases itself with the suite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    from hephaestus.release.project import Project
    from hephaestus.release.starter import Proposal

__all__ = ["init"]


class RepositoryUnknownError(ReleaseError):
    """Raised when nothing says which repository on GitHub the project is in."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what=f"the project's repository on GitHub is not known: {problem}",
            why="it is part of the identity under which a release is signed and uploaded",
            next_step="hephaestus init --repository OWNER/NAME",
        )


class LeftAsTheyAreError(ReleaseError):
    """Raised at the end when files exist that would have to change; the others are written."""

    def __init__(self, *, paths: list[str]) -> None:
        forced = " ".join(f"--force {path}" for path in paths)
        super().__init__(
            what=f"left as they are: {', '.join(paths)}",
            why="somebody wrote them; the diffs above show what the suite would have there",
            next_step=f"carry over by hand what you want of it, or: hephaestus init {forced}",
        )


class NothingToForceError(ReleaseError):
    """Raised for ``--force`` with a file that init does not write."""

    def __init__(self, *, path: str, known: list[str]) -> None:
        super().__init__(
            what=f"--force {path}: init writes no such file; nothing was written",
            why=f"the files are {', '.join(known)}",
            next_step="hephaestus init --dry-run",
        )


def init(
    *,
    repository: Annotated[
        str, typer.Option("--repository", metavar="OWNER/NAME", help="On GitHub; default: from the git remote.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
    force: Annotated[
        list[str] | None,
        typer.Option("--force", metavar="FILE", help="Write this file although it exists; repeatable."),
    ] = None,
) -> None:
    """Write noxfile call, configuration and workflow; what exists is never overwritten unless forced by name.

    Exit code 1 while a file is left that would have to change.
    """
    from hephaestus import __version__
    from hephaestus.diagnosis.clone import git_says
    from hephaestus.release.files import write_bytes
    from hephaestus.release.project import read_project
    from hephaestus.release.starter import LOCK, LOCK_COMMAND, proposals
    from hephaestus.release.versions import occurrences

    with refusing():
        root = Path.cwd()
        project = read_project(root, newest=True)
        # GitHub reads workflows at the top of a repository only, wherever in it the package is.
        top = Path(git_says(root, "rev-parse", "--show-toplevel") or root)
        where = _repository(project, repository)
        found = proposals(project, repository=where, suite=__version__, top=top)
        if unknown := [path for path in force or () if path not in {proposal.path for proposal in found}]:
            raise NothingToForceError(path=unknown[0], known=[proposal.path for proposal in found])
        decided = [(one, not one.same and (one.safe or one.path in (force or ()))) for one in found]
        places = occurrences(
            root,
            package=project.file_name,
            version_files=project.config.version_files,
            origin=project.version_source.occurrences(root),
        )
        # All files before the first word: a reader that closes the pipe (`| head`) must not leave half of them.
        for proposal, writes in decided:
            if writes and not dry_run:
                write_bytes(top / proposal.path, proposal.after.encode())
        tagged = project.version_source.tagged
        shown = project.name if tagged else f"{project.name} {project.version}"
        typer.echo(f"{shown}, {project.backend}, github.com/{where}")
        said = ", ".join(place.place for place in places)
        where_from = f"that of the commit's tag ({project.version_source.setting})" if tagged else f"in {said}"
        typer.echo(f"  the version is {where_from}")
        for proposal, writes in decided:
            _tell(proposal, writes=writes)
        left = [proposal.path for proposal, writes in decided if not proposal.same and not writes]
        if left:
            raise LeftAsTheyAreError(paths=left)
    if dry_run:
        typer.echo("nothing was written: --dry-run; next: hephaestus init")
    elif not (top / LOCK).is_file():
        there = "" if root.samefile(top) else f"cd {os.path.relpath(top)} && "
        typer.echo(f"next, to lock the suite and all it needs for the workflow's jobs:\n  {there}{LOCK_COMMAND}")
    else:
        typer.echo("next: commit these files, then rehearse: nox -s release")


def _repository(project: Project, given: str) -> str:
    import re

    from hephaestus.diagnosis.clone import github_repositories

    if given:
        if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", given):
            raise RepositoryUnknownError(problem=f"{given!r} is not OWNER/NAME")
        return given
    if project.config.repository:
        return project.config.repository
    remotes = github_repositories(project.root) or {}
    names = set(remotes.values())
    if "origin" in remotes or len(names) == 1:
        return remotes.get("origin") or names.pop()
    if not project.repository_assumed:
        return project.repository
    problem = f"remotes lead to {', '.join(sorted(names))}" if names else "no remote and no project URL leads to GitHub"
    raise RepositoryUnknownError(problem=problem)


def _tell(proposal: Proposal, *, writes: bool) -> None:
    if proposal.same:
        typer.echo(f"  as it should be  {proposal.path}")
        return
    mark = "new" if proposal.new else "added to" if proposal.adds else "replaced" if writes else "differs"
    typer.echo(f"  {mark:<15}  {proposal.path}")
    if not proposal.new:
        typer.echo(proposal.diff())
