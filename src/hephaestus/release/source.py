"""The source of a release: one commit, or in a rehearsal the work tree as it stands, exported by git."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.errors import ReleaseError

__all__ = [
    "Source",
    "SourceError",
    "commit_export",
    "export",
    "git_environment",
    "is_shallow",
    "read_source",
    "tags_here",
]

#: Variables that would turn git to another repository than the project's: set inside of git hooks.
_ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)

#: Variables that give git settings, or another kind of repository, whatever its files say.
_SETTINGS = ("GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_DEFAULT_HASH", "GIT_DEFAULT_REF_FORMAT")

#: Attributes of the user's own are found without any configuration.
_NO_ATTRIBUTES = ("-c", f"core.attributesFile={os.devnull}")

#: What the files of an export may not depend on: this machine's line ends and umask, its user's attributes.
_SAME_EVERYWHERE = ("-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "tar.umask=0022", *_NO_ATTRIBUTES)

#: Zip cannot hold a time before this one (1980-01-01T00:00:00Z).
EARLIEST_EPOCH = 315_532_800


class SourceError(ReleaseError):
    """Raised when git cannot tell what the source is: no git, no repository, no commit, a broken one."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what=what, why=why, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is built. ``tree`` is git's id of exactly the files that go into the build.

    ``dirty`` names what differs from ``commit`` (in which case ``tree`` is the work tree's), each entry with git's
    letters before it. ``prefix`` is the project's folder within the repository (empty, or ending in ``/``).
    ``epoch`` is the commit's time, or SOURCE_DATE_EPOCH where that is set. ``submodules`` names those with changes
    of their own, which no snapshot of this repository can hold. ``elsewhere`` names what differs outside of
    ``prefix``: no file of it goes into the build. ``annotated`` are those of ``tags`` with an object of their own,
    which says who made them, when and why.
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
    submodules: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    annotated: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve characters that name this source: they change with any file and with the commit."""
        return hashlib.sha256(f"{self.commit} {self.tree} {self.prefix}".encode()).hexdigest()[:12]


def read_source(root: Path) -> Source:
    """Ask git about the project at ``root``; raises SourceError. Leaves index, objects and work tree untouched."""
    facts = _git(root, "rev-parse", "--show-prefix", "--is-shallow-repository", "HEAD").splitlines()
    prefix, shallow, commit = (facts if len(facts) == 3 else ["", *facts])[:3]
    dirty, submodules = _entries(_status(root, "."))
    elsewhere, _ = _entries(_status(root, ":/", f":(top,exclude,literal){prefix}")) if prefix else ((), ())
    tree = _snapshot(root, prefix) if dirty else _git(root, "rev-parse", f"HEAD:{prefix.rstrip('/')}").strip()
    shown = _git(root, "tag", "--no-column", "--points-at", "HEAD", "--format=%(objecttype) %(refname:strip=2)")
    tags = [(kind, tag) for kind, _, tag in (line.partition(" ") for line in shown.splitlines())]
    return Source(
        root=root, commit=commit, tree=tree, prefix=prefix, dirty=dirty, submodules=submodules, elsewhere=elsewhere,
        epoch=_epoch(int(_git(root, "show", "-s", "--format=%ct", "HEAD"))),
        tags=tuple(tag for _, tag in tags),
        annotated=tuple(tag for kind, tag in tags if kind == "tag"),
        branch=_git(root, "branch", "--show-current").strip(),
        shallow=shallow == "true",
    )  # fmt: skip


def tags_here(root: Path, *, history: bool = False) -> tuple[str, ...]:
    """The tags of the commit that is checked out; with ``history`` those of all commits in it. Raises SourceError."""
    return tuple(_git(root, "tag", "--merged" if history else "--points-at", "HEAD").split())


def is_shallow(root: Path) -> bool:
    """Whether the history of this clone was cut off; raises SourceError."""
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def export(source: Source, target: Path) -> None:
    """Unpack exactly ``source.tree`` (the project's folder of it) into ``target``, which must be empty or absent.

    ``git archive`` honours ``export-ignore``; file times are the commit's. Raises SourceError.
    """
    target.mkdir(parents=True, exist_ok=True)

    def dated(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        # git archive dates the members of a tree with the present (its --mtime is newer than many a git).
        return tarfile.data_filter(member.replace(mtime=source.epoch, deep=False), path)

    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar"
        with _objects(source.root) as environment:
            if source.dirty and _snapshot(source.root, source.prefix, environment) != source.tree:
                raise SourceError(
                    what="the work tree changed while the release was being prepared",
                    why="what was checked and recorded would not be what is built",
                    next_step="let edits come to rest, then run the same command again",
                )
            # A commit, unlike a tree, lets git fill in `export-subst` places.
            treeish = source.tree if source.dirty or source.prefix else source.commit
            top = Path(_git(source.root, "rev-parse", "--show-toplevel").rstrip("\n"))
            _git(
                top, "archive", "--format=tar", f"--output={archive}", treeish,
                environment=environment, settings=_SAME_EVERYWHERE,
            )  # fmt: skip
        _unpack(archive, target, dated)


def commit_export(folder: Path, *, epoch: int, tag: str = "") -> None:
    """Make a repository of one commit out of an exported folder, for backends that ask git what there is.

    With ``tag`` the commit carries it. Author and times are fixed, no configuration, template or hook of this machine
    takes part. Raises SourceError.
    """
    fixed = {
        **{name: value for name, value in git_environment().items() if name not in _SETTINGS},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (
            ("NAME", "release"), ("EMAIL", "release@localhost"), ("DATE", f"{epoch} +0000"),
        )},
    }  # fmt: skip
    _git(folder, "init", "--quiet", "--template=", environment=fixed)
    _git(folder, "add", "--all", "--force", environment=fixed, settings=_NO_ATTRIBUTES)
    _git(folder, "commit", "--quiet", "--no-gpg-sign", "--message=exported", environment=fixed)
    if tag:
        _git(folder, "tag", "--no-sign", tag, environment=fixed)


def _unpack(archive: Path, target: Path, dated: Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter=dated)  # noqa: S202 - `dated` is the data filter
    except tarfile.FilterError as error:
        raise SourceError(
            what=f"the source cannot be exported: {error}",
            why="a link that leads out of the project means something else on every machine",
            next_step="replace the link by what it points to, or mark it `export-ignore` in .gitattributes",
        ) from error
    # The extraction filter leaves folders to the umask; backends that pack folders pack their modes too.
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir() and not path.is_symlink())]:
        folder.chmod(0o755)


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


def _status(root: Path, *where: str) -> str:
    words = ("--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none")
    return _git(root, "status", *words, "--", *where)


def _entries(status: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read ``git status --porcelain=v2 -z``: what differs, and which submodules have changes of their own."""
    entries: list[str] = []
    submodules: list[str] = []
    fields = iter(status.split("\0"))
    for entry in fields:
        kind = entry[:1]
        if kind in ("1", "2", "u"):
            # Fields before the path: 8 of an ordinary entry, 9 of a renamed one, 10 of an unmerged one.
            words = entry.split(" ", {"1": 8, "2": 9, "u": 10}[kind])
            letters, submodule, path = words[1].replace(".", ""), words[2], _printable(words[-1])
            entries.append(f"{letters} {path}")
            if submodule.startswith("S") and submodule[2:] != "..":
                submodules.append(path)
            if kind == "2":
                next(fields, None)
        elif kind == "?":
            entries.append(f"?? {_printable(entry[2:])}")
    return tuple(entries), tuple(submodules)


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class _objects:  # noqa: N801 - reads as the function it is
    """Git's environment with a throw-away index and object store, so that a snapshot writes nothing into .git."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> dict[str, str]:
        self._scratch = tempfile.TemporaryDirectory()
        folder = Path(self._scratch.name)
        git = self._root / _git(self._root, "rev-parse", "--git-dir").rstrip("\n")
        common = self._root / _git(self._root, "rev-parse", "--git-common-dir").rstrip("\n")
        if (git / "index").is_file():
            shutil.copy2(git / "index", folder / "index")
        (folder / "objects").mkdir()
        return {
            **git_environment(),
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(common / "objects"),
        }

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()


def _quoted(path: Path) -> str:
    """One entry of a list of object folders: git takes ``:`` apart unless the entry is in double quotes."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if os.name == "posix" else str(path)


def git_environment() -> dict[str, str]:
    """This process's environment, without what would turn git to another repository or another language.

    Nor does `git replace` show other files under the name of a commit: everybody else has those of the commit.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return kept | {"LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}


def _snapshot(root: Path, prefix: str, environment: dict[str, str] | None = None) -> str:
    """Git's id of the project's folder as it stands in the work tree, ignored files left out."""
    if environment is None:
        with _objects(root) as fresh:
            return _snapshot(root, prefix, fresh)
    _git(root, "add", "--all", "--", ".", environment=environment)
    whole = _git(root, "write-tree", environment=environment).strip()
    return _git(root, "rev-parse", f"{whole}:{prefix.rstrip('/')}", environment=environment).strip()


def _git(root: Path, *arguments: str, environment: dict[str, str] | None = None, settings: Sequence[str] = ()) -> str:
    # Without optional locks `git status` writes nothing: the index keeps its bytes.
    command = ("git", "--no-optional-locks", "-c", "core.quotePath=false", *settings, *arguments)
    environment = environment if environment is not None else git_environment()
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
    unborn = ("unknown revision", "ambiguous argument 'HEAD'", "bad revision", "malformed object name")
    if any(words in problem for words in unborn):
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
