"""``hephaestus release plan``: what a run would do now, and what of it could not be taken back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing

__all__ = ["plan"]


def plan(
    *,
    published: Annotated[bool, typer.Option("--publish", help="The real release instead of the rehearsal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say for each stage whether a run would do it, skip it or refuse, and label each step outside.

    Labels: `reversible`, `until <date>`, `never`. The stages' own keys and gates are asked; nothing is changed, nothing
    is sent, nothing is started. Exit code 1 when a run would be refused.
    """
    import os
    from dataclasses import replace
    from datetime import UTC, datetime
    from pathlib import Path

    from hephaestus.inspection import places as known
    from hephaestus.inspection.forecast import foresee, hindrances
    from hephaestus.inspection.manifest import expected_here
    from hephaestus.inspection.standing import ask, immutable_releases
    from hephaestus.release.project import read_project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.release.source import Source, SourceError, read_source
    from hephaestus.report.forecast import forecast_data, render_forecast

    with refusing():
        project = read_project(Path.cwd())
        root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=not published)
        source: Source | None = None
        unsourced = ""
        try:
            source = read_source(project.root)
        except SourceError as error:
            unsourced = error.what
        directory = root.directory(project.version)
        last = root.pointer(project.version).get("source", "")
        notes: list[str] = []
        if published:
            places: known.Places | None = known.published(project, environ=os.environ)
        elif source is not None and last != source.digest:
            directory, places = root.former(project.version, source.digest), None
            if last:
                notes.append("the source is another than the one rehearsed last: a fresh world opens, that one is kept")
        else:
            places = known.rehearsed(project, root, environ=os.environ)
            if places is None:
                notes.append("the stand-ins are not running; a run starts them again with all they hold")
        now = datetime.now(UTC)
        label = "publish" if published else "rehearsal"
        told = foresee(
            project,
            directory,
            label=label,
            policy=known.policy_of(project, label=label, environ=os.environ),
            source=source,
            places=places,
            asked=None if places is None else ask(project, places, expected_here(directory, tag=project.tag), now=now),
            immutable=None if places is None else immutable_releases(places),
            now=now,
            unsourced=unsourced,
        )
        stopping = hindrances(project, environ=os.environ, source=source) if published else ()
    told = replace(told, hindrances=stopping, notes=(*notes, *told.notes))
    shown = json.dumps(forecast_data(project, told, label=label), indent=1) if as_json else None
    typer.echo(shown or render_forecast(project, told, label=label))
    if told.refused:
        raise typer.Exit(1)
