"""``hephaestus release audit``: what the indexes serve, against tags, manifests and attestations."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing
from hephaestus.cli.saying import say

__all__ = ["audit"]


def audit(
    *,
    index: Annotated[
        list[str] | None,
        typer.Option(
            "--index", metavar="NAME", help="pypi, testpypi (both unless given), or a private index; repeatable."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept", metavar="VERSION", help="A version whose history is known and cannot be mended; repeatable."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Fetch every file and verify its attestations by real cryptography.")
    ] = False,
    rehearsed: Annotated[
        bool, typer.Option("--rehearsal", help="Look at the stand-ins of the last rehearsal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Hold every version on PyPI and Test PyPI against tags, SHA256SUMS on GitHub, and its attestations.

    One line a version: PASS, FAIL or ABSENT, and why. Exit code 0 only when every line that counts is PASS. --accept
    takes what cannot be mended any more (no attestation, no manifest, no tag, a yank), never other bytes or a foreign
    publisher. A private index alone is asked when it is named, and held against the tags and receipts here.
    """
    import os
    from pathlib import Path

    from hephaestus.cli.looking import indexes_named, look_at
    from hephaestus.consumer.trust import Trust
    from hephaestus.consumer.verdict import holds
    from hephaestus.inspection.audit import audit as judge
    from hephaestus.inspection.gathering import gather, local_tags
    from hephaestus.inspection.private_audit import gather_private
    from hephaestus.inspection.withdrawal import version_given
    from hephaestus.release.project import read_project
    from hephaestus.report.audit import audit_data, render_audit

    with refusing():
        accepted = [version_given(one) for one in accept or ()]
        project = read_project(Path.cwd(), newest=True)
        names = index or ()
        places = look_at(project, rehearsal=rehearsed, environ=os.environ, names=names)
        indexes = indexes_named(names, places, configured=list(project.config.indexes))
        trust = None
        if verify and places.target is None:
            trust = Trust(trusted_root=places.trust_config, announce=lambda text: typer.echo(f"  {text}", err=True))
            trust.prepare()
        tags = local_tags(project)
        if places.target is not None:
            found = gather_private(project, places, places.target, tags=tags, fetch=verify)
        else:
            found = gather(project, places, indexes=indexes, tags=tags, trust=trust)
        verdicts = judge(found, accepted=accepted)
    named = places.target.name if places.target is not None else ""
    if as_json:
        say(json.dumps(audit_data(project, verdicts, verified=verify, index=named), indent=1))
    else:
        say(render_audit(project, verdicts, verified=verify, index=named))
    if not holds(verdicts):
        raise typer.Exit(1)
