"""The build frontend: `python -m build` run under stated conditions, and each way it fails as an error of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import ChildKind

__all__ = [
    "BackendFailedError",
    "BackendMissingError",
    "BuildFailed",
    "Built",
    "Conditions",
    "LicenseFileMissingError",
    "NothingBuiltError",
    "RequirementsError",
    "SdistDoesNotBuildError",
    "StrayOutputError",
    "WheelTagTwiceError",
    "WrongDistributionError",
    "installed_versions",
    "refusal_of",
    "run_frontend",
]

#: Seconds one build may take: large extension modules need an hour on small machines.
PATIENCE = 2 * 3600.0

_AGAIN = "then `nox -s build`"
_INSTALLED = re.compile(r"^  - (?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>\S+)$", re.MULTILINE)


class BuildFailed(ReleaseError):
    """Base of what goes wrong between a clean source and its distributions; nothing of it was kept."""


class BackendMissingError(BuildFailed):
    """Raised when the build backend cannot be imported."""

    def __init__(self, *, backend: str, output: str) -> None:
        super().__init__(
            what=f"the build backend {backend} is not there",
            why="[build-system] requires in pyproject.toml does not bring it, or backend-path leads nowhere",
            details=_tail(output, lines=4),
            next_step=f"correct `requires` or `build-backend` in [build-system], {_AGAIN}",
        )


class RequirementsError(BuildFailed):
    """Raised when the build requirements cannot be installed; ``constraints`` names the hash list in use, if any."""

    def __init__(self, *, constraints: str, output: str) -> None:
        super().__init__(
            what="the build requirements cannot be installed",
            why=f"{constraints} must list every one of them, what they need in turn included, each with its hashes"
            if constraints
            else "[build-system] requires cannot be satisfied from the package index as pip or uv reach it",
            details=_tail(output),
            next_step=f"make it again: `uv pip compile --universal --generate-hashes -o {constraints} ...`, {_AGAIN}"
            if constraints
            else f"check [build-system] requires, the network and the index settings of pip or uv, {_AGAIN}",
        )


class BackendFailedError(BuildFailed):
    """Raised when the backend itself raises or gives up."""

    def __init__(self, *, backend: str, conditions: str, output: str) -> None:
        super().__init__(
            what=f"the build backend {backend} failed{f' {conditions}' if conditions else ''}",
            why="these are its own last lines",
            details=_tail(output),
            next_step=f"mend what it says, {_AGAIN}; `python -m build` in a fresh clone fails the same way",
        )


class SdistDoesNotBuildError(BuildFailed):
    """Raised when the sdist was made, but no wheel can be built from it."""

    def __init__(self, *, sdist: str, output: str) -> None:
        super().__init__(
            what=f"no wheel can be built from {sdist}",
            why="whoever installs from source has only this file; most often one the build needs is not packed in it",
            details=_tail(output),
            next_step=f"include what is missing in the sdist (the backend's `include` or MANIFEST.in), {_AGAIN}",
        )


class NothingBuiltError(BuildFailed):
    """Raised when the backend reports success, but wrote no file of a kind it was asked for."""

    def __init__(self, *, backend: str, missing: str, output: str = "") -> None:
        super().__init__(
            what=f"the build backend {backend} wrote no {missing}",
            why="it said that it had, and a release needs exactly one sdist and at least one wheel",
            details=_tail(output, lines=4),
            next_step=f"correct the backend or its configuration, {_AGAIN}",
        )


class StrayOutputError(BuildFailed):
    """Raised when the backend wrote files that are no distributions, or more than one sdist."""

    def __init__(self, *, names: Sequence[str]) -> None:
        super().__init__(
            what=f"the build wrote what is no part of a release: {', '.join(names)}",
            why="dist/ holds one sdist (.tar.gz) and wheels (.whl), nothing else ever",
            next_step=f"stop the backend from writing it, {_AGAIN}",
        )


class WheelTagTwiceError(BuildFailed):
    """Raised when two wheels are for the same interpreters and platforms: an installer could take either."""

    def __init__(self, *, findings: Sequence[Finding]) -> None:
        super().__init__(
            what="two wheels have the same tag",
            why="which of them an installer takes is then chance",
            details=[finding.line() for finding in findings],
            next_step=f"leave one of them out, {_AGAIN}",
        )


class LicenseFileMissingError(BuildFailed):
    """Raised when the metadata names a license file that the distribution does not hold."""

    def __init__(self, *, findings: Sequence[Finding]) -> None:
        super().__init__(
            what="a license file that the metadata names is not in the distribution",
            why="PyPI refuses the file (PEP 639)",
            details=[finding.line() for finding in findings],
            next_step=f"commit the file, or correct `license-files` in [project], {_AGAIN}",
        )


class WrongDistributionError(BuildFailed):
    """Raised when a file's name or metadata is not of the project and version that are released."""

    def __init__(self, *, findings: Sequence[Finding]) -> None:
        super().__init__(
            what=f"{findings[0].subject} is not a distribution of this release",
            why="file name, metadata and the project itself (pyproject.toml, or where it says) must agree on both",
            details=[finding.line() for finding in findings],
            next_step=f"correct what is named above, {_AGAIN}",
        )


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What surrounds one build. ``zone`` is a POSIX time zone; ``name`` says which build this is, for messages."""

    umask: int = 0o022
    zone: str = "UTC"
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What one run of the frontend wrote; ``installed``: the versions of the requirements it installed."""

    sdist: Path | None
    wheels: tuple[Path, ...]
    installed: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """The sdist first, then the wheels by name."""
        return ((self.sdist,) if self.sdist is not None else ()) + self.wheels


