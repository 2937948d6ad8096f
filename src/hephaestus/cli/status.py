"""``hephaestus release status``: what the receipts say, and what indexes and GitHub say now."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.release.errors import ReleaseError

__all__ = ["IndexWithoutPublishError", "status"]


class IndexWithoutPublishError(ReleaseError):
    """Raised when a private index is named without --publish: a rehearsal goes to stand-ins, whatever is named."""

    def __init__(self, *, index: str) -> None:
        super().__init__(
            what=f"--index {index[:80]} names where a publish goes; it needs --publish",
            why="a rehearsal knows the stand-ins of PyPI and Test PyPI only",
            next_step="add --publish, or leave --index out",
        )


def status(
    *,
    published: Annotated[bool, typer.Option("--publish", help="The real release instead of the rehearsal.")] = False,
    index: Annotated[
        str, typer.Option("--index", metavar="NAME", help="With --publish: the release to that private index.")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Receipts only; ask nobody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show how this version stands: stages, every file on every index, deadline, GitHub Release, the next command.

    Indexes and GitHub are asked afresh: the real ones with --publish, otherwise the stand-ins of the last
    rehearsal while they live. Starts and changes nothing. Exit code 0 when the question could be answered.
    """
    import os
    from datetime import UTC, datetime
    from pathlib import Path

    from hephaestus.inspection import places as known
    from hephaestus.inspection.manifest import expected_here
    from hephaestus.inspection.standing import ask, next_step
    from hephaestus.release.project import read_project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.report.standing import render_services, services_data
    from hephaestus.report.summary import render, summarize, unfinished
    from hephaestus.worlds.private import private_target

    with refusing():
        project = read_project(Path.cwd())
        root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=not published)
        directory = root.directory(project.version)
        if index and not published:
            raise IndexWithoutPublishError(index=index)
        target = private_target(project, index) if index else None
        world = target.label if target is not None else "publish" if published else "rehearsal"
        told = summarize(project, directory, world=world, target=target)
        if offline or target is not None:
            places = None
        elif published:
            places = known.published(project, environ=os.environ)
        else:
            places = known.rehearsed(project, root, environ=os.environ)
        asked = None
        if places is not None:
            asked = ask(project, places, expected_here(directory, tag=project.tag), now=datetime.now(UTC))
    way_on = "" if asked is None else next_step(project, asked, unfinished=unfinished(told))
    unasked = "" if asked is not None else _unasked(offline=offline, options=target.options if target else "")
    if as_json:
        more = {"asked": services_data(asked), "next": way_on or told["next"]} if asked else {"asked": None}
        typer.echo(json.dumps({**told, **more}, indent=1))
        return
    if asked is not None and not told["commit"]:
        name = f"{told['project']} {told['version']}   {told['world']}"
        typer.echo(f"\n{name}: no receipts here, its stages ran elsewhere or not yet\n")
    else:
        typer.echo(render(told, with_next=asked is None))
    typer.echo(f"  {unasked}\n" if asked is None else render_services(asked, next_step=way_on or told["next"]))


def _unasked(*, offline: bool, options: str) -> str:
    if offline:
        return "(from the receipts alone, as asked)"
    if options:
        return f"(from the receipts alone: `nox -s verify {options}` asks the index)"
    return "(from the receipts alone: the stand-ins of this rehearsal are not running; the next stage starts them)"
