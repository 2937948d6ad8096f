"""The body of the ``bump`` session: settle what was interrupted, look at everything, act, push if asked."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hephaestus.nox.posargs import HelpAsked
from hephaestus.release.errors import ReleaseError
from hephaestus.release.increments import GRAMMAR, is_increment

if TYPE_CHECKING:
    import nox

    from hephaestus.release.bump import Plan
    from hephaestus.release.repository import Repository

__all__ = ["BumpUsageError", "Request", "parse", "run"]


class BumpUsageError(ReleaseError):
    """Raised when the words after ``--`` cannot be understood; nothing was changed."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what=f"bump: after `--`: {problem}",
            why=f"what can be asked for: {GRAMMAR}",
            next_step="`nox -s bump -- --help` lists what may stand there",
        )


class OvertakenError(ReleaseError):
    """Raised when an interrupted bump has been completed, and other words than its own were given."""

    def __init__(self, *, version: str, words: Sequence[str]) -> None:
        super().__init__(
            what=f"bump: an earlier, interrupted bump to {version} is completed now; `{' '.join(words)}` was not done",
            why="the version is another one than when the command was typed",
            next_step=f"nox -s bump -- {' '.join(words)}, if it is still meant",
        )


class InstallOnlyError(ReleaseError):
    """Raised under ``--install-only``: there is nothing to install, and the act was not asked for."""

    def __init__(self) -> None:
        super().__init__(
            what="bump: refused under `--install-only`",
            why="it would change the project although only an installation was asked for",
            next_step="run the same command without `--install-only`",
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a bump is asked for; ``date`` is the changelog's (today by UTC where none is given)."""

    words: tuple[str, ...]
    date: str
    branch: str = ""
    push: bool = False
    dry_run: bool = False


class _Parser(argparse.ArgumentParser):
    color: bool  # argparse's own from Python 3.14 on

    def error(self, message: str) -> NoReturn:
        raise BumpUsageError(problem=message)

    def print_help(self, file: object = None) -> None:
        del file
        raise HelpAsked(self.format_help())


def parse(words: Sequence[str], *, today: str) -> Request:
    """Read the words after ``--``; raises BumpUsageError, HelpAsked."""
    given = _parser().parse_args(list(words))
    if not is_increment(given.version):
        raise BumpUsageError(problem=f"`{' '.join(given.version)}` names no next version")
    if given.date and not _date(given.date):
        raise BumpUsageError(problem=f"--date {given.date}: no day written as YYYY-MM-DD")
    return Request(
        words=tuple(given.version),
        date=given.date or today,
        branch=given.branch,
        push=given.push,
        dry_run=given.dry_run,
    )


def run(session: nox.Session) -> None:
    """Bump the project in this folder. Every foreseeable failure ends in ``session.error`` with its whole message."""
    from hephaestus.report.annotations import annotate
    from hephaestus.toolchain.redaction import redact

    try:
        if session._runner.global_config.install_only:  # noqa: SLF001 - nox offers no public way to ask
            raise InstallOnlyError
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        _bump(parse(session.posargs, today=today), Path.cwd())
    except HelpAsked as asked:
        session.skip(f"\n{asked}")
    except ReleaseError as error:
        annotate("bump", error)
        session.error(redact(str(error)))


def _bump(request: Request, root: Path) -> None:
    from hephaestus.release.bump import plan_bump
    from hephaestus.release.bump_transaction import carry_out, exclusive
    from hephaestus.release.project import read_project
    from hephaestus.release.repository import Repository
    from hephaestus.release.source import read_source
    from hephaestus.services.remote import push, read_remote

    source = read_source(root)
    repository = Repository(root=root)
    with exclusive(repository):
        settled = _settled(request, repository)
        if settled is not None:
            plan = settled
        else:
            project = read_project(root, newest=True)
            remote = read_remote(repository, source.branch)
            if remote is None:
                _unheard(request, repository, source.branch)
            plan = plan_bump(project, request.words, date=request.date, branch=request.branch, remote=remote)
            _show(plan, project.version)
            if request.dry_run:
                _say("nothing was changed: --dry-run")
                return
            if not plan.done:
                commit = carry_out(plan, repository)
                _say(f"commit {commit[:12]} on {plan.branch}, tag {plan.tag}")
        if request.push:
            _say(f"pushed {plan.branch} and {plan.tag} to {push(repository, plan)}")
        else:
            _say(f"not pushed; next: {_pushing(request, plan, repository.remote_of(plan.branch) or 'origin')}")


def _pushing(request: Request, plan: Plan, name: str) -> str:
    """The command to push with; a tag that GitHub gets before its commit is on the default branch releases nothing."""
    if not request.branch:
        return f"git push --atomic {name} {plan.branch} {plan.tag}"
    return (
        f"git push {name} {plan.branch}; and once it is merged into the default branch, with a merge commit: "
        f"git push {name} {plan.tag}"
    )


def _settled(request: Request, repository: Repository) -> Plan | None:
    """Settle what a killed run left; the plan that was completed by it, when the same was asked for."""
    from hephaestus.release.bump_transaction import interrupted, settle

    left = interrupted(repository)
    if left is None:
        return None
    if request.dry_run:
        _say(f"an earlier bump to {left.version} was interrupted; the next bump without --dry-run settles it")
        return None
    if not settle(left, repository):
        _say(f"an earlier bump to {left.version} was interrupted before its commit: undone")
        return None
    if request.words != left.words:
        raise OvertakenError(version=left.version, words=request.words)
    _say(f"an earlier bump to {left.version} was interrupted after its commit: completed")
    return left


def _unheard(request: Request, repository: Repository, branch: str) -> None:
    name = repository.remote_of(branch)
    if request.push:
        problem = f"the remote {name} does not answer" if name else "this repository has no remote"
        raise BumpUsageError(problem=f"--push, but {problem}; nothing was changed")
    if name:
        _say(f"warning: {name} does not answer; tags and branch were held against what is known here")


def _show(plan: Plan, former: str) -> None:
    if plan.done:
        _say(f"{plan.version} is made already: {plan.tag} is at this commit")
        return
    _say(f"{former} -> {plan.version}" if former != plan.version else f"{plan.version}, as it is written")
    for remark in plan.remarks:
        _say(f"warning: {remark}")
    for edit in plan.edits:
        sys.stderr.write(f"{edit.diff()}\n")


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def _date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nox -s bump --",
        description="Write the next version everywhere, commit and tag it. docs/versions.md says what each word makes.",
        allow_abbrev=False,
    )
    parser.color = False  # it would ask whether stdout is a terminal, and nox's log goes to stderr
    parser.add_argument("version", nargs="+", metavar="VERSION", help=GRAMMAR)
    parser.add_argument("--push", action="store_true", help="send branch and tag to the remote, both or neither")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument("--date", default="", metavar="YYYY-MM-DD", help="the changelog's date (default: today, UTC)")
    parser.add_argument("--branch", default="", metavar="NAME", help="bump on NAME although it is not the default one")
    return parser
