"""A bump's effects, all or none: a journal first, then files, commit and tag; undone on failure, settled after a kill.

The journal (in git's own folder) is written before the first file and removed after the tag. Whoever finds one knows
that a run was killed: before the commit it is undone, after the commit it is completed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hephaestus.release.boundary import boundary
from hephaestus.release.bump import Edit, Plan
from hephaestus.release.errors import ReleaseError
from hephaestus.release.files import TEMPORARY_PREFIX, replacing, sync_folder, write_text
from hephaestus.release.repository import Repository

__all__ = ["BumpBusyError", "BumpStuckError", "carry_out", "exclusive", "interrupted", "settle"]

_JOURNAL = "hephaestus-bump.json"
_LOCK = "hephaestus-bump.lock"


class BumpBusyError(ReleaseError):
    """Raised when another bump of this clone is running."""

    def __init__(self) -> None:
        super().__init__(
            what="bump: another bump is running in this clone; nothing was changed",
            why="two would write the same files",
            next_step="wait for it to end, then run the same command again",
        )


class BumpStuckError(ReleaseError):
    """Raised when an interrupted bump cannot be settled because things have changed since."""

    def __init__(self, *, version: str, problem: str, journal: Path) -> None:
        super().__init__(
            what=f"bump: an earlier bump to {version} was interrupted, and {problem}",
            why="undoing it could destroy what was written since",
            next_step="look at `git status` and `git diff`, bring the files to the state you want (`git restore .` "
            f"takes the last commit's), then remove {journal} and run the same command again",
        )


@contextmanager
def exclusive(repository: Repository) -> Iterator[None]:
    """Hold this clone's lock of bumps, which the system frees when its owner dies; raises BumpBusyError."""
    import filelock

    lock = filelock.FileLock(repository.state_folder() / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise BumpBusyError from error
    try:
        yield
    finally:
        lock.release()


def interrupted(repository: Repository) -> Plan | None:
    """The bump that an earlier run began and did not end, or None."""
    journal = repository.state_folder() / _JOURNAL
    if not journal.is_file():
        return None
    top = Path(repository.ask("rev-parse", "--show-toplevel").text)
    try:
        data = json.loads(journal.read_text(encoding="utf-8"))
        edits = tuple(
            Edit(path=path, before=base64.b64decode(before), after=base64.b64decode(after))
            for path, before, after in data.pop("edits")
        )
        return Plan(**{**data, "words": tuple(data["words"]), "root": top / data["root"]}, edits=edits)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = "its journal cannot be read"
        raise BumpStuckError(version="an unknown version", problem=problem, journal=journal) from error


def settle(plan: Plan, repository: Repository) -> bool:
    """Bring an interrupted bump to one of its ends: True when completed, False when undone; raises BumpStuckError."""
    here = Repository(root=plan.root)
    journal = repository.state_folder() / _JOURNAL
    head = here.commit_of("HEAD")
    if head == plan.head and (plan.edits or here.commit_of(plan.tag) != head):
        _hold_untouched(plan, journal)
        _undo(plan, here, journal)
        return False
    if not _is_ours(plan, here, head):
        raise BumpStuckError(version=plan.version, problem="other commits were made since", journal=journal)
    _tag(plan, here, journal)
    _forget(journal)
    return True


def carry_out(plan: Plan, repository: Repository) -> str:
    """Do what was planned; returns the commit that carries the tag. On any failure everything is as it was before."""
    journal = repository.state_folder() / _JOURNAL
    write_text(journal, _rendered(plan, repository))
    retry = f"mend what git reports, then: nox -s bump -- {' '.join(plan.words)}"
    try:
        for edit in plan.edits:
            _write(plan.root / edit.path, edit.after)
        if plan.edits:
            paths = [edit.path for edit in plan.edits]
            repository.change("commit", "--quiet", "--message", plan.subject, "--", *paths, next_step=retry)
    except BaseException:
        _undo(plan, repository, journal)
        raise
    _tag(plan, repository, journal)
    _forget(journal)
    return repository.commit_of(plan.tag)


def _tag(plan: Plan, repository: Repository, journal: Path) -> None:
    """The annotated tag, signed where git is configured to; without it the commit is taken back, too."""
    head = repository.commit_of("HEAD")
    retry = f"mend what git reports, then: nox -s bump -- {' '.join(plan.words)}"
    try:
        if repository.commit_of(plan.tag) != head:
            repository.change("tag", "--annotate", plan.tag, "--message", plan.annotation, next_step=retry)
    except BaseException:
        if repository.commit_of(f"refs/tags/{plan.tag}") == head:
            repository.ask("update-ref", "-d", f"refs/tags/{plan.tag}")
        if head != plan.head:
            branch = f"refs/heads/{plan.branch}"
            repository.change("update-ref", branch, plan.head, head, next_step=f"git reset --soft {plan.head}")
        _undo(plan, repository, journal)
        raise


def _undo(plan: Plan, repository: Repository, journal: Path) -> None:
    if plan.edits:
        # First, because it fails while a git that outlived a killed run is still at work: then nothing is touched.
        paths = [edit.path for edit in plan.edits]
        wait = "wait until no git runs here (`git status` works), then run the same command again"
        repository.change("reset", "--quiet", "--", *paths, next_step=wait)
    for edit in plan.edits:
        _sweep(plan.root / edit.path)
        _write(plan.root / edit.path, edit.before)
    _forget(journal)


def _hold_untouched(plan: Plan, journal: Path) -> None:
    for edit in plan.edits:
        path = plan.root / edit.path
        found = path.read_bytes() if path.is_file() else None
        if found not in (edit.before, edit.after):
            raise BumpStuckError(version=plan.version, problem=f"{edit.path} was edited since", journal=journal)


def _is_ours(plan: Plan, repository: Repository, head: str) -> bool:
    if head == plan.head:
        return repository.commit_of(plan.tag) == head
    made = repository.ask("show", "--no-patch", "--format=%P%n%s", "HEAD").text
    return made == f"{plan.head}\n{plan.subject}"


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o7777
    with replacing(path) as stream:
        Path(stream.name).chmod(mode)
        stream.write(content)


def _sweep(path: Path) -> None:
    """Remove what a killed run left beside a file."""
    for leftover in path.parent.glob(f"{TEMPORARY_PREFIX}*"):
        leftover.unlink(missing_ok=True)


def _forget(journal: Path) -> None:
    boundary("forget the journal")
    journal.unlink(missing_ok=True)
    sync_folder(journal.parent)


def _rendered(plan: Plan, repository: Repository) -> str:
    top = Path(repository.ask("rev-parse", "--show-toplevel").text)
    data = {
        "root": plan.root.resolve().relative_to(top.resolve()).as_posix(),
        "words": list(plan.words),
        "version": plan.version,
        "head": plan.head,
        "branch": plan.branch,
        "subject": plan.subject,
        "annotation": plan.annotation,
        "tag_prefix": plan.tag_prefix,
        "edits": [
            [edit.path, base64.b64encode(edit.before).decode(), base64.b64encode(edit.after).decode()]
            for edit in plan.edits
        ],
    }
    return json.dumps(data, indent=1)
