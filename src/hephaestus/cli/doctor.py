"""``hephaestus doctor``: what is missing before a release."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.cli.saying import say
from hephaestus.release.errors import ReleaseError

__all__ = ["MintForPrivateError", "doctor"]


class MintForPrivateError(ReleaseError):
    """Raised when an upload token is to be minted at a private index: it knows nobody's identity."""

    def __init__(self, *, index: str) -> None:
        super().__init__(
            what=f"--mint means nothing with --index {index}",
            why="a private index is entered with a token that somebody made; none is minted for it",
            next_step="leave one of the two out",
        )


def doctor(
    *,
    repository: Annotated[
        str, typer.Option("--repository", metavar="OWNER/NAME", help="On GitHub; default: the project's.")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Look at this machine only; ask nobody.")] = False,
    mint: Annotated[
        bool, typer.Option("--mint", help="In a CI job: mint an upload token at each index, compare, burn it.")
    ] = False,
    index: Annotated[
        str,
        typer.Option("--index", metavar="NAME", help="For a release to that private index: this machine and it alone."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say what is missing before a release: on this machine, on GitHub, on PyPI, Test PyPI and private indexes.

    PASS, FAIL, or UNKNOWN where this token may not see it; for each why it matters and the page and values to set.
    Changes nothing and uploads nothing. GH_TOKEN of an administrator shows most. Exit code 0 when nothing failed.
    """
    import os
    from pathlib import Path

    from hephaestus.diagnosis.case import Case
    from hephaestus.diagnosis.doctor import diagnose, diagnose_private
    from hephaestus.release.project import read_project
    from hephaestus.report.diagnosis import diagnosis_data, render_diagnosis
    from hephaestus.worlds.addresses import read_addresses
    from hephaestus.worlds.private import private_target

    with refusing():
        project = read_project(Path.cwd(), newest=True)
        case = Case(
            project=project,
            repository=repository or project.repository,
            addresses=read_addresses(os.environ),
            environ=os.environ,
            home=Path.home(),
        )
        target = private_target(project, index) if index else None
        if target is not None and mint:
            raise MintForPrivateError(index=index)
        if target is not None:
            found = diagnose_private(case, target, offline=offline)
        else:
            found = diagnose(case, offline=offline, mint=mint)
    say(json.dumps(diagnosis_data(case, found), indent=1) if as_json else render_diagnosis(case, found))
    if not found.healthy:
        raise typer.Exit(1)
