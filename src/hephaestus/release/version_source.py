"""Where a project's version comes from, recognised in pyproject.toml without running a backend or any of its code.

``project.version`` itself, a file in which the version is written, or the release's tag. Each backend's own settings
are read as its documentation describes them; for everything else there is ``tool.hephaestus.release.version-from``
(docs/decisions/0007-where-the-version-comes-from.md).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hephaestus.release.errors import ReleaseError
from hephaestus.release.version_files import VersionFile, VersionFileError, written_version
from hephaestus.release.versions import Occurrence

__all__ = ["VersionSettingError", "VersionSource", "VersionSourceUnknownError", "version_source"]

#: The setting of ours, as messages name it.
OURS = "tool.hephaestus.release.version-from"

#: Every variable by which tools take a version that is known already; ``{NAME}`` stands for the distribution's name.
#: setuptools-scm: https://setuptools-scm.readthedocs.io/en/latest/overrides/ ; hatch-vcs (which passes no name on):
#: https://github.com/ofek/hatch-vcs#version-source-environment-variables ; pdm-backend:
#: https://backend.pdm-project.org/metadata/#read-from-scm-tag-supporting-git-and-hg
_SETUPTOOLS_SCM = ("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{NAME}",)
_HATCH_VCS = ("SETUPTOOLS_SCM_PRETEND_VERSION",)
_PDM_SCM = ("PDM_BUILD_SCM_VERSION",)
#: Tools that build on dunamai: https://github.com/mtkennerly/poetry-dynamic-versioning#environment-variables,
#: https://github.com/ninoseki/uv-dynamic-versioning
_DUNAMAI = ("POETRY_DYNAMIC_VERSIONING_BYPASS", "UV_DYNAMIC_VERSIONING_BYPASS")

#: hatchling's default: a variable `__version__` or VERSION, in any case, set to a string, an optional v before it
#: (https://hatch.pypa.io/latest/version/#configuration).
_HATCH_PATTERN = r"^(?i:__version__|version) *= *(?P<quote>['\"])v?(?P<version>.+?)(?P=quote)"

#: pdm-backend's default: a line that sets `__version__` or VERSION, a comment allowed
#: (https://backend.pdm-project.org/metadata/#read-from-a-static-string-in-the-given-file-path).
_PDM_PATTERN = r"^(?:__version__|VERSION)\s*=\s*(?P<quote>[\"'])(?P<version>.+?)[\"']\s*(?:#.*)?$"

_BY_HAND = f'say where it is: `version-from = "FILE"` or "tag" in [tool.hephaestus.release] ({OURS}), or write it as '
_STATIC = '`version = "X.Y.Z"` in [project]'


class VersionSourceUnknownError(ReleaseError):
    """Raised when the version is dynamic and nothing that can be read says where it comes from."""

    def __init__(self, *, problem: str, remedy: str = "") -> None:
        super().__init__(
            what=f"pyproject.toml: project.version is dynamic, and {problem}",
            why="the release directory, the tag and every receipt carry the version before anything is built; for it "
            "text is read, and no build backend and no code of the project is run (docs/decisions/0007)",
            next_step=remedy or f"{_BY_HAND}{_STATIC}",
        )


class VersionSettingError(ReleaseError):
    """Raised when a build backend's setting about the version is not of the shape its documentation describes."""

    def __init__(self, *, field: str, problem: str) -> None:
        super().__init__(
            what=f"pyproject.toml: {field} {problem}",
            why="it says where the project's version comes from; the backend would refuse it as well",
            next_step=f"correct {field}, or write the version as {_STATIC}",
        )


@dataclass(frozen=True, kw_only=True)
class VersionSource:
    """Where the version comes from: ``file``, or the tag (``tagged``), or with neither project.version itself.

    ``setting`` is what says so. ``variables`` tell the version to the backend, which has no tag to read in an export;
    ``repository`` when it may ask git all the same: the export is one then, with the tag on it. ``written``: the files
    below the project into which the backend itself writes the version while it builds.
    """

    setting: str = "project.version"
    file: VersionFile | None = None
    tagged: bool = False
    variables: tuple[str, ...] = ()
    repository: bool = False
    written: tuple[str, ...] = ()

    def occurrences(self, root: Path) -> list[Occurrence]:
        """The place below ``root`` where the version is written, unless it is project.version or comes from the tag.

        Raises VersionFileError.
        """
        return [written_version(root, self.file)] if self.file is not None else []

    def environment(self, *, name: str, version: str) -> dict[str, str]:
        """The variables that tell the builders the version; empty where they read it themselves."""
        suffix = canonicalize_name(name).replace("-", "_").upper()
        return {variable.format(NAME=suffix): version for variable in self.variables}


