"""``hephaestus release status``: what the receipts say, and what indexes and GitHub say now."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.cli.saying import say

__all__ = ["status"]


def status(
    *,
    published: Annotated[bool, typer.Option("--publish", help="The real release instead of the rehearsal.")] = False,
    index: Annotated[
        str, typer.Option("--index", metavar="NAME", help="With --publish: the release to that private index.")
    ] = "",
    tag: Annotated[
        str, typer.Option("--tag", metavar="TAG", help="The release's tag, where the commit does not carry it.")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Receipts only; ask nobody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show how this version stands: stages, every file on every index, deadline, GitHub Release, the next command.

    Indexes and GitHub are asked afresh: the real ones with --publish, otherwise the stand-ins of the last
    rehearsal while they live. With --index, HEPHAESTUS_INDEX or receipts of a private index that one alone is asked;
    `--index pypi` means the public ones. Starts and changes nothing. Exit code 0 when the question could be answered.
    """
    import os
    from datetime import UTC, datetime
    from pathlib import Path

    from hephaestus.cli.looking import release_target
    from hephaestus.inspection import places as known
    from hephaestus.inspection.manifest import expected_here
    from hephaestus.inspection.standing import ask
    from hephaestus.inspection.tags import contradicting_tags
    from hephaestus.inspection.way_on import next_step
    from hephaestus.release.project import read_project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.release.tagged_version import TagContradictsError
    from hephaestus.report.standing import render_services, services_data
    from hephaestus.report.summary import render, summarize, unfinished

    with refusing():
        project = read_project(Path.cwd(), tag=tag)
        if tag and tag != project.tag:
            raise TagContradictsError(given=tag, tag=project.tag)
        root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=not published)
        directory = root.directory(project.version)
        target = release_target(project, directory, index=index, published=published, environ=os.environ)
        world = target.label if target is not None else "publish" if published else "rehearsal"
        told = summarize(project, directory, world=world, target=target)
        if offline:
            places = None
        elif target is not None:
            places = known.private(project, target, environ=os.environ)
        elif published:
            places = known.published(project, environ=os.environ)
        else:
            places = known.rehearsed(project, root, environ=os.environ)
        asked = None
        if places is not None:
            expected = expected_here(directory, tag=project.tag, world=target.label if target is not None else "")
            asked = ask(project, places, expected, now=datetime.now(UTC))
    way_on = "" if asked is None else next_step(project, asked, unfinished=unfinished(told))
    wrong = contradicting_tags(project)
    told["warnings"] = [finding.line() for finding in wrong]
    if wrong:
        told["next"] = way_on = wrong[0].remedy
    if as_json:
        more = {"asked": services_data(asked), "next": way_on or told["next"]} if asked else {"asked": None}
        say(json.dumps({**told, **more}, indent=1))
        return
    if asked is not None and not told["commit"]:
        name = f"{told['project']} {told['version']}   {told['world']}"
        say(f"\n{name}: no receipts here, its stages ran elsewhere or not yet\n")
    else:
        say(render(told, with_next=asked is None))
    for line in told["warnings"]:
        say(f"  warning: {line}\n")
    if asked is None:
        say(f"  {_unasked(offline=offline)}\n")
    else:
        say(render_services(asked, next_step=way_on or told["next"]))


def _unasked(*, offline: bool) -> str:
    if offline:
        return "(from the receipts alone, as asked)"
    return "(from the receipts alone: the stand-ins of this rehearsal are not running; the next stage starts them)"
