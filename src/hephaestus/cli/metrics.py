"""``hephaestus release metrics``: how often the project is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.release.errors import ReleaseError

__all__ = ["PlotRefusedError", "metrics"]


class PlotRefusedError(ReleaseError):
    """Raised before anything is asked when the picture could not be written where it is wanted."""

    def __init__(self, *, path: Path, problem: str) -> None:
        super().__init__(
            what=f"--plot {path}: {problem}",
            why="the picture is an SVG file, written whole or not at all",
            next_step="name a file that ends in .svg in a folder that exists, for example `--plot downloads.svg`",
        )


def metrics(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A project on PyPI; the one in this folder unless given.")
    ] = "",
    *,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Write a picture, too.")] = None,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Another counter with the same API.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show the downloads that pypistats.org counts: last day, week, month, by Python and system, a bar a week."""
    from urllib.parse import urlsplit

    from hephaestus.release.files import write_text
    from hephaestus.release.project import read_project
    from hephaestus.report.downloads import downloads_data, downloads_svg, render_downloads
    from hephaestus.services import USER_AGENT
    from hephaestus.services.downloads import PYPISTATS_URL, DownloadsClient
    from hephaestus.services.http import HttpClient
    from hephaestus.services.patience import Patience

    with refusing():
        if plot is not None:
            _writable(plot)
        project = name or read_project(Path.cwd(), newest=True).name
        _named(project)
        patience = Patience(connect_seconds=10.0, silence_seconds=20.0, attempts=3, budget_seconds=15.0)
        with HttpClient(user_agent=USER_AGENT, patience=patience) as http:
            downloads = DownloadsClient(url or PYPISTATS_URL, http=http).downloads(project)
        source = urlsplit(url or PYPISTATS_URL).hostname or ""
        if plot is not None:
            write_text(plot, downloads_svg(downloads, source=source))
    if as_json:
        typer.echo(json.dumps(downloads_data(downloads, source=source), indent=1))
    else:
        typer.echo(render_downloads(downloads, source=source))


class NameRefusedError(ReleaseError):
    """Raised for a name that no project on an index can have."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            what=f"{given[:80]!r} is no name of a project",
            why="a name has letters, digits, and -, _ or . between them (PEP 508)",
            next_step="name it as its page on PyPI does",
        )


def _named(name: str) -> None:
    from packaging.utils import InvalidName, canonicalize_name

    try:
        canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise NameRefusedError(given=name) from error


def _writable(path: Path) -> None:
    if path.suffix.lower() != ".svg":
        raise PlotRefusedError(path=path, problem="does not end in .svg")
    if not path.parent.is_dir():
        raise PlotRefusedError(path=path, problem=f"there is no folder {path.parent}")
    if path.is_dir():
        raise PlotRefusedError(path=path, problem="is a folder")