def version_source(data: Mapping[str, Any], root: Path, *, version_from: str = "") -> VersionSource:
    """Find out from a pyproject.toml (``data``) in ``root``; ``version_from`` is our own setting.

    Raises VersionSourceUnknownError, VersionSettingError, VersionFileError.
    """
    if version_from:
        return _by_hand(version_from)
    build = _table(data, "build-system")
    backend = str(build.get("build-backend", "setuptools.build_meta:__legacy__"))
    tool = _table(data, "tool")
    if backend == "hatchling.build":
        return _hatch(tool, root)
    if backend.partition(":")[0] == "setuptools.build_meta":
        return _setuptools(tool, root, requires=build.get("requires", ()))
    if backend in ("flit_core.buildapi", "flit.buildapi"):
        return _flit(data, tool, root)
    if backend == "pdm.backend":
        return _pdm(tool)
    raise VersionSourceUnknownError(problem=f"how {backend} finds it is not known here")


def _by_hand(value: str) -> VersionSource:
    if value == "tag":
        variables = (*_SETUPTOOLS_SCM, *_HATCH_VCS, *_PDM_SCM, *_DUNAMAI)
        return VersionSource(setting=OURS, tagged=True, variables=variables, repository=True)
    if value.endswith(".py"):
        return VersionSource(
            setting=OURS, file=VersionFile(path=value, setting=OURS, names=("__version__", "version", "VERSION"))
        )
    return VersionSource(setting=OURS, file=VersionFile(path=value, setting=OURS, fields=True))


