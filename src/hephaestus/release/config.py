"""``[tool.hephaestus.release]`` of pyproject.toml as frozen data; every error names the dotted field."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from hephaestus.release.indexes import IndexConfig, index_problems
from hephaestus.release.mistakes import ConfigurationError, Mistakes
from hephaestus.release.tags import prefix_problem
from hephaestus.release.targets import Target, read_targets

__all__ = ["BuildConfig", "CheckConfig", "Config", "ConfigurationError", "SmokeConfig", "WheelhouseConfig"]

_PREFIX = "tool.hephaestus.release"
#: Marks a field that holds tables by names of the project's own; its value is their kind.
_TABLES = "tables"
_KINDS = {bool: "true or false", int: "a whole number", str: "a string"}


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """How distributions are built.

    ``constraints``: a requirements file with hashes for every build requirement, relative to the project.
    ``reproducible``: ``auto`` (by backend), ``require``, ``report`` or ``off``. ``generators``: programs whose output
    is committed, ``python FILE ...`` each.
    """

    constraints: str = ""
    reproducible: str = "auto"
    generators: tuple[str, ...] = ()


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
        mistakes = Mistakes()
        _wrong_targets(problems, mistakes)
        if mistakes.found:
            raise ConfigurationError(mistakes.found)
        return found


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings; every one has a default that is right for most projects.

    ``tag_prefix``: what its tags begin with where a repository holds several packages (``release.tags``).
    ``annotated_tags``: whether a lightweight tag is refused.
    ``version_from``: the file a dynamic version is written in, or ``tag`` (``release.version_source``).
    """

    repository: str = ""
    workflow: str = "publish-pypi.yml"
    tag_prefix: str = ""
    annotated_tags: bool = False
    directory: str = "release"
    testpypi: str = "required"
    prerelease_to_pypi: bool = False
    version_files: tuple[str, ...] = ()
    version_from: str = ""
    build: BuildConfig = field(default_factory=BuildConfig)
    check: CheckConfig = field(default_factory=CheckConfig)
    smoke: SmokeConfig = field(default_factory=SmokeConfig)
    wheelhouse: WheelhouseConfig = field(default_factory=WheelhouseConfig)
    indexes: Mapping[str, IndexConfig] = field(default_factory=dict, metadata={_TABLES: IndexConfig})

    @classmethod
    def read(cls, table: Mapping[str, Any], *, text: str = "") -> Config:
        """Read the table; raises ConfigurationError with every field that is not understood.

        ``text`` is the whole document, so that the error can name lines.
        """
        mistakes = Mistakes()
        config = _read(cls, table, _PREFIX, mistakes)
        _judge(config, mistakes)
        if mistakes.found:
            raise ConfigurationError(mistakes.found, text=text)
        return config


def _judge(config: Config, mistakes: Mistakes) -> None:
    """Hold every value against those it may have."""
    one_of = {
        "testpypi": (config.testpypi, ("required", "optional")),
        "build.reproducible": (config.build.reproducible, ("auto", "require", "report", "off")),
        "wheelhouse.default": (config.wheelhouse.default, ("first-target", "project")),
    }
    for name, (value, choices) in one_of.items():
        if value not in choices:
            mistakes.add(f"{_PREFIX}.{name}", f"is {value!r}; it must be one of {', '.join(choices)}")
    if config.repository and not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", config.repository):
        mistakes.add(f"{_PREFIX}.repository", 'is not "OWNER/NAME"')
    if not re.fullmatch(r"[A-Za-z0-9._-]+\.ya?ml", config.workflow):
        mistakes.add(f"{_PREFIX}.workflow", "is not a workflow file name such as publish-pypi.yml")
    if problem := prefix_problem(config.tag_prefix):
        mistakes.add(f"{_PREFIX}.tag-prefix", problem)
    directory = config.directory
    if not directory or directory.startswith(("/", "~")) or ".." in directory.split("/") or directory == ".":
        mistakes.add(f"{_PREFIX}.directory", "must be a folder below the project's root")
    _wrong_targets(read_targets(config.wheelhouse.targets)[1], mistakes)
    if problems := [problem for command in config.build.generators if (problem := _no_generator(command))]:
        mistakes.add(f"{_PREFIX}.build.generators", "must be commands of Python", details=problems)
    targets = f"{_PREFIX}.wheelhouse.targets"
    if config.wheelhouse.default == "project" and not config.wheelhouse.targets and not mistakes.of(targets):
        mistakes.add(f"{_PREFIX}.wheelhouse.default", 'is "project", but there are no targets to hold what it needs')
    if config.check.size_budget <= 0:
        mistakes.add(f"{_PREFIX}.check.size-budget", "must be a number of bytes above 0")
    for name, index in config.indexes.items():
        for key, problem in index_problems(name, index):
            mistakes.add(".".join(filter(None, (_PREFIX, "indexes", name, key))), problem)


def _no_generator(command: str) -> str:
    """Why that is no command of a generator, or an empty string: only the build's own Python is there to run it."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"{command!r}: {error}"
    if len(words) < 2 or words[0] != "python":
        return f"{command!r} is not `python FILE ...` or `python -m MODULE ...`"
    return ""


def _wrong_targets(problems: Sequence[str], mistakes: Mistakes) -> None:
    if problems:
        count = "a wrong entry" if len(problems) == 1 else f"{len(problems)} wrong entries"
        mistakes.add(f"{_PREFIX}.wheelhouse.targets", f"has {count}", details=problems)


_Table = TypeVar("_Table")


def _read(kind: type[_Table], table: Mapping[str, Any], path: str, mistakes: Mistakes) -> _Table:
    """The table as far as it is understood: the default stands in for each field that is not."""
    defaults = kind()
    known = {entry.name.replace("_", "-"): entry for entry in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        dotted = f"{path}.{key}"
        if key not in known:
            mistakes.add(dotted, f"is unknown; known here: {', '.join(sorted(known))}")
            continue
        name, one = known[key].name, known[key].metadata.get(_TABLES)
        default = getattr(defaults, name)
        values[name] = _tables(one, value, dotted, mistakes) if one else _value(default, value, dotted, mistakes)
    return kind(**values)


def _tables(kind: type[_Table], value: Any, dotted: str, mistakes: Mistakes) -> dict[str, _Table]:
    """Tables of one kind by names of the project's own; what is no table is left out."""
    found = {}
    for name, table in _mapping(value, dotted, mistakes).items():
        path = f"{dotted}.{name}"
        if isinstance(table, Mapping):
            found[name] = _read(kind, table, path, mistakes)
        else:
            mistakes.add(path, "must be a table")
    return found


def _mapping(value: Any, dotted: str, mistakes: Mistakes) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    mistakes.add(dotted, "must be a table")
    return {}


def _value(default: Any, value: Any, dotted: str, mistakes: Mistakes) -> Any:
    """The value where it is of its default's type, else the default."""
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        mistakes.add(dotted, "must be a list of strings")
        return default
    if isinstance(default, bool | int | str):
        if type(value) is type(default):
            return value
        mistakes.add(dotted, f"must be {_KINDS[type(default)]}")
        return default
    return _read(type(default), _mapping(value, dotted, mistakes), dotted, mistakes)
