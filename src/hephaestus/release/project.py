"""The project being released: its name, version and ``[tool.hephaestus.release]``, read from pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hephaestus.release.config import Config
from hephaestus.release.errors import ReleaseError
from hephaestus.release.mistakes import ConfigurationError, Mistake
from hephaestus.release.source import SourceError, is_shallow, tags_here
from hephaestus.release.tagged_version import newest_version, tagged_version
from hephaestus.release.tags import tag_of
from hephaestus.release.version_files import written_version
from hephaestus.release.version_source import VersionSource, version_source

__all__ = ["Project", "ProjectError", "read_project"]

#: The name that begins a requirement (PEP 508).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

#: Stands in for a version that [project] calls dynamic until it is read where it is.
_ELSEWHERE = ""


class ProjectError(ReleaseError):
    """Raised when pyproject.toml is missing, unreadable or does not say what is to be released."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what=what, why=why, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What is released. ``root`` holds pyproject.toml.

    ``version`` is exactly as it is written at ``version_place`` (``path``, ``path:line``, or the tag), where
    ``version_source`` says that it is.
    """

    root: Path
    name: str
    version: str
    config: Config
    urls: Mapping[str, str] = field(default_factory=dict)
    backend: str = ""
    build_requires: tuple[str, ...] = ()
    version_source: VersionSource = field(default_factory=VersionSource)
    version_place: str = "pyproject.toml"

    @property
    def normalized(self) -> str:
        """The name as indexes compare it (PEP 503)."""
        return canonicalize_name(self.name)

    @property
    def file_name(self) -> str:
        """The name as it begins file names (PEP 625, PEP 427)."""
        return self.normalized.replace("-", "_")

    def requires(self, name: str) -> bool:
        """Whether a build of the project installs the distribution of that name (PEP 518)."""
        return name in {canonicalize_name(found[0]) for one in self.build_requires if (found := _NAME.match(one))}

    @property
    def tag(self) -> str:
        """The tag of this version: ``v<version>`` (requirement C6), after the package's prefix if it has one."""
        return tag_of(self.version, self.config.tag_prefix)

    @property
    def prerelease(self) -> bool:
        """Whether PEP 440 calls the version a pre-release (development releases included)."""
        return Version(self.version).is_prerelease

    @property
    def repository(self) -> str:
        """``OWNER/NAME`` on GitHub: configured, or taken from the project's URLs; an assumption where neither says."""
        if self.config.repository:
            return self.config.repository
        for url in self.urls.values():
            owner_name = url.removeprefix("https://github.com/").removesuffix(".git").rstrip("/")
            if url.startswith("https://github.com/") and owner_name.count("/") == 1:
                return owner_name
        return f"example/{self.normalized}"

    @property
    def repository_assumed(self) -> bool:
        """Whether ``repository`` was made up because nothing names it: good for a rehearsal only."""
        return self.repository.startswith("example/") and self.config.repository != self.repository


def read_project(root: Path, *, tag: str = "", newest: bool = False) -> Project:
    """Read ``root/pyproject.toml``, and the version where that says it is; no build backend and no code is run.

    Where the version comes from the tag it is that of the tag at the commit, else of ``tag`` (which a rehearsal may
    give); with ``newest``, for whoever looks at the project and at no single release, of the newest tag in its history.
    Raises ProjectError, ConfigurationError, what ``version_source`` and ``tagged_version`` raise, SourceError.
    """
    path = root / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        project = _read(root, text)
    except FileNotFoundError as error:
        raise ProjectError(
            what=f"{path.name} does not exist here",
            why="the suite releases the Python project in whose folder it is called",
            next_step="run the same command in the project's root, or add a pyproject.toml with a [project] table",
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProjectError(
            what=f"{path.name} cannot be read: {error}",
            why="name, version and release configuration stand there",
            next_step=f"mend {path.name}; every TOML checker names the same place",
        ) from error
    if project.version != _ELSEWHERE:
        return project
    return _with_version(project, tomllib.loads(text), tag=tag, newest=newest)


def _with_version(project: Project, data: Mapping[str, Any], *, tag: str, newest: bool) -> Project:
    """The project with its version, which does not stand in [project]: asked for afresh each time."""
    source = version_source(data, project.root, version_from=project.config.version_from)
    if source.file is not None:
        found = written_version(project.root, source.file)
        return replace(project, version=found.version, version_source=source, version_place=found.place)
    prefix = project.config.tag_prefix
    if newest:
        try:
            tags = tags_here(project.root, history=True)
        except SourceError:
            tags = ()  # who asks so looks at more than this clone, and tells by itself what is wrong with git
        version = newest_version(tags, prefix=prefix)
    else:
        version = tagged_version(
            tags_here(project.root),
            prefix=prefix,
            given=tag,
            setting=source.setting,
            shallow=is_shallow(project.root),
        )
    return replace(project, version=version, version_source=source, version_place=f"the tag {tag_of(version, prefix)}")


@lru_cache(maxsize=8)
def _read(root: Path, text: str) -> Project:
    """The project of that text: every session of a run reads the same one."""
    data = tomllib.loads(text)
    table = _table(data, "project")
    name = _name(table)
    version = _version(table)
    build = _table(data, "build-system")
    config = Config.read(_table(_table(_table(data, "tool"), "hephaestus"), "release"), text=text)
    if config.version_from and version != _ELSEWHERE:
        problem = "is set, but project.version says the version already"
        raise ConfigurationError([Mistake(field="tool.hephaestus.release.version-from", problem=problem)], text=text)
    backend = build.get("build-backend", "setuptools.build_meta:__legacy__")
    requires = build.get("requires", ())
    urls = {str(label): str(url) for label, url in _table(table, "urls").items()}
    return Project(
        root=root,
        name=name,
        version=version,
        config=config,
        urls=urls,
        backend=str(backend),
        build_requires=tuple(map(str, requires)) if isinstance(requires, list) else (),
    )


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError([Mistake(field=name, problem="must be a table")])
    return value


def _name(table: Mapping[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError(
            what="pyproject.toml: [project] has no `name`",
            why="the name is what every file, index and signature of the release is held against",
            next_step='add `name = "..."` to [project]',
        )
    return name


def _version(table: Mapping[str, Any]) -> str:
    version = table.get("version")
    dynamic = table.get("dynamic", ())
    if version is None and isinstance(dynamic, list) and "version" in dynamic:
        return _ELSEWHERE
    if not isinstance(version, str):
        raise ProjectError(
            what="pyproject.toml: [project] has no `version`",
            why="the release directory, the tag and every receipt carry the version before anything is built",
            next_step='write the version as `version = "X.Y.Z"` in [project], or add "version" to project.dynamic and '
            "say where it is (docs/adopting.md)",
        )
    try:
        Version(version)
    except InvalidVersion as error:
        raise ProjectError(
            what=f"pyproject.toml: project.version {version!r} is no PEP 440 version",
            why="every index refuses it, and no installer could order it",
            next_step="write it as X.Y.Z, X.Y.ZrcN, X.Y.Z.postN or X.Y.Z.devN",
        ) from error
    return version
