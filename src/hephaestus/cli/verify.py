"""``hephaestus release verify``: is this release what its project's workflow made, and the same everywhere?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hephaestus.cli.refusal import refusing

__all__ = ["verify"]


def verify(
    *,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET...", help="NAME==VERSION, a folder, or files.")
    ] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", "-r", metavar="OWNER/NAME", help="Whose workflow must have signed.")
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="FILE", help="The workflow file that must have signed: publish-pypi.yml."),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", "-t", metavar="TAG", help="Tag that must have signed; alone: verify its GitHub Release."),
    ] = None,
    ref: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="Whole ref that must have signed, in place of the tag.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option("--issuer", metavar="URL", help="Issuer of the signer's identity: GitHub Actions.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="The Sigstore bundle of the one file given.")
    ] = None,
    trusted_root: Annotated[
        Path | None,
        typer.Option("--trusted-root", metavar="FILE", help="A Sigstore trust root, in place of the public one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    index: Annotated[
        str,
        typer.Option(
            "--index", metavar="NAME|URL", help="A private index: by its name in pyproject.toml, or its pages."
        ),
    ] = "",
    username: Annotated[
        str,
        typer.Option("--username", metavar="NAME", help="With an address: whose HEPHAESTUS_INDEX_TOKEN is: __token__."),
    ] = "",
    sums: Annotated[
        Path | None,
        typer.Option("--sums", metavar="FILE", help="With --index: the SHA256SUMS that says what the bytes must be."),
    ] = None,
    index_url: Annotated[
        str | None, typer.Option("--index-url", metavar="URL", help="Simple index in place of PyPI's.")
    ] = None,
    test_index_url: Annotated[
        str | None, typer.Option("--test-index-url", metavar="URL", help="Simple index in place of Test PyPI's.")
    ] = None,
    github_url: Annotated[
        str | None, typer.Option("--github-url", metavar="URL", help="The GitHub API, in place of GitHub's own.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Make no connection at all.")] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0.1, help="Seconds of silence to bear: 30.", show_default=False
        ),
    ] = 30.0,
) -> None:
    """Verify a release by cryptography: one line a fact - PASS, FAIL or ABSENT - and why.

    Exit code 0 only when every required fact holds. What was not looked at is ABSENT, with the reason. On a private
    index (--index) nobody signs: its files are held against --sums, or against the files or the folder that is named.
    """
    import json
    import os
    import sys

    from hephaestus.cli.verify_index import IndexMissingError, verify_on_index
    from hephaestus.consumer.expectation import Expectation
    from hephaestus.consumer.question import Question, report, summary
    from hephaestus.consumer.services import Services
    from hephaestus.consumer.trust import Trust
    from hephaestus.consumer.verdict import holds
    from hephaestus.consumer.verification import Verification
    from hephaestus.report.terminal import Terminal
    from hephaestus.services.github_token import github_token

    terminal = Terminal(stage="verify")

    def announce(text: str) -> None:
        if sys.stderr.isatty():
            terminal.step(text)

    said = {"repository": repository, "workflow": workflow, "tag": tag, "ref": ref, "issuer": issuer}
    urls = {"index_url": index_url, "test_index_url": test_index_url, "github_url": github_url}
    with refusing():
        if index:
            options = {**said, **urls, "bundle": bundle, "trusted_root": trusted_root, "offline": offline}
            meaningless = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
            verified = verify_on_index(
                targets or [], index=index, username=username, sums=sums, meaningless=meaningless, timeout=timeout,
                as_json=as_json, environ=os.environ,
            )  # fmt: skip
            raise typer.Exit(0 if verified else 1)
        if sums is not None or username:
            raise IndexMissingError
        expectation = Expectation.read(said, environ=os.environ)
        question = Question.read(targets or [], expectation, bundle=bundle, offline=offline)
        identity = question.identity
        services = Services(
            token=github_token(os.environ) or None,
            timeout=timeout,
            **{name: url for name, url in urls.items() if url is not None},
        )
        trust = Trust(trusted_root=trusted_root, offline=offline, announce=announce)
        trust.prepare()
        verification = Verification(
            identity=identity,
            trust=trust,
            services=services,
            announce=announce,
            progress=lambda done, total: terminal.progress(done, total, "bytes"),
        )
        verdicts = question.answered(verification)
        if as_json:
            typer.echo(json.dumps(report(question, identity, verdicts), indent=1))
        else:
            for verdict in verdicts:
                typer.echo(verdict.text())
            typer.echo(f"{summary(verdicts)}; signer expected: {identity.subject}")
            if question.rehearsed and trusted_root is None and not holds(verdicts):
                # Nothing is read from the folder to say so: who made it must not name the root it is held against.
                typer.echo(
                    "its receipts say that a rehearsal made it, so it is no release; your own rehearsal holds by its "
                    "stand-ins' root:\n--trusted-root release/rehearsal/standins/.../run/trust_config.json "
                    "(docs/verifying.md)"
                )
        raise typer.Exit(0 if holds(verdicts) else 1)