def _hatch(tool: Mapping[str, Any], root: Path) -> VersionSource:
    """https://hatch.pypa.io/latest/version/, https://github.com/ofek/hatch-vcs; hatch.toml goes before tool.hatch."""
    table = _table(_table(tool, "hatch"), "version", of="tool.hatch")
    at = "tool.hatch.version"
    own = root / "hatch.toml"
    own_config: dict[str, Any] = {}
    if own.is_file():
        try:
            own_config = tomllib.loads(own.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise VersionSettingError(field="hatch.toml", problem=f"cannot be read: {error}") from error
        if "version" in own_config:
            table, at = _table(own_config, "version"), "hatch.toml: version"
    source = _text(table, "source", at) or "regex"
    if source == "vcs":
        return VersionSource(
            setting=f"{at}.source", tagged=True, variables=_HATCH_VCS, written=_hooked(tool, own_config)
        )
    if source != "regex":
        raise VersionSourceUnknownError(problem=f"{at}.source is {source!r}, which runs code to find it")
    pattern = _text(table, "pattern", at)
    if not (path := _text(table, "path", at)):
        raise VersionSourceUnknownError(problem=f"{at} names no path")
    return VersionSource(
        setting=f"{at}.path", file=VersionFile(path=path, setting=f"{at}.path", pattern=pattern or _HATCH_PATTERN)
    )


def _hooked(tool: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[str, ...]:
    """What hatch-vcs' build hook writes: for every target, or for some."""
    config = {**_table(tool, "hatch"), **own}
    build = _table(config, "build", of="tool.hatch")
    targets = [table for table in _table(build, "targets").values() if isinstance(table, Mapping)]
    return tuple(
        dict.fromkeys(
            path
            for table in (build, *targets)
            if (path := _text(_table(_table(table, "hooks"), "vcs"), "version-file", "tool.hatch.build.hooks.vcs"))
        )
    )


def _setuptools(tool: Mapping[str, Any], root: Path, *, requires: Any) -> VersionSource:
    """Setuptools' own directives, or setuptools-scm.

    https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata (``attr`` is read as a
    literal where it is one), https://setuptools-scm.readthedocs.io/en/latest/usage/ (its table, or the extra
    ``simple`` among the build requirements).
    """
    at = "tool.setuptools.dynamic.version"
    table = _table(tool, "setuptools")
    directive = _table(table, "dynamic", of="tool.setuptools").get("version")
    scm = next((f"tool.{name}" for name in ("setuptools_scm", "vcs-versioning") if name in tool), "")
    if not scm and _requires_simple(requires):
        scm = "build-system.requires: setuptools-scm[simple]"
    if directive is not None and scm:
        raise VersionSourceUnknownError(problem=f"both {at} and {scm} say where it comes from", remedy="remove one")
    if scm:
        own = _table(tool, scm.removeprefix("tool.")) if scm.startswith("tool.") else {}
        written = tuple(filter(None, (_text(own, key, scm) for key in ("version_file", "write_to"))))
        return VersionSource(setting=scm, tagged=True, variables=_SETUPTOOLS_SCM, written=written)
    if directive is None:
        raise VersionSourceUnknownError(problem=f"neither {at} nor [tool.setuptools_scm] says where it comes from")
    if not isinstance(directive, Mapping) or len(directive) != 1 or not {"attr", "file"} & set(directive):
        raise VersionSettingError(field=at, problem='is neither {attr = "..."} nor {file = "..."}')
    if "attr" in directive:
        return _attribute(_text(directive, "attr", at), table, root, at=f"{at}.attr")
    paths = directive["file"]
    path = paths[0] if isinstance(paths, list) and len(paths) == 1 else paths
    if not isinstance(path, str):
        raise VersionSettingError(field=f"{at}.file", problem="must name one file")
    return VersionSource(setting=f"{at}.file", file=VersionFile(path=path, setting=f"{at}.file"))


def _requires_simple(requires: Any) -> bool:
    for entry in requires if isinstance(requires, Sequence) and not isinstance(requires, str) else ():
        try:
            requirement = Requirement(str(entry))
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == "setuptools-scm" and "simple" in requirement.extras:
            return True
    return False


def _attribute(attribute: str, table: Mapping[str, Any], root: Path, *, at: str) -> VersionSource:
    module, _, name = attribute.strip().rpartition(".")
    if not re.fullmatch(r"(?:\w+\.)+\w+", attribute.strip()):
        raise VersionSettingError(field=at, problem=f"is {attribute!r}, no name such as package.module.__version__")
    folders = _table(table, "package-dir", of="tool.setuptools")
    packages = table.get("packages")
    where = _table(packages, "find", of="tool.setuptools.packages").get("where") if isinstance(packages, dict) else None
    parts = module.split(".")
    # The longest package named in package-dir; else the folder of all packages: named there or in `find`, or customary.
    depth = next((depth for depth in range(len(parts), 0, -1) if ".".join(parts[:depth]) in folders), 0)
    if depth:
        tops = [folders[".".join(parts[:depth])]]
    else:
        found = where[0] if isinstance(where, list) and len(where) == 1 else None
        tops = [top for top in (folders.get(""), found) if top is not None][:1] or ["src", ""]
    bases = [PurePosixPath(str(top), *parts[depth:]).as_posix() for top in tops]
    tried = [path for base in bases for path in (f"{base}.py", f"{base}/__init__.py")]
    path = next((path for path in tried if (root / path).is_file()), None)
    if path is None:
        raise VersionFileError(
            place=tried[0], problem="does not exist", setting=f"{at} = {attribute!r}",
            remedy=f"commit it, or correct {at}; looked for: {', '.join(tried)}",
        )  # fmt: skip
    return VersionSource(setting=at, file=VersionFile(path=path, setting=at, names=(name,)))


def _flit(data: Mapping[str, Any], tool: Mapping[str, Any], root: Path) -> VersionSource:
    """https://flit.pypa.io/en/stable/pyproject_toml.html: ``__version__`` of the module, by its text where it can.

    The module's own file goes before the other places where flit looks for a string.
    """
    at = "tool.flit.module.name"
    named = _text(_table(_table(tool, "flit"), "module", of="tool.flit"), "name", at.rpartition(".")[0])
    module = named or str(_table(data, "project").get("name", "")).replace("-", "_")
    base = module.replace(".", "/")
    for top in ("", "src/"):
        if (root / f"{top}{base}.py").is_file():
            paths = [f"{top}{base}.py"]
        elif (root / f"{top}{base}").is_dir():
            names = ("__init__", "version", "_version", "__version__")
            paths = [f"{top}{base}/{name}.py" for name in names]
        else:
            continue
        return _first_of(paths, root, setting=at if named else "project.name")
    raise VersionFileError(
        place=f"src/{base}/__init__.py", problem="does not exist", setting=at if named else "project.name",
        remedy=f"commit the module, or name it in [tool.flit.module]; looked for {base} and {base}.py, also in src",
    )  # fmt: skip


def _first_of(paths: Sequence[str], root: Path, *, setting: str) -> VersionSource:
    """The first of these files that holds a plain ``__version__``; raises what is wrong with the first of them."""
    first: VersionFileError | None = None
    for path in paths:
        file = VersionFile(path=path, setting=setting, names=("__version__",))
        try:
            written_version(root, file)
        except VersionFileError as error:
            first = first or error
            continue
        return VersionSource(setting=setting, file=file)
    assert first is not None
    raise first


def _pdm(tool: Mapping[str, Any]) -> VersionSource:
    """https://backend.pdm-project.org/metadata/#dynamic-project-version."""
    at = "tool.pdm.version"
    table = _table(_table(tool, "pdm"), "version", of="tool.pdm")
    path = _text(table, "path", at)
    source = _text(table, "source", at) or ("file" if path else "")
    if source == "scm":
        # Below the folder of the packages, which may be `src` unsaid.
        made = _text(table, "write_to", at)
        folder = _text(_table(_table(tool, "pdm"), "build"), "package-dir", "tool.pdm.build") or "src"
        written = (made, f"{folder}/{made}") if made else ()
        return VersionSource(setting=f"{at}.source", tagged=True, variables=_PDM_SCM, written=written)
    if source != "file":
        problem = f"{at}.source is {source!r}, which runs code to find it" if source else f"{at} names no source"
        raise VersionSourceUnknownError(problem=problem)
    if not path:
        raise VersionSourceUnknownError(problem=f"{at} names no path")
    pattern = _text(table, "pattern", at)
    file = VersionFile(
        path=path, setting=f"{at}.path", pattern=pattern or _PDM_PATTERN, group=1 if pattern else "version"
    )
    return VersionSource(setting=f"{at}.path", file=file)


def _table(data: Mapping[str, Any], name: str, *, of: str = "") -> Mapping[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, Mapping):
        raise VersionSettingError(field=f"{of}.{name}" if of else name, problem="must be a table")
    return value


def _text(table: Mapping[str, Any], name: str, at: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise VersionSettingError(field=f"{at}.{name}", problem="must be a string")
    return value
