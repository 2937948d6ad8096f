"""What a project needs to release itself with this suite, as proposals: files to make, lines to add, diffs to look at.

The workflow is this project's own one with other names in it (a test holds the template to it), so that an adopter
gets exactly what is linted, executed and described here.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hephaestus.release.config import Config
from hephaestus.release.directory import STAGES
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.release.tags import prefix_problem

__all__ = ["LOCK", "LOCK_COMMAND", "Proposal", "StarterError", "proposals"]

#: Where an adopter's lock of the suite lies, one for all packages of a repository, and what it is made from.
LOCK = ".github/release.txt"
_LOCKED = ".github/release.in"

#: How the lock is made; it needs an index, so it is a person's step.
LOCK_COMMAND = (
    "uv pip compile --universal --python-version 3.11 --generate-hashes --only-binary :all: "
    f"{_LOCKED} --output-file {LOCK}"
)

#: What can stand in a workflow as it is: in YAML, and in the patterns that artifacts are found by.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*\Z")

_TEMPLATE = Path(__file__).parent / "templates" / "publish-pypi.yml"

_NOXFILE = """\
# /// script
# dependencies = ["nox>=2026.8.10", "hephaestus-toolkit"]
# ///
from hephaestus.nox import release_sessions

release_sessions()
"""

_CALL = "\n\nfrom hephaestus.nox import release_sessions  # noqa: E402\n\nrelease_sessions()\n"


class StarterError(ReleaseError):
    """Raised when a file of the project stands in the way of what would be written."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what=what, why=why, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One file as it is (None: it is not there) and as it should be; ``adds`` when only lines are added to it.

    ``path`` is below the top of the repository.
    """

    path: str
    before: str | None
    after: str
    adds: bool = False

    @property
    def new(self) -> bool:
        """Whether there is no such file."""
        return self.before is None

    @property
    def same(self) -> bool:
        """Whether there is nothing to do."""
        return self.before == self.after

    @property
    def safe(self) -> bool:
        """Whether it can be written without a word: nothing of anybody's would change or go."""
        return self.new or self.adds

    def diff(self) -> str:
        """A unified diff, for people."""
        old, new = (self.before or "").splitlines(), self.after.splitlines()
        return "\n".join(difflib.unified_diff(old, new, self.path, self.path, n=2, lineterm=""))


def proposals(project: Project, *, repository: str, suite: str, top: Path | None = None) -> list[Proposal]:
    """Every file of the project that the suite needs, in reading order; reads only. Raises StarterError.

    ``repository`` is ``OWNER/NAME`` on GitHub, ``suite`` the version of this suite that is to be locked. ``top``
    is where its git repository begins: a project below that is taken for one of several, with tags and a workflow of
    its own, unless it has settings already, which say what it is.
    """
    top = top or project.root
    below = project.root.resolve().relative_to(top.resolve()).as_posix()
    folder = "" if below == "." else f"{below}/"
    settings = _settings(project, repository, folder)
    config = Config.read(settings)
    own = [_noxfile(project.root), _pyproject(project.root, settings), _gitignore(project)]
    workflow = f".github/workflows/{config.workflow}"
    text = _workflow(project, config, repository=repository, folder=folder)
    locked = f"# What every job of {config.workflow} installs.\nhephaestus-toolkit=={suite}\n"
    before = _text(top, _LOCKED)
    has_suite = before is not None and re.search(r"^hephaestus-toolkit\b", before, re.MULTILINE) is not None
    return [
        *(replace(proposal, path=f"{folder}{proposal.path}") for proposal in own),
        Proposal(path=workflow, before=_text(top, workflow), after=text),
        Proposal(path=_LOCKED, before=before, after=before if before is not None and has_suite else locked),
    ]


def _settings(project: Project, repository: str, folder: str) -> Mapping[str, Any]:
    """The table of settings: as it is, or as it will be written."""
    text = _text(project.root, "pyproject.toml") or ""
    tool = tomllib.loads(text.replace("\r\n", "\n")).get("tool", {})
    known = tool.get("hephaestus", {}) if isinstance(tool, dict) else {}
    if "release" in known:
        there: Mapping[str, Any] = known["release"]
        return there
    if not folder:
        return {"repository": repository}
    names = [re.sub(r"[^A-Za-z0-9._-]+", "-", name) for name in (folder.rstrip("/").rpartition("/")[2], project.name)]
    name = next((name for name in names if not prefix_problem(f"{name}-")), "")
    if not name:
        raise StarterError(
            what=f"the package's tags cannot begin with `{names[0]}-`, nor with `{names[1]}-`",
            why="packages of one repository have tags of their own, such as core-v1.2.3; a prefix that begins with `v` "
            "would be matched by `v*`",
            next_step='write `tag-prefix = "...-"` and `workflow = "publish-....yml"` into [tool.hephaestus.release], '
            "then run the same command again",
        )
    return {"repository": repository, "tag-prefix": f"{name}-", "workflow": f"publish-{name}.yml"}


