"""``[tool.hephaestus.release]`` of pyproject.toml as frozen data; every error names the dotted field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from hephaestus.release.errors import ReleaseError
from hephaestus.release.indexes import IndexConfig, index_problems
from hephaestus.release.tags import prefix_problem
from hephaestus.release.targets import Target, read_targets

__all__ = ["BuildConfig", "CheckConfig", "Config", "ConfigurationError", "SmokeConfig", "WheelhouseConfig"]

_PREFIX = "tool.hephaestus.release"
#: Marks a field that holds tables by names of the project's own; its value is their kind.
_TABLES = "tables"


class ConfigurationError(ReleaseError):
    """Raised when a field of the configuration is unknown, of the wrong type, or out of its values."""

    def __init__(self, *, field: str, problem: str, details: Sequence[str] = ()) -> None:
        super().__init__(
            what=f"pyproject.toml: {field} {problem}",
            why="a setting that is not understood would be a setting that is ignored",
            details=details,
            next_step=f"correct or remove {field}; docs/stages.md lists every field",
        )


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """How distributions are built.

    ``constraints``: a requirements file with hashes for every build requirement, relative to the project.
    ``reproducible``: ``auto`` (by backend), ``require``, ``report`` or ``off``.
    """

    constraints: str = ""
    reproducible: str = "auto"


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """``size_budget``: the most bytes a distribution may have; ``ignore``: check-wheel-contents codes."""

    size_budget: int = 100_000_000
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SmokeConfig:
    """What smoke installs and runs.

    ``pythons``: interpreters by version (``3.12``), default the one that runs nox. ``extras``: each is installed too.
    ``imports``: modules to import, default what the wheel's top level holds. ``commands``: run with the
    environment's scripts on PATH; ``{version}`` stands for the released version. ``version_command``: its output
    must name the version.
    """

    pythons: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    version_command: str = ""
    sdist: bool = True


@dataclass(frozen=True, kw_only=True)
class WheelhouseConfig:
    """What is in the wheelhouse, and for whom.

    ``prefix``: how the archives' names begin, default the project's name. ``extras``: included with their needs.
    ``targets``: ``X.Y-PLATFORM`` each (release/targets.py), default the one that runs nox. ``default``: what the
    archive with the default name holds, ``first-target`` or ``project`` (its own wheel alone, for any platform).
    """

    prefix: str = ""
    extras: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    default: str = "first-target"

    def parsed_targets(self) -> tuple[Target, ...]:
        """The targets, in the order listed. Raises ConfigurationError with everything that is wrong with them."""
        found, problems = read_targets(self.targets)
        if problems:
            count = "a wrong entry" if len(problems) == 1 else f"{len(problems)} wrong entries"
            raise ConfigurationError(field=f"{_PREFIX}.wheelhouse.targets", problem=f"has {count}", details=problems)
        return found


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings; every one has a default that is right for most projects.

    ``tag_prefix``: what its tags begin with where a repository holds several packages (``release.tags``).
    """

    repository: str = ""
    workflow: str = "publish-pypi.yml"
    tag_prefix: str = ""
    directory: str = "release"
    testpypi: str = "required"
    prerelease_to_pypi: bool = False
    version_files: tuple[str, ...] = ()
    build: BuildConfig = field(default_factory=BuildConfig)
    check: CheckConfig = field(default_factory=CheckConfig)
    smoke: SmokeConfig = field(default_factory=SmokeConfig)
    wheelhouse: WheelhouseConfig = field(default_factory=WheelhouseConfig)
    indexes: Mapping[str, IndexConfig] = field(default_factory=dict, metadata={_TABLES: IndexConfig})

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Config:
        """Read the table; raises ConfigurationError for the first field that is not understood."""
        config = _read(cls, table, _PREFIX)
        _one_of(config.testpypi, ("required", "optional"), f"{_PREFIX}.testpypi")
        _one_of(config.build.reproducible, ("auto", "require", "report", "off"), f"{_PREFIX}.build.reproducible")
        if config.repository and not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", config.repository):
            raise ConfigurationError(field=f"{_PREFIX}.repository", problem='is not "OWNER/NAME"')
        if not re.fullmatch(r"[A-Za-z0-9._-]+\.ya?ml", config.workflow):
            raise ConfigurationError(
                field=f"{_PREFIX}.workflow", problem="is not a workflow file name such as publish-pypi.yml"
            )
        if problem := prefix_problem(config.tag_prefix):
            raise ConfigurationError(field=f"{_PREFIX}.tag-prefix", problem=problem)
        directory = config.directory
        if not directory or directory.startswith(("/", "~")) or ".." in directory.split("/") or directory == ".":
            raise ConfigurationError(field=f"{_PREFIX}.directory", problem="must be a folder below the project's root")
        config.wheelhouse.parsed_targets()
        _one_of(config.wheelhouse.default, ("first-target", "project"), f"{_PREFIX}.wheelhouse.default")
        if config.wheelhouse.default == "project" and not config.wheelhouse.targets:
            problem = 'is "project", but there are no targets to hold what it needs'
            raise ConfigurationError(field=f"{_PREFIX}.wheelhouse.default", problem=problem)
        if config.check.size_budget <= 0:
            raise ConfigurationError(field=f"{_PREFIX}.check.size-budget", problem="must be a number of bytes above 0")
        for name, index in config.indexes.items():
            for key, problem in index_problems(name, index):
                dotted = ".".join(filter(None, (_PREFIX, "indexes", name, key)))
                raise ConfigurationError(field=dotted, problem=problem)
        return config


_Table = TypeVar("_Table")


def _read(kind: type[_Table], table: Mapping[str, Any], path: str) -> _Table:
    defaults = kind()
    known = {entry.name.replace("_", "-"): entry for entry in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        dotted = f"{path}.{key}"
        if key not in known:
            raise ConfigurationError(field=dotted, problem=f"is unknown; known here: {', '.join(sorted(known))}")
        name, one = known[key].name, known[key].metadata.get(_TABLES)
        values[name] = _tables(one, value, dotted) if one else _value(getattr(defaults, name), value, dotted)
    return kind(**values)


def _tables(kind: type[_Table], value: Any, dotted: str) -> dict[str, _Table]:
    """Tables of one kind by names of the project's own."""
    found = {}
    for name, table in _mapping(value, dotted).items():
        found[name] = _read(kind, _mapping(table, f"{dotted}.{name}"), f"{dotted}.{name}")
    return found


def _mapping(value: Any, dotted: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(field=dotted, problem="must be a table")
    return value


def _value(default: Any, value: Any, dotted: str) -> Any:
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(field=dotted, problem="must be a list of strings")
        return tuple(value)
    if isinstance(default, bool | int | str):
        if type(value) is not type(default):
            kind = {bool: "true or false", int: "a whole number", str: "a string"}[type(default)]
            raise ConfigurationError(field=dotted, problem=f"must be {kind}")
        return value
    return _read(type(default), _mapping(value, dotted), dotted)


def _one_of(value: str, choices: tuple[str, ...], dotted: str) -> None:
    if value not in choices:
        raise ConfigurationError(field=dotted, problem=f"is {value!r}; it must be one of {', '.join(choices)}")
