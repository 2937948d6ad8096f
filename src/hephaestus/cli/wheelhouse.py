"""``hephaestus wheelhouse``: a folder of wheels, looked through for what macOS leaves in it, and cleaned of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hephaestus.cli.refusal import refusing

if TYPE_CHECKING:
    from hephaestus.consumer.litter import Litter

__all__ = ["wheelhouse"]

wheelhouse = typer.Typer(
    name="wheelhouse",
    help="A folder of wheels: kept free of what macOS leaves in it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="The same as JSON.")]


@wheelhouse.callback()
def about() -> None:
    """A folder of wheels: kept free of what macOS leaves in it."""


@wheelhouse.command()
def sanitize(
    folder: _Folder,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: _Json = False,
) -> None:
    """Remove resource forks and other litter of macOS, and nothing else; links are not followed.

    Exit code 1 when something could not be removed. A folder that does not exist is clean.
    """
    from hephaestus.consumer.litter import Litter, find_litter, remove_litter

    with refusing():
        if not folder.is_symlink() and not folder.exists():
            litter = Litter(root=folder)
        else:
            litter = find_litter(folder) if dry_run else remove_litter(folder)
    words = [f"would remove {one.line()}" for one in litter.found if dry_run]
    words += [f"removed {one.line()}" for one in litter.removed]
    _tell(litter, words, as_json=as_json)
    raise typer.Exit(1 if litter.failed else 0)


@wheelhouse.command()
def verify(
    folder: _Folder,
    *,
    strict: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Whether litter alone makes exit code 1.")
    ] = True,
    as_json: _Json = False,
) -> None:
    """Say what litter of macOS is there; nothing is changed.

    Exit code 1 when something is found, or when the folder cannot be read through.
    """
    from hephaestus.consumer.litter import find_litter

    with refusing():
        litter = find_litter(folder)
    _tell(litter, [f"found {one.line()}" for one in litter.found], as_json=as_json)
    raise typer.Exit(1 if litter.failed or (strict and litter.found) else 0)


def _tell(litter: Litter, words: list[str], *, as_json: bool) -> None:
    if as_json:
        told = {
            "root": str(litter.root),
            "clean": len(litter.removed) == len(litter.found) and not litter.failed,
            "found": [one.path for one in litter.found],
            "removed": [one.path for one in litter.removed],
            "failed": [{"path": one.path, "trouble": one.trouble} for one in litter.failed],
        }
        typer.echo(json.dumps(told, indent=1))
        return
    for line in words:
        typer.echo(line)
    for one in litter.failed:
        typer.echo(f"failed at {one.line()}", err=True)
    if not words and not litter.failed:
        typer.echo(f"{litter.root}: clean")
