"""``hephaestus release install``: a released version, proven and installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hephaestus.cli.refusal import refusing

if TYPE_CHECKING:
    from hephaestus.consumer.outcome import Outcome

__all__ = ["install"]


def install(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source", metavar="SOURCE", help="Where from: github (default), pypi or test-pypi.", show_default=False
        ),
    ] = "github",
    repository: Annotated[
        str | None,
        typer.Option(
            "--repository", "-r", metavar="OWNER/NAME", help="Whose release [env: HEPHAESTUS_RELEASE_REPOSITORY]."
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", "-t", metavar="TAG", help="The release's tag; the latest stable one when left out."),
    ] = None,
    tag_prefix: Annotated[
        str | None,
        typer.Option(
            "--tag-prefix",
            metavar="PREFIX",
            help="What its tags begin with, like core-, where the repository holds several packages.",
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="The distribution, on an index.")
    ] = None,
    index_url: Annotated[
        str | None,
        typer.Option(
            "--index-url", metavar="URL", help="The simple pages the release is on, in place of the source's."
        ),
    ] = None,
    extra_index_url: Annotated[
        str | None,
        typer.Option(
            "--extra-index-url", metavar="URL", help="Where dependencies come from; pip's own setting when left out."
        ),
    ] = None,
    asset_pattern: Annotated[
        str | None,
        typer.Option(
            "--asset-pattern", metavar="PATTERN", help="The wheelhouse's name [env: HEPHAESTUS_RELEASE_ASSET_PATTERN]."
        ),
    ] = None,
    manifest_pattern: Annotated[
        str | None,
        typer.Option(
            "--manifest-pattern", metavar="PATTERN", help="Its checksums' [env: HEPHAESTUS_RELEASE_MANIFEST_PATTERN]."
        ),
    ] = None,
    sigstore_pattern: Annotated[
        str | None,
        typer.Option(
            "--sigstore-pattern", metavar="PATTERN", help="Its bundle's [env: HEPHAESTUS_RELEASE_SIGSTORE_PATTERN]."
        ),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="FILE", help="The workflow file that must have signed: publish-pypi.yml."),
    ] = None,
    sigstore_identity: Annotated[
        list[str] | None,
        typer.Option(
            "--sigstore-identity",
            metavar="IDENTITY",
            help="A certificate identity that may have signed instead; repeatable.",
        ),
    ] = None,
    trusted_root: Annotated[
        Path | None,
        typer.Option("--trusted-root", metavar="FILE", help="A Sigstore trust root, in place of the public one."),
    ] = None,
    require_sigstore: Annotated[
        bool, typer.Option("--require-sigstore", help="Refuse without a valid signature: the default.")
    ] = False,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Go on without checksum or signature where there is none.")
    ] = False,
    destination: Annotated[
        Path | None,
        typer.Option(
            "--destination", "-d", metavar="DIR", help="Where downloads are kept [env: HEPHAESTUS_RELEASE_CACHE]."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier download of other bytes.")] = False,
    cleanup: Annotated[
        bool, typer.Option("--cleanup", help="Remove the unpacked wheels afterwards, also on failure.")
    ] = False,
    remove_archive: Annotated[bool, typer.Option("--remove-archive", help="Remove the archive after success.")] = False,
    python: Annotated[
        str | None, typer.Option("--python", metavar="PYTHON", help="The Python to install into: this one.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="PYTHON-PLATFORM",
            help="With --download-only: the archive for that target, like 3.12-win_amd64.",
        ),
    ] = None,
    pip_arg: Annotated[
        list[str] | None,
        typer.Option("--pip-arg", metavar="WORD", help="An argument for pip about where files go; repeatable."),
    ] = None,
    no_upgrade: Annotated[bool, typer.Option("--no-upgrade", help="Leave out pip's --upgrade.")] = False,
    allow_shared_files: Annotated[
        bool, typer.Option("--allow-shared-files", help="Go on beside the distribution's former name.")
    ] = False,
    download_only: Annotated[bool, typer.Option("--download-only", help="Fetch and verify; install nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            help="A GitHub token, better given as GITHUB_TOKEN or GH_TOKEN.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Seconds of silence to bear: 10.")
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option("--max-retries", metavar="N", help="Attempts per request, the first included: 3.")
    ] = None,
    github_url: Annotated[
        str | None, typer.Option("--github-url", metavar="URL", help="The GitHub API, in place of GitHub's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON, a refusal too.")] = False,
    python_executable: Annotated[str | None, typer.Option("--python-executable", hidden=True)] = None,
    pip_args: Annotated[list[str] | None, typer.Option("--pip-args", hidden=True)] = None,
) -> None:
    """Install a release after proving it: size, checksum, signature of its workflow at its tag, then its contents.

    What is not proven is not installed. Wheelhouses are installed with no network; from an index, ours comes by address
    and hash, dependencies only from the index of your own configuration. Exit code 0 when it is installed.
    """
    given = dict(locals())
    for name in ("as_json", "python_executable", "pip_args", "pip_arg"):
        del given[name]
    # The old spellings win where both are given (facts: consumers, section 2).
    given |= {"python": python_executable or python, "pip_args": tuple(pip_args or pip_arg or ())}
    given["sigstore_identity"] = tuple(sigstore_identity or ())
    with refusing():
        outcome = _installed(given, as_json=as_json)
    _say(outcome.data() if as_json else outcome.text())


def _say(told: dict[str, Any] | str) -> None:
    import json

    typer.echo(told if isinstance(told, str) else json.dumps(told, indent=1))


def _installed(given: dict[str, Any], *, as_json: bool) -> Outcome:
    from hephaestus.consumer.outcome import refusal_data
    from hephaestus.release.errors import ReleaseError
    from hephaestus.report.terminal import Terminal

    try:
        return _install(given, Terminal(stage="install"))
    except ReleaseError as error:
        if as_json:
            _say(refusal_data(error))
        raise


def _install(given: dict[str, Any], narrator: Any) -> Outcome:
    import os
    from datetime import UTC, datetime

    from hephaestus.consumer.from_github import install_from_github
    from hephaestus.consumer.installation import Installation
    from hephaestus.consumer.options import InstallOptions, Source
    from hephaestus.consumer.proofs import Proofs
    from hephaestus.consumer.trust import Trust
    from hephaestus.services import USER_AGENT
    from hephaestus.services.http import HttpClient
    from hephaestus.services.patience import Patience
    from hephaestus.worlds.children import installer

    options = InstallOptions.read(given, environ=os.environ)
    trust = Trust(trusted_root=options.trusted_root, announce=narrator.step)
    patience = Patience(connect_seconds=options.timeout, silence_seconds=options.timeout, attempts=options.max_retries)
    with HttpClient(user_agent=USER_AGENT, patience=patience) as http:
        installation = Installation(
            options=options,
            http=http,
            proofs=Proofs(options=options, verifier=trust, narrator=narrator),
            narrator=narrator,
            env=installer(os.environ),
            now=datetime.now(UTC),
        )
        if os.environ.get("HEPHAESTUS_SIGSTORE_INVENTORY"):
            installation.warn("HEPHAESTUS_SIGSTORE_INVENTORY is not read: only a bundle of the release itself counts")
        if options.source is Source.GITHUB:
            return install_from_github(installation)
        from hephaestus.consumer.from_index import install_from_index

        return install_from_index(installation)