def _workflow(project: Project, config: Config, *, repository: str, folder: str) -> str:
    directory = f"{folder}{config.directory.strip('/')}"
    if not _PLAIN.match(directory):
        raise StarterError(
            what=f"the workflow cannot name the folder {directory!r}",
            why="artifacts are named by patterns, in which more than letters, digits, `.`, `_` and `-` has a meaning",
            next_step="give the folder a plain name, or set [tool.hephaestus.release] directory",
        )
    where = f"    working-directory: {folder.rstrip('/')}\n"
    text = _TEMPLATE.read_text(encoding="utf-8")
    for word, value in {
        "@REPOSITORY@": repository,
        "@PROJECT@": project.normalized,
        "@LOCK@": LOCK,
        "@UP@": "../" * folder.count("/"),
        "@NAME@": f"Publish {project.normalized}" if folder else "Publish",
        "@PREFIX@": config.tag_prefix,
        "@GROUP@": config.workflow.rpartition(".")[0],
        "@DIRECTORY@": directory,
        "@DEFAULTS@": f"\n# Every command is run where the package is.\ndefaults:\n  run:\n{where}" if folder else "",
        "@AT_THE_TOP@": "        working-directory: . # nothing is checked out\n" if folder else "",
    }.items():
        text = text.replace(word, value)
    return text


def _noxfile(root: Path) -> Proposal:
    before = _text(root, "noxfile.py")
    if before is None:
        return Proposal(path="noxfile.py", before=None, after=_NOXFILE)
    try:
        tree = ast.parse(before.removeprefix("\ufeff"))
    except (SyntaxError, ValueError) as error:
        raise StarterError(
            what=f"noxfile.py cannot be read: {error}",
            why="the one call of this suite belongs into it",
            next_step="mend noxfile.py, then run the same command again",
        ) from error
    if any(isinstance(node, ast.Call) and _last_name(node.func) == "release_sessions" for node in ast.walk(tree)):
        return Proposal(path="noxfile.py", before=before, after=before)
    clashes = sorted({*STAGES, "release", "bump"} & set(_sessions(tree)))
    if clashes:
        raise StarterError(
            what=f"noxfile.py has sessions of its own called {', '.join(clashes)}",
            why="nox would refuse two sessions of one name",
            next_step="rename them, then run the same command again; or call release_sessions(prefix='release-') there "
            "and write the prefix into the workflow's commands",
        )
    end = _line_end(before)
    return Proposal(path="noxfile.py", before=before, after=before.rstrip() + _CALL.replace("\n", end))


def _pyproject(root: Path, settings: Mapping[str, Any]) -> Proposal:
    before = _text(root, "pyproject.toml") or ""
    tool = tomllib.loads(before.replace("\r\n", "\n")).get("tool", {})
    if isinstance(tool, dict) and "release" in tool.get("hephaestus", {}):
        return Proposal(path="pyproject.toml", before=before, after=before)
    end = _line_end(before)
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    table = end.join(["[tool.hephaestus.release]", *lines, ""])
    after = f"{before.rstrip()}{end}{end}{table}"
    try:
        tomllib.loads(after.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise StarterError(
            what="pyproject.toml has no room for a table [tool.hephaestus.release]",
            why="`tool` or `tool.hephaestus` is written in one line there, which TOML does not let be extended",
            next_step=f"write {', '.join(f'tool.hephaestus.release.{line}' for line in lines)} there by hand",
        ) from error
    return Proposal(path="pyproject.toml", before=before, after=after, adds=True)


def _gitignore(project: Project) -> Proposal:
    before = _text(project.root, ".gitignore")
    known = {line.strip().strip("/") for line in (before or "").splitlines()}
    # What a run leaves beside the sources would make the tree differ from the commit, which no publish accepts: what
    # Python writes when it reads the noxfile, and in the workflow's jobs the environment nox is installed into.
    wanted = {project.config.directory.strip("/"): "/", ".nox": "/", ".venv": "/", "__pycache__": ""}
    folders = [f"{anchor}{name}/" for name, anchor in wanted.items() if name not in known]
    if before is not None and not folders:
        return Proposal(path=".gitignore", before=before, after=before)
    end = _line_end(before or "\n")
    start = f"{before.rstrip()}{end}" if before and before.strip() else ""
    return Proposal(
        path=".gitignore", before=before, after=start + "".join(f"{name}{end}" for name in folders), adds=True
    )


def _sessions(tree: ast.AST) -> Iterator[str]:
    """The names under which a noxfile registers sessions, as far as its text says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if _last_name(called) == "session":
                    yield _given_name(decorator) or node.name
        elif isinstance(node, ast.Call) and _last_name(node.func) == "session":
            yield _given_name(node)


def _given_name(node: ast.expr) -> str:
    for keyword in node.keywords if isinstance(node, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(root: Path, path: str) -> str | None:
    """A file's text with its own line ends, or None where there is none; raises StarterError."""
    file = root / path
    if not file.exists() and not file.is_symlink():
        return None
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StarterError(
            what=f"{path} cannot be read: {error}",
            why="what stands there must not be lost",
            next_step=f"move {path} away or mend it, then run the same command again",
        ) from error


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
