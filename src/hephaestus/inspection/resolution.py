"""What installers take: by the rules of the specifications, and by a real pip that asks the index itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hephaestus.release.errors import ReleaseError
from hephaestus.services.index import IndexProject
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.process import run_child
from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment
from hephaestus.worlds.children import installer, isolated

__all__ = ["Pip", "PipFailedError", "Resolved", "by_rules", "locked_pip", "requirements_of"]

_SECONDS = 120.0
#: Nothing is installed, nothing cached, no configuration read, no sdist run.
_ASK = (
    "-m", "pip", "install", "--isolated", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--dry-run",
    "--ignore-installed", "--no-deps", "--only-binary", ":all:",
)  # fmt: skip
_NOTHING = ("No matching distribution found", "Could not find a version that satisfies")


class PipFailedError(ReleaseError):
    """Raised when pip ended neither with a version nor with the word that there is none."""

    def __init__(self, *, requirement: str, output: str) -> None:
        super().__init__(
            what=f"pip did not say what {requirement} resolves to",
            why="the index did not answer it, or answered something pip does not take",
            details=[line for line in output.strip().splitlines() if line.strip()][-6:],
            next_step="run the same command again; what the index's page says is shown in any case",
        )


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What one requirement resolves to: ``version`` None means that nothing can be installed."""

    requirement: str
    version: str | None
    yanked: bool = False
    reason: str = ""


def requirements_of(name: str, version: Version) -> tuple[str, ...]:
    """The three ways people ask: the name alone, the exact pin, and the compatible range of this version.

    ``~=`` needs two components of the release (PEP 440); a version of one has none.
    """
    release = ".".join(str(part) for part in version.release)
    epoch = f"{version.epoch}!" if version.epoch else ""
    # A final release is later than its candidates: a range that begins with it leaves them out.
    least = version.public if version.is_prerelease else f"{epoch}{release}"
    compatible = (f"{name}~={least}",) if len(version.release) > 1 else ()
    return (name, f"{name}=={version}", *compatible)


def by_rules(page: IndexProject | None, requirement: str) -> Resolved:
    """What PEP 440 and PEP 592 make of the index's page, as pip applies them; Python and platform play no part.

    Pre-releases count only where there is no final release, yanked or not; a yanked one only where the
    requirement pins it and nothing else satisfies it.
    """
    specifier = Requirement(requirement).specifier
    yanks = _yanks(page)
    wanted = list(specifier.filter(sorted(yanks)))
    free = [version for version in wanted if yanks[version] is None]
    if free:
        return Resolved(requirement=requirement, version=str(free[-1]))
    if wanted and _pinned(specifier):
        return Resolved(requirement=requirement, version=str(wanted[-1]), yanked=True, reason=yanks[wanted[-1]] or "")
    return Resolved(requirement=requirement, version=None)


def _yanks(page: IndexProject | None) -> dict[Version, str | None]:
    """Every version with its yank's reason; a version of which any file is free can be installed."""
    found: dict[Version, str | None] = {}
    for file in page.files if page is not None else ():
        if file.version is None:
            continue
        reason = file.yank
        known = found.get(file.version, reason)
        found[file.version] = None if reason is None or known is None else known
    return found


def _pinned(specifier: SpecifierSet) -> bool:
    return any(one.operator == "===" or (one.operator == "==" and not one.version.endswith(".*")) for one in specifier)


@dataclass(frozen=True, kw_only=True)
class Pip:
    """A pip from the suite's lock; ``python`` runs it, ``version`` is pip's own."""

    python: Path
    version: str
    environ: Mapping[str, str]

    def resolve(self, simple_url: str, requirements: Iterable[str]) -> tuple[Resolved, ...]:
        """Ask ``simple_url`` alone, without cache or configuration; nothing is installed, no sdist is run.

        Wheels only: to learn the metadata of an sdist pip would run its build backend. Raises PipFailedError,
        ToolHangsError.
        """
        with tempfile.TemporaryDirectory(prefix="hephaestus-pip-") as folder:
            home = Path(folder) / "home"
            # A company's proxy leads to the real index as it leads installers there; no cool-down, no configuration.
            env = {**isolated(self.environ, home=home, network=True), "PIP_CONFIG_FILE": os.devnull}
            return tuple(self._one(simple_url, requirement, env, Path(folder)) for requirement in requirements)

    def _one(self, simple_url: str, requirement: str, env: Mapping[str, str], folder: Path) -> Resolved:
        report = folder / "report.json"
        report.unlink(missing_ok=True)
        done = run_child(
            [os.fspath(self.python), *_ASK, "--index-url", simple_url, "--report", os.fspath(report), requirement],
            env=env,
            cwd=folder,
            timeout=_SECONDS,
        )
        if not done.ok:
            if any(word in done.output for word in _NOTHING):
                return Resolved(requirement=requirement, version=None)
            raise PipFailedError(requirement=requirement, output=done.output)
        try:
            (item,) = json.loads(report.read_text(encoding="utf-8"))["install"]
            version, yanked = str(item["metadata"]["version"]), bool(item.get("is_yanked", False))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipFailedError(requirement=requirement, output=done.output) from error
        return Resolved(requirement=requirement, version=version, yanked=yanked)


def locked_pip(environ: Mapping[str, str]) -> Pip:
    """The pip that smoke installs with, from the cache or made now. Raises EnvironmentNotMadeError."""
    lock = read_lock("smoke")
    python = cached_environment(lock, env=installer(environ), cache=cache_folder(environ))
    return Pip(python=python, version=lock.versions["pip"], environ=environ)
