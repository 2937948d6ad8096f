"""``hephaestus release plan``: what a run would do now, and what of it could not be taken back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.cli.saying import say

__all__ = ["plan"]


def plan(
    *,
    published: Annotated[bool, typer.Option("--publish", help="The real release instead of the rehearsal.")] = False,
    index: Annotated[str, typer.Option("--index", metavar="NAME", help="With --publish: to that private index.")] = "",
    redo: Annotated[
        list[str] | None,
        typer.Option("--redo", metavar="STAGE", help="As the run's own: repeatable; * is every stage."),
    ] = None,
    tag: Annotated[str, typer.Option("--tag", metavar="TAG", help="As the run's own: the release's tag.")] = "",
    prebuilt: Annotated[
        str, typer.Option("--from", metavar="DIR", help="As the run's own: the wheels in DIR are adopted.")
    ] = "",
    keep_world: Annotated[
        bool, typer.Option("--keep-world", help="As the run's own: against the stand-ins of the last rehearsal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say for each stage whether a run would do it, skip it or refuse, and label each step outside.

    Labels: `reversible`, `until <date>`, `never`. The stages' own keys and gates are asked, of the run with just these
    options; nothing is changed, sent or started. With --publish the private index of --index, of HEPHAESTUS_INDEX or of
    the receipts here is planned for; `--index pypi` means the public ones. Exit code 1 when a run would be refused.
    """
    import os
    from dataclasses import replace
    from datetime import UTC, datetime
    from pathlib import Path

    from hephaestus.cli.looking import release_target
    from hephaestus.inspection import places as known
    from hephaestus.inspection.forecast import foresee, hindrances, private_hindrances
    from hephaestus.inspection.manifest import expected_here
    from hephaestus.inspection.run import Run
    from hephaestus.inspection.standing import ask, immutable_releases
    from hephaestus.release.project import read_project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.release.source import Source, SourceError, read_source
    from hephaestus.report.forecast import forecast_data, render_forecast

    with refusing():
        project = read_project(Path.cwd(), tag="" if published else tag)
        root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=not published)
        source: Source | None = None
        unsourced = ""
        try:
            source = read_source(project.root)
        except SourceError as error:
            unsourced = error.what
        directory = root.directory(project.version)
        target = release_target(project, directory, index=index, published=published, environ=os.environ)
        run = Run.read(
            publish=published, target=target, redo=redo or (), tag=tag, prebuilt=prebuilt, keep_world=keep_world,
            here=Path.cwd(),
        )  # fmt: skip
        last = root.pointer(project.version).get("source", "")
        notes: list[str] = []
        places: known.Places | None
        if target is not None:
            places = known.private(project, target, environ=os.environ)
        elif published:
            places = known.published(project, environ=os.environ)
        elif source is not None and last != source.digest and not (keep_world and last):
            directory, places = root.former(project.version, source.digest), None
            if last:
                notes.append("the source is another than the one rehearsed last: a fresh world opens, that one is kept")
        else:
            places = known.rehearsed(project, root, environ=os.environ)
            if places is None:
                notes.append("the stand-ins are not running; a run starts them again with all they hold")
        now = datetime.now(UTC)
        expected = expected_here(directory, tag=project.tag, world=target.label if target is not None else "")
        told = foresee(
            project,
            directory,
            label=run.label,
            policy=places.policy
            if places is not None
            else known.policy_of(project, label=run.label, environ=os.environ),
            source=source,
            places=places,
            asked=None if places is None else ask(project, places, expected, now=now),
            immutable=None if places is None else immutable_releases(places),
            now=now,
            unsourced=unsourced,
            options=run.options,
        )
        stopping: tuple[str, ...] = ()
        if target is not None:
            stopping = private_hindrances(target, environ=os.environ)
            notes.append(target.unasked)
        elif published:
            stopping = hindrances(project, environ=os.environ, source=source)
    told = replace(told, hindrances=stopping, notes=(*notes, *told.notes))
    say(
        json.dumps(forecast_data(project, told, run=run), indent=1)
        if as_json
        else render_forecast(project, told, run=run)
    )
    if told.refused:
        raise typer.Exit(1)
