"""A version written in a file: read there, never run. What is not written out as text is refused, with its line."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import ReleaseError
from hephaestus.release.manifest import unsafe_path
from hephaestus.release.versions import Occurrence, text_occurrences

__all__ = ["VersionFile", "VersionFileError", "written_version"]


class VersionFileError(ReleaseError):
    """Raised when the file a setting names does not say the version as text; ``place`` is ``path`` or ``path:line``."""

    def __init__(self, *, place: str, problem: str, setting: str, remedy: str) -> None:
        self.place = place
        super().__init__(
            what=f"{place} {problem}",
            why=f"{setting} says that the version is there; it must be known before anything is built, and to run the "
            "project's code or its build backend for it is what no job with an identity may do",
            next_step=remedy,
        )


@dataclass(frozen=True, kw_only=True)
class VersionFile:
    """Where a version is written: ``path`` below the project, as ``setting`` says.

    ``names``: variables at the top level of a Python file, one of which holds it. ``pattern``: a regular expression
    over the lines, whose ``group`` it is. With neither the file is text: the version alone, or (``fields``) the first
    ``version = ...`` of TOML, INI, YAML or JSON.
    """

    path: str
    setting: str
    names: tuple[str, ...] = ()
    pattern: str = ""
    group: str | int = "version"
    fields: bool = False


def written_version(root: Path, file: VersionFile) -> Occurrence:
    """The version as it is written below ``root``, with its line; raises VersionFileError."""
    if reason := unsafe_path(file.path):
        raise _refused(file, f"cannot be where the version is: {reason}", "name a file below the project's root")
    if ".git" in file.path.lower().split("/"):
        raise _refused(file, "cannot be where the version is: is git's own", "name a file that is committed")
    try:
        # What is elsewhere, such as a process's environment, would be quoted in a refusal.
        if not (root / file.path).resolve().is_relative_to(root.resolve()):
            raise _refused(file, "cannot be read: a link leads out of the project", "put the file itself there")
        content = (root / file.path).read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _refused(file, "does not exist", f"commit it, or correct {file.setting}") from error
    except (OSError, RuntimeError, UnicodeDecodeError) as error:  # resolve() tells of loops by RuntimeError until 3.12
        raise _refused(file, f"cannot be read: {error}", "save it as a text file in UTF-8") from error
    if file.names:
        found = _in_python(content, file)
    elif file.pattern:
        found = _by_pattern(text, file)
    else:
        found = _in_text(root, text, file)
    try:
        Version(found.version)
    except InvalidVersion as error:
        problem = f"says {found.version!r}, which is no PEP 440 version"
        raise _refused(file, problem, "write it as X.Y.Z, X.Y.ZrcN, X.Y.Z.postN or X.Y.Z.devN", found.line) from error
    return found


def _refused(file: VersionFile, problem: str, remedy: str, line: int = 0) -> VersionFileError:
    place = f"{file.path}:{line}" if line else file.path
    return VersionFileError(place=place, problem=problem, setting=file.setting, remedy=remedy)


def _in_python(content: bytes, file: VersionFile) -> Occurrence:
    wanted = " or ".join(f"`{name}`" for name in file.names)
    plain = f'write one line `{file.names[0]} = "X.Y.Z"` there'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the file's own interpreter has to say is not our concern
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(file, f"is no Python that can be read: {error}", f"mend it, and {plain}") from error
    found = list(_assignments(tree, file.names))
    if not found:
        line = next(_mentions(tree, file.names), 0)
        problem = f"gets {wanted} by running code" if line else f"assigns no {wanted}"
        raise _refused(file, problem, plain, line)
    if len(found) > 1:
        lines = ", ".join(str(statement.lineno) for statement in found)
        raise _refused(file, f"assigns {wanted} more than once (lines {lines})", plain, found[-1].lineno)
    (statement,) = found
    value = None if isinstance(statement, ast.AugAssign) else statement.value
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        raise _refused(file, f"computes {wanted}: it is no plain string", plain, statement.lineno)
    return Occurrence(path=file.path, line=value.lineno, version=value.value.strip())


def _assignments(tree: ast.Module, names: Sequence[str]) -> Iterator[ast.Assign | ast.AnnAssign | ast.AugAssign]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AugAssign) or (isinstance(statement, ast.AnnAssign) and statement.value):
            targets = [statement.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id in names for target in targets):
            yield statement


def _mentions(tree: ast.Module, names: Sequence[str]) -> Iterator[int]:
    """Lines on which a name gets its value in another way: in a branch, by an import, from a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Store):
            yield node.lineno
        elif isinstance(node, ast.ImportFrom | ast.Import):
            if any((alias.asname or alias.name) in names for alias in node.names):
                yield node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            yield node.lineno


def _by_pattern(text: str, file: VersionFile) -> Occurrence:
    try:
        match = re.search(file.pattern, text, re.MULTILINE)
    except (re.error, RecursionError) as error:
        remedy = f"correct {file.setting}"
        raise _refused(file, f"cannot be searched: the pattern {file.pattern!r} is none ({error})", remedy) from error
    if match is None:
        raise _refused(
            file, f"has no line that {file.pattern!r} matches", f"write the version there, or correct {file.setting}"
        )
    try:
        version = match[file.group]
    except IndexError as error:
        raise _refused(
            file, f"cannot be read: {file.pattern!r} has no group {file.group!r}", f"correct {file.setting}"
        ) from error
    if version is None:
        raise _refused(file, f"leaves the group {file.group!r} of {file.pattern!r} empty", f"correct {file.setting}")
    return Occurrence(path=file.path, line=text.count("\n", 0, match.start(file.group)) + 1, version=version)


def _in_text(root: Path, text: str, file: VersionFile) -> Occurrence:
    if file.fields:
        found = next(text_occurrences(root, file.path), None)
        if found is None:
            raise _refused(file, "names no version", "write `version = X.Y.Z` there, or the version alone")
        return found
    words = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(words) != 1:
        raise _refused(file, f"holds {len(words) or 'no'} lines of text", "write the version there, and nothing else")
    return Occurrence(path=file.path, line=words[0][0], version=words[0][1])
