"""``hephaestus release verify --index``: a release on a private index, against digests that the caller vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hephaestus.cli.saying import say
from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    from hephaestus.worlds.private import PrivateTarget

__all__ = ["IndexAddressError", "IndexMissingError", "SignerMeaninglessError", "verify_on_index"]


class IndexMissingError(ReleaseError):
    """Raised when options of a private index stand there without one."""

    def __init__(self) -> None:
        super().__init__(
            what="--sums and --username belong to a private index: --index is missing",
            why="everywhere else a signature says what the bytes must be",
            next_step="add `--index NAME` or `--index URL`, or leave them out",
        )


class SignerMeaninglessError(ReleaseError):
    """Raised when options about signatures or other services stand beside --index."""

    def __init__(self, *, options: Sequence[str]) -> None:
        super().__init__(
            what=f"{', '.join(options)}: means nothing with --index",
            why="nobody signs what goes to a private index, and nobody else is asked about it",
            next_step="leave these out; what the bytes must be is said by `--sums FILE`, or by the files themselves",
        )


class IndexAddressError(ReleaseError):
    """Raised when --index is an address that no private index may have."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what=f"--index: it {problem}",
            why="a token travels over https only, and to no public index",
            next_step="name the root of the simple pages (`https://HOST/simple/`), or an index of pyproject.toml",
        )


def verify_on_index(
    targets: Sequence[str],
    *,
    index: str,
    username: str,
    sums: Path | None,
    meaningless: Mapping[str, object],
    timeout: float,
    as_json: bool,
    environ: Mapping[str, str],
) -> bool:
    """Print every fact; whether the release holds. Raises what refuses the question."""
    from hephaestus.consumer.agreed import Agreed
    from hephaestus.consumer.question import SCHEMA, facts, summary
    from hephaestus.consumer.verdict import holds
    from hephaestus.report.terminal import Terminal
    from hephaestus.services import USER_AGENT
    from hephaestus.services.http import HttpClient
    from hephaestus.services.patience import Patience
    from hephaestus.stages.indexes import index_client
    from hephaestus.worlds.private import private_index

    if given := [name for name, value in meaningless.items() if value]:
        raise SignerMeaninglessError(options=given)
    target = _target(index, username)
    agreed = Agreed.read(targets, sums=sums, index=target.name)
    terminal = Terminal(stage="verify")
    patience = Patience(connect_seconds=timeout, silence_seconds=timeout)
    with HttpClient(user_agent=USER_AGENT, patience=patience) as http:
        verdicts = agreed.verdicts(
            index_client(private_index(target, environ=environ), http),
            target.name,
            announce=terminal.step,
            progress=lambda done, total: terminal.progress(done, total, "bytes"),
        )
    if as_json:
        told = {"schema": SCHEMA, "target": agreed.pinned.text, "index": target.name, "identity": None,
                "verified": holds(verdicts), "facts": facts(verdicts)}  # fmt: skip
        say(json.dumps(told, indent=1))
    else:
        say("\n".join([*(verdict.text() for verdict in verdicts), f"{summary(verdicts)}; against {agreed.source}"]))
    return holds(verdicts)


def _target(index: str, username: str) -> PrivateTarget:
    """The index of that name in the project of this folder, or the one at that address."""
    from urllib.parse import urlsplit

    from hephaestus.release.indexes import IndexConfig, index_problems
    from hephaestus.release.project import read_project
    from hephaestus.worlds.private import PrivateTarget, private_target

    if "://" not in index:
        if username:
            raise SignerMeaninglessError(options=["--username"])
        return private_target(read_project(Path.cwd(), newest=True), index)
    config = IndexConfig(upload_url=index, simple_url=index, username=username or IndexConfig().username)
    problems = [problem for key, problem in index_problems("internal", config) if key in ("simple-url", "username")]
    if problems:
        raise IndexAddressError(problem=problems[0])
    return PrivateTarget(name=urlsplit(index).hostname or index, config=config)
