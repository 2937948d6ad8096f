"""The source of a release: one commit, or in a rehearsal the work tree as it stands, exported by git."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.errors import ReleaseError

__all__ = ["Source", "SourceError", "export", "read_source"]

#: Zip cannot hold a time before this one (1980-01-01T00:00:00Z).
EARLIEST_EPOCH = 315_532_800


class SourceError(ReleaseError):
    """Raised when git cannot tell what the source is: no git, no repository, no commit, a broken one."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what=what, why=why, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is built. ``tree`` is git's id of exactly the files that go into the build.

    ``dirty`` names what differs from ``commit`` (in which case ``tree`` is the work tree's). ``prefix`` is the
    project's folder within the repository (empty, or ending in ``/``). ``epoch`` is the commit's time.
    """

    root: Path
    commit: str
    tree: str
    prefix: str
    epoch: int
    dirty: tuple[str, ...]
    tags: tuple[str, ...]
    branch: str
    shallow: bool

    @property
    def digest(self) -> str:
        """Twelve characters that name this source: they change with any file and with the commit."""
        import hashlib

        return hashlib.sha256(f"{self.commit} {self.tree} {self.prefix}".encode()).hexdigest()[:12]


def read_source(root: Path) -> Source:
    """Ask git about the project at ``root``; raises SourceError. Leaves index, objects and work tree untouched."""
    facts = _git(root, "rev-parse", "--show-prefix", "--is-shallow-repository", "HEAD").splitlines()
    prefix, shallow, commit = (facts if len(facts) == 3 else ["", *facts])[:3]
    status = _git(
        root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=none", "--", "."
    )
    dirty = tuple(entry for entry in _entries(status))
    show = _git(root, "show", "-s", "--format=%ct%n%T", "HEAD").split()
    tags = tuple(_git(root, "tag", "--points-at", "HEAD").split())
    branch = _git(root, "branch", "--show-current").strip()
    tree = _snapshot(root) if dirty else show[1]
    epoch = _epoch(int(show[0]))
    return Source(
        root=root, commit=commit, tree=tree, prefix=prefix, epoch=epoch, dirty=dirty, tags=tags, branch=branch,
        shallow=shallow == "true",
    )  # fmt: skip


def export(source: Source, target: Path) -> None:
    """Unpack exactly ``source.tree`` (the project's folder of it) into ``target``, which must be empty or absent.

    ``git archive`` honours ``export-ignore``; file times are the commit's. Raises SourceError.
    """
    target.mkdir(parents=True, exist_ok=True)
    whole = source.tree if source.dirty else source.commit
    treeish = f"{whole}:{source.prefix.rstrip('/')}" if source.prefix else whole

    def dated(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        # git archive dates the members of a tree with the present (its --mtime is newer than many a git).
        return tarfile.data_filter(member.replace(mtime=source.epoch, deep=False), path)

    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar"
        with _objects(source.root) as environment:
            if source.dirty:
                _snapshot(source.root, environment)
            top = Path(_git(source.root, "rev-parse", "--show-toplevel").strip())
            _git(top, "archive", "--format=tar", f"--output={archive}", treeish, environment=environment)
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter=dated)


def _epoch(commit_time: int) -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        return max(commit_time, EARLIEST_EPOCH)
    if not given.isdecimal() or int(given) < EARLIEST_EPOCH:
        raise SourceError(
            what=f"SOURCE_DATE_EPOCH is {given!r}",
            why="it must be a whole number of seconds, not before 1980: zip files hold no earlier time",
            next_step="unset SOURCE_DATE_EPOCH; the commit's own time is used then",
        )
    return int(given)


def _entries(status: str) -> list[str]:
    entries, fields = [], iter(status.split("\0"))
    for entry in fields:
        if not entry:
            continue
        entries.append(f"{entry[:2].strip()} {entry[3:]}")
        if "R" in entry[:2] or "C" in entry[:2]:
            next(fields, None)
    return entries


class _objects:  # noqa: N801 - reads as the function it is
    """Git's environment with a throw-away index and object store, so that a snapshot writes nothing into .git."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> dict[str, str]:
        self._scratch = tempfile.TemporaryDirectory()
        folder = Path(self._scratch.name)
        git = self._root / _git(self._root, "rev-parse", "--git-dir").strip()
        common = self._root / _git(self._root, "rev-parse", "--git-common-dir").strip()
        if (git / "index").is_file():
            shutil.copy2(git / "index", folder / "index")
        (folder / "objects").mkdir()
        return {
            **os.environ,
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(common / "objects"),
        }

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()


def _snapshot(root: Path, environment: dict[str, str] | None = None) -> str:
    if environment is None:
        with _objects(root) as fresh:
            return _snapshot(root, fresh)
    top = Path(_git(root, "rev-parse", "--show-toplevel").strip())
    _git(top, "add", "--all", "--", ".", environment=environment)
    return _git(top, "write-tree", environment=environment).strip()


def _git(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command: Sequence[str] = ("git", "-c", "core.quotePath=false", *arguments)
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise SourceError(
            what="git is not installed, or not on PATH",
            why="a release is built from a commit, and only git can tell which one this is",
            next_step="install git, then run the same command again",
        ) from error
    text = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode == 0:
        return text
    problem = done.stderr.decode("utf-8", "replace").strip()
    if "not a git repository" in problem:
        raise SourceError(
            what=f"{root.name} is in no git repository",
            why="a release is built from a commit, never from a folder of unknown history",
            next_step="`git init && git add . && git commit`, or run nox in the clone",
        )
    if "unknown revision" in problem or "ambiguous argument 'HEAD'" in problem or "bad revision" in problem:
        raise SourceError(
            what="the repository has no commit yet",
            why="a release is built from a commit",
            next_step="`git add . && git commit`",
        )
    raise SourceError(
        what=f"`git {' '.join(arguments[:2])}` failed: {problem.splitlines()[-1] if problem else done.returncode}",
        why="the source of the release is not known",
        next_step="run `git status` here and mend what it reports",
    )
