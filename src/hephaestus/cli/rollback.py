"""``hephaestus release rollback``: how to take a version back, and afterwards the proof that it took effect."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.cli.saying import say

__all__ = ["rollback"]


def rollback(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version to take back.")],
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="WHY",
            help="broken, security, compromised, mistake, metadata or documentation, with words after a colon; "
            "or free text.",
        ),
    ] = "",
    fixed: Annotated[str, typer.Option("--fixed", metavar="VERSION", help="The version known to be good.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove from the indexes that the yank is in force; exit code 1 if not.")
    ] = False,
    index: Annotated[
        list[str] | None,
        typer.Option(
            "--index", metavar="NAME", help="A private index; with --verify also pypi or testpypi; repeatable."
        ),
    ] = None,
    rehearsed: Annotated[
        bool, typer.Option("--rehearsal", help="Look at the stand-ins of the last rehearsal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Decide between a yank, a post-release and nothing, and say which pages, which words, in which order.

    Asks PyPI and Test PyPI what they serve and changes nothing: a yank is made by a person on the index's page. A
    private index alone is asked when it is named; what can be done there depends on it, and is said so.
    """
    import os
    from datetime import UTC, datetime
    from pathlib import Path

    from hephaestus.cli.looking import indexes_named, look_at
    from hephaestus.inspection.private_rollback import private_steps, withdrawn
    from hephaestus.inspection.resolution import locked_pip
    from hephaestus.inspection.rollback import pages_of, prove, steps
    from hephaestus.inspection.withdrawal import Reason, decide, shelves, version_given
    from hephaestus.release.project import read_project
    from hephaestus.report.rollback import proof_data, render_proof, render_rollback, rollback_data

    with refusing():
        wanted = version_given(version)
        project = read_project(Path.cwd(), newest=True)
        names = index or ()
        places = look_at(project, rehearsal=rehearsed, environ=os.environ, names=names)
        named = indexes_named(names, places, configured=list(project.config.indexes))
        # The decision needs every index; a proof may be of one alone.
        pages = pages_of(places, project, indexes=named if verify else None)
        name = project.normalized
        target = places.target
        if verify:
            proofs = prove(project, places, wanted, pages, pip=lambda: locked_pip(os.environ))
            if target is not None and not proofs:
                proofs = withdrawn(project, places, target, wanted, pages[target.name])
            shown = proof_data(name, str(wanted), proofs)
            say(json.dumps(shown, indent=1) if as_json else render_proof(name, str(wanted), proofs))
            if not proofs:
                typer.echo(f"no index has a file of {name} {wanted}: there is nothing that could be yanked", err=True)
            if not proofs or not all(proof.in_force for proof in proofs):
                raise typer.Exit(1)
            return
        why = Reason.read(reason or "broken")
        decision = decide(name, wanted, why, pages, fixed=fixed, main_index=places.main)
        if target is not None:
            todo = private_steps(places, target, decision, why)
        else:
            todo = steps(project, places, decision, why, today=datetime.now(UTC).date())
    notes = [] if reason else ["taken for `broken`, since no --reason says otherwise"]
    if decision.exists and not fixed and decision.instead:
        notes.append(f"{decision.instead} is assumed to be good, being there; --fixed VERSION names another")
    if rehearsed:
        notes.append("a stand-in has no pages; `nox -s release -- --fault=pypi:yanked=WHY` rehearses a yank")
    facts = shelves(pages)
    if as_json:
        say(json.dumps(rollback_data(name, decision, facts, todo, notes=notes), indent=1))
    else:
        say(render_rollback(name, decision, facts, todo, notes=notes, private=target is not None))
