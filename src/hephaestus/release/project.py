"""The project being released: its name, version and ``[tool.hephaestus.release]``, read from pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hephaestus.release.config import Config
from hephaestus.release.errors import ReleaseError
from hephaestus.release.mistakes import ConfigurationError, Mistake
from hephaestus.release.tags import tag_of

__all__ = ["Project", "ProjectError", "read_project"]


class ProjectError(ReleaseError):
    """Raised when pyproject.toml is missing, unreadable or does not say what is to be released."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what=what, why=why, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What is released. ``root`` holds pyproject.toml; ``version`` is exactly as written there."""

    root: Path
    name: str
    version: str
    config: Config
    urls: Mapping[str, str] = field(default_factory=dict)
    backend: str = ""

    @property
    def normalized(self) -> str:
        """The name as indexes compare it (PEP 503)."""
        return canonicalize_name(self.name)

    @property
    def file_name(self) -> str:
        """The name as it begins file names (PEP 625, PEP 427)."""
        return self.normalized.replace("-", "_")

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


def read_project(root: Path) -> Project:
    """Read ``root/pyproject.toml``; raises ProjectError, ConfigurationError."""
    path = root / "pyproject.toml"
    try:
        return _read(root, path.read_text(encoding="utf-8"))
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


@lru_cache(maxsize=8)
def _read(root: Path, text: str) -> Project:
    """The project of that text: every session of a run reads the same one."""
    data = tomllib.loads(text)
    table = _table(data, "project")
    name = _name(table)
    version = _version(table)
    config = Config.read(_table(_table(_table(data, "tool"), "hephaestus"), "release"), text=text)
    backend = _table(data, "build-system").get("build-backend", "setuptools.build_meta:__legacy__")
    urls = {str(label): str(url) for label, url in _table(table, "urls").items()}
    return Project(root=root, name=name, version=version, config=config, urls=urls, backend=str(backend))


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
    if not isinstance(version, str):
        dynamic = "version" in table.get("dynamic", ())
        raise ProjectError(
            what="pyproject.toml: project.version is dynamic"
            if dynamic
            else "pyproject.toml: [project] has no `version`",
            why="the release directory, the tag and every receipt carry the version before anything is built",
            next_step='write the version as `version = "X.Y.Z"` in [project]',
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
