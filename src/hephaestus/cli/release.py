"""``hephaestus release``: how a release of the project in this folder stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing

__all__ = ["release"]

release = typer.Typer(
    name="release", help="A release: how it stands.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@release.callback()
def about() -> None:
    """A release: how it stands."""


@release.command()
def status(
    *,
    published: Annotated[bool, typer.Option("--publish", help="The real release instead of the rehearsal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show what the receipts of this version say: files, services, stages, the next command."""
    from hephaestus.release.project import read_project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.report.summary import render, summarize

    with refusing():
        project = read_project(Path.cwd())
        root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=not published)
        told = summarize(project, root.directory(project.version), world="publish" if published else "rehearsal")
    typer.echo(json.dumps(told, indent=1) if as_json else render(told))
