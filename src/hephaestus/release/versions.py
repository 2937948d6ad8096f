"""The version: how it must be written, where it is written, and the tag that goes with it. Pure reading."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from hephaestus.release.errors import Finding, Severity
from hephaestus.release.manifest import unsafe_path
from hephaestus.release.tags import meant_by_tag, tag_of

__all__ = [
    "Occurrence",
    "bump_command",
    "changelog_findings",
    "next_version",
    "occurrences",
    "tag_findings",
    "text_occurrences",
    "version_findings",
]

#: Modules of a package in which projects keep ``__version__``.
_MODULES = ("__init__.py", "_version.py", "version.py", "__about__.py", "__version__.py")

#: Names that hold a version at the top level of a Python file.
_NAMES = ("__version__", "version", "VERSION")

_FIELD = re.compile(r"""^\s*["']?(?:__)?version(?:__)?["']?\s*[:=]\s*["']?v?([0-9][^\s"',;#]*)""", re.IGNORECASE)
_TABLE = re.compile(r"^\s*\[(?P<name>[^\[\]]+)\]\s*(?:#.*)?$")


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One place where the version is written: ``path`` below the project, ``line`` counted from 1."""

    path: str
    line: int
    version: str

    @property
    def place(self) -> str:
        """``path:line``, as editors open it."""
        return f"{self.path}:{self.line}"


def occurrences(
    root: Path,
    *,
    package: str,
    version_files: Sequence[str] = (),
    origin: Sequence[Occurrence] = (),
    written: Sequence[str] = (),
) -> list[Occurrence]:
    """Every place below ``root`` where the version is written, in reading order.

    Looked at: ``[project]`` of pyproject.toml; ``__version__`` as a plain string in the modules customary for it,
    read and never run, of the package named ``package`` (below ``src/`` or at the root) or else of the only one
    below ``src/``; the configured ``version_files``, of any kind. A file that is not there, or not readable as
    text, has no occurrence. ``origin`` is where the version of a project is that has it elsewhere; the files
    ``written`` are made by the build, so that nothing in them says a version yet.
    """
    found = [*_in_pyproject(root), *origin]
    for path in (f"{folder}/{module}" for folder in _packages(root, package) for module in _MODULES):
        if path not in written:
            known = {(place.path, place.line) for place in found}
            places = _in_python(root, path, names=("__version__",))
            found += [place for place in places if (place.path, place.line) not in known]
    for path in version_files:
        if not unsafe_path(path) and path not in {place.path for place in found}:
            found += _in_python(root, path, names=_NAMES) if path.endswith(".py") else text_occurrences(root, path)
    return found


def version_findings(
    root: Path,
    *,
    version: str,
    package: str,
    version_files: Sequence[str] = (),
    origin: str = "pyproject.toml",
    written: Sequence[str] = (),
) -> list[Finding]:
    """Every place where another version is written, and every configured file that names none.

    ``origin`` names where ``version`` comes from; ``written`` as for ``occurrences``.
    """
    places = occurrences(root, package=package, version_files=version_files, written=written)
    findings = [
        Finding(
            code="version-differs",
            subject=place.place,
            message=f"says {place.version}, {origin} says {version}",
            remedy=f"write {version} there, or the other way round",
        )
        for place in places
        if place.version != version
    ]
    named = {place.path for place in places}
    for path in version_files:
        if path in named:
            continue
        reason = unsafe_path(path)
        if reason:
            message = f"is configured as a version file, but {reason}"
        elif (root / path).is_file():
            message = "is configured as a version file, but names no version"
        else:
            message = "is configured as a version file, but is not in the source"
        remedy = "correct tool.hephaestus.release.version-files, or commit the file with the version"
        findings.append(Finding(code="version-file", subject=path, message=message, remedy=remedy))
    return findings


def tag_findings(
    *,
    version: str,
    tags: Sequence[str],
    commit: str,
    required: bool,
    given: str = "",
    prefix: str = "",
    origin: str = "pyproject.toml",
) -> list[Finding]:
    """Hold the tag against the version: exactly ``<prefix>v<version>`` (C6), at this very commit where required.

    ``tags`` are those that point at ``commit``; ``given`` is the tag somebody asked for. A tag of another
    version, or of this one in another spelling, refuses even where no tag is required: it says what the commit
    was meant to be. Tags of another prefix are of another package of the repository, and say nothing here.
    ``origin`` names where ``version`` comes from.
    """
    wanted = tag_of(version, prefix)
    findings = []
    if given and given != wanted:
        findings.append(
            Finding(
                code="tag-differs",
                subject=given,
                message=f"was asked for as the tag, version {version} has the tag {wanted}",
                remedy=f"say {wanted}, or {_write('another version', origin)}",
            )
        )
    if wanted in tags:
        return findings
    versioned = {tag: meant for tag in tags if (meant := meant_by_tag(tag, prefix)) is not None}
    for tag, meant in versioned.items():
        same = meant == Version(version)
        if tag == f"{prefix}{version}":
            message, remedy = f"lacks the `v`: the tag of version {version} is {wanted}", _retag(tag, wanted)
        elif same:
            message = f"is another spelling of version {version}, which has the tag {wanted}"
            remedy = _retag(tag, wanted)
        else:
            message = f"is at this commit, but {origin} says {version}"
            remedy = f"{_write(str(meant), origin)} and tag that commit, or take the tag away"
        findings.append(Finding(code="tag-differs", subject=tag, message=message, remedy=remedy))
    if required and not versioned:
        findings.append(
            Finding(
                code="tag-missing",
                subject=wanted,
                message=f"does not point at this commit ({commit[:12]})",
                remedy=f"git tag -a {wanted} -m {wanted} {commit[:12]} && git push origin {wanted}; if the tag is "
                f"elsewhere already, check that commit out: git checkout {wanted}",
            )
        )
    return findings


def changelog_findings(root: Path, *, version: str) -> list[Finding]:
    """A warning when CHANGELOG.md has the shape of Keep a Changelog but nothing about this version."""
    from hephaestus.release.changelog import read_changelog

    log = read_changelog("\n".join(_lines(root / "CHANGELOG.md")))
    if not log.shaped or log.unreleased or any(section.name == version for section in log.versions):
        return []
    return [
        Finding(
            code="changelog-silent",
            subject="CHANGELOG.md",
            message=f"has no section of version {version} and no [Unreleased]",
            remedy=f"add `## [{version}] - YYYY-MM-DD`",
            severity=Severity.WARNING,
        )
    ]


def next_version(version: str) -> str:
    """The least version after ``version`` of the same kind: 1.2.3 -> 1.2.4, 2.0rc1 -> 2.0rc2. Raises InvalidVersion."""
    parsed = Version(version)
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    release = ".".join(str(part) for part in parsed.release)
    pre = f"{parsed.pre[0]}{parsed.pre[1]}" if parsed.pre else ""
    if parsed.dev is not None:
        post = f".post{parsed.post}" if parsed.post is not None else ""
        return f"{epoch}{release}{pre}{post}.dev{parsed.dev + 1}"
    if parsed.post is not None:
        return f"{epoch}{release}{pre}.post{parsed.post + 1}"
    if parsed.pre:
        return f"{epoch}{release}{parsed.pre[0]}{parsed.pre[1] + 1}"
    *kept, last = parsed.release
    return epoch + ".".join(str(part) for part in (*kept, last + 1))


def bump_command(version: str) -> str:
    """The command that makes the least version after ``version``. Raises InvalidVersion."""
    return f"nox -s bump -- {next_version(version)}"


def _packages(root: Path, package: str) -> list[str]:
    named = [folder for folder in (f"src/{package}", package) if (root / folder / "__init__.py").is_file()]
    if named or not (root / "src").is_dir():
        return named
    inside = sorted(path.parent.name for path in (root / "src").glob("*/__init__.py"))
    return [f"src/{inside[0]}"] if len(inside) == 1 else []


def _in_pyproject(root: Path) -> Iterator[Occurrence]:
    table = ""
    for number, line in enumerate(_lines(root / "pyproject.toml"), start=1):
        if match := _TABLE.match(line):
            table = match["name"].strip()
        elif table == "project" and (match := re.match(r"""\s*version\s*=\s*["']([^"']*)["']""", line)):
            yield Occurrence(path="pyproject.toml", line=number, version=match[1])


def _in_python(root: Path, path: str, *, names: Sequence[str]) -> Iterator[Occurrence]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the file's own interpreter has to say is not our concern
            tree = ast.parse("\n".join(_lines(root / path)))
    except (SyntaxError, ValueError):
        return
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if not any(isinstance(target, ast.Name) and target.id in names for target in targets):
            continue
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield Occurrence(path=path, line=value.lineno, version=value.value)


def text_occurrences(root: Path, path: str) -> Iterator[Occurrence]:
    """The first ``version = ...`` (TOML, INI, YAML, JSON), or the one line of a file that is only a version."""
    lines = _lines(root / path)
    words = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(words) == 1 and meant_by_tag(words[0][1]) is not None:
        yield Occurrence(path=path, line=words[0][0], version=words[0][1].removeprefix("v"))
        return
    for number, line in enumerate(lines, start=1):
        if match := _FIELD.match(line):
            yield Occurrence(path=path, line=number, version=match[1])
            return


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n") if path.is_file() else []
    except (OSError, UnicodeDecodeError):
        return []


def _write(version: str, origin: str) -> str:
    return f"set project.version to {version}" if origin == "pyproject.toml" else f"write {version} in {origin}"


def _retag(tag: str, wanted: str) -> str:
    return f"git tag -a {wanted} -m {wanted} '{tag}^{{}}' && git tag -d {tag}"
