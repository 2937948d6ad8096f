"""The front door for people: ``hephaestus ...`` (a Typer app)."""

from __future__ import annotations

import os

# Typer imports rich where it finds it, which doubles the time until the first line (design, dependencies).
os.environ.setdefault("TYPER_USE_RICH", "0")

from typing import Annotated

import typer

from hephaestus import DISTRIBUTION_NAME, __version__
from hephaestus.cli.doctor import doctor
from hephaestus.cli.init import init
from hephaestus.cli.release import release
from hephaestus.cli.wheelhouse import wheelhouse

__all__ = ["app"]

app = typer.Typer(
    name="hephaestus",
    help="The release of a Python package, rehearsed before it is public.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(release, name="release")
app.add_typer(wheelhouse, name="wheelhouse")
app.command()(doctor)
app.command()(init)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback shape
    if asked:
        typer.echo(f"{DISTRIBUTION_NAME} {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Everything a release needs that is no nox session."""
