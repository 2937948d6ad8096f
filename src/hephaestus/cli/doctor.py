"""``hephaestus doctor``: what is missing before a release."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing

__all__ = ["doctor"]


def doctor(
    *,
    repository: Annotated[str, typer.Option("--repository", help="OWNER/NAME, instead of the project's.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Look at this machine only; ask nobody.")] = False,
    mint: Annotated[
        bool, typer.Option("--mint", help="In a CI job: mint an upload token at each index, compare, burn it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say what is missing before a release: on this machine, on GitHub, on PyPI and Test PyPI.

    PASS, FAIL, or UNKNOWN where this token may not see it; for each why it matters and the page and values to set.
    Changes nothing and uploads nothing. GH_TOKEN of an administrator shows most. Exit code 0 when nothing failed.
    """
    import os
    from pathlib import Path

    from hephaestus.diagnosis.case import Case
    from hephaestus.diagnosis.doctor import diagnose
    from hephaestus.release.project import read_project
    from hephaestus.report.diagnosis import diagnosis_data, render_diagnosis
    from hephaestus.worlds.addresses import read_addresses

    with refusing():
        project = read_project(Path.cwd(), newest=True)
        case = Case(
            project=project,
            repository=repository or project.repository,
            addresses=read_addresses(os.environ),
            environ=os.environ,
            home=Path.home(),
        )
        found = diagnose(case, offline=offline, mint=mint)
    typer.echo(json.dumps(diagnosis_data(case, found), indent=1) if as_json else render_diagnosis(case, found))
    if not found.healthy:
        raise typer.Exit(1)