def run_frontend(
    context: Context,
    *,
    source: Path,
    out: Path,
    what: Sequence[str] = (),
    epoch: int,
    conditions: Conditions,
    constraints: Path | None,
) -> Built:
    """Run ``python -m build`` once; ``what`` is empty (sdist, then wheel from it) or ``--sdist`` and/or ``--wheel``.

    Raises a BuildFailed for each kind of failure, ToolHangsError after PATIENCE.
    """
    children, project = context.world.children[ChildKind.BUILDER], context.project
    env = {
        **children,
        **project.version_source.environment(name=project.name, version=project.version),
        "SOURCE_DATE_EPOCH": str(epoch),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": conditions.zone,
        "NO_COLOR": "1",
        "COLUMNS": "1000",  # the frontend breaks its lines at this width, and we read some of them
    }
    argv = ["python", "-m", "build", *what, *_installer(children, constraints)]
    if constraints is not None:
        argv += ["--dependency-constraints-txt", str(constraints)]
    argv += ["--outdir", str(out), str(source)]
    out.mkdir(parents=True)
    done = context.environment.run(argv, env=env, cwd=out.parent, timeout=PATIENCE, umask=conditions.umask)
    sdists = sorted(path for path in out.iterdir() if path.name.endswith(".tar.gz"))
    wheels = tuple(sorted(path for path in out.iterdir() if path.suffix == ".whl"))
    if not done.ok:
        raise _failure(context, done.output, what=what, sdists=sdists, conditions=conditions)
    stray = [path.name for path in out.iterdir() if path not in (*sdists, *wheels) or not path.is_file()]
    if stray or len(sdists) > 1:
        raise StrayOutputError(names=sorted([*stray, *(path.name for path in sdists[1:])]))
    wants_sdist, wants_wheel = not what or "--sdist" in what, not what or "--wheel" in what
    if wants_sdist and not sdists:
        raise NothingBuiltError(backend=context.project.backend, missing="sdist")
    if wants_wheel and not wheels:
        raise NothingBuiltError(backend=context.project.backend, missing="wheel")
    return Built(sdist=sdists[0] if sdists else None, wheels=wheels, installed=installed_versions(done.output))


def installed_versions(output: str) -> dict[str, str]:
    """The build requirements and their versions, as the frontend reported them."""
    found: dict[str, str] = {}
    for block in output.split("* Installed build dependency versions:\n")[1:]:
        lines = re.match(r"(?:  - .*\n?)*", block)
        found |= {match["name"]: match["version"] for match in _INSTALLED.finditer(lines[0] if lines else "")}
    return found


def refusal_of(findings: Sequence[Finding]) -> BuildFailed | None:
    """The failure that findings about finished distributions amount to, or None: the rest is for check to say."""
    by_code = {finding.code for finding in findings}
    wrong = [
        finding
        for finding in findings
        if finding.code.startswith("filename-")
        or finding.code in ("project-unexpected", "version-unexpected", "metadata-unreadable")
    ]
    if wrong:
        return WrongDistributionError(findings=wrong)
    if "wheel-tag-twice" in by_code:
        return WheelTagTwiceError(findings=[finding for finding in findings if finding.code == "wheel-tag-twice"])
    if "license-file-missing" in by_code:
        missing = [finding for finding in findings if finding.code == "license-file-missing"]
        return LicenseFileMissingError(findings=missing)
    return None


def _installer(env: Mapping[str, str], constraints: Path | None) -> list[str]:
    # uv enforces the hashes it is given, but installs what the list does not name; pip refuses that (measured
    # with uv 0.13.9 and build 1.6.1). An incomplete list must fail closed, so a list means pip.
    return ["--installer", "uv"] if constraints is None and shutil.which("uv", path=env.get("PATH")) else []


def _failure(
    context: Context, output: str, *, what: Sequence[str], sdists: Sequence[Path], conditions: Conditions
) -> BuildFailed:
    backend = context.project.backend
    if re.search(r"^ERROR Backend '.*' is not available", output, re.MULTILINE):
        return BackendMissingError(backend=backend, output=output)
    if re.search(r"^ERROR Command .*\bpip\b.*\binstall\b", output, re.MULTILINE):
        return RequirementsError(constraints=context.project.config.build.constraints, output=output)
    if re.search(r"^ERROR failed to read source distribution .*No such file", output, re.MULTILINE):
        return NothingBuiltError(backend=backend, missing="sdist", output=output)
    if sdists and not what and "* Building wheel from sdist" in output:
        return SdistDoesNotBuildError(sdist=sdists[0].name, output=output)
    return BackendFailedError(backend=backend, conditions=conditions.name, output=output)


def _tail(output: str, *, lines: int = 15) -> list[str]:
    kept = [line for line in output.strip().splitlines() if line.strip() and not line.startswith("TIP ")]
    return kept[-lines:]
