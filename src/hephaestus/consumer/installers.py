"""What puts files into an environment: pip where there is one, uv otherwise; both told exactly what to take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hephaestus.consumer.origins import (
    Installed,
    Served,
    prove_origins,
    read_lock_origins,
    read_report,
    yanked_findings,
)
from hephaestus.consumer.pip_errors import install_finding
from hephaestus.release.errors import Finding
from hephaestus.toolchain.process import Completed

__all__ = ["INSTALL_SECONDS", "Attempt", "Installer", "Pip", "Run", "Uv", "install_served", "without_network"]

#: How long an installation may take: a large wheelhouse on a slow disk.
INSTALL_SECONDS = 1800.0

Run = Callable[[Sequence[str], Mapping[str, str]], Completed]
"""Runs a command in an environment and waits for its end."""

_QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An installation that was tried: what was installed, or the ``findings`` that say why not."""

    installed: tuple[Installed, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = field(default=())


class Installer(Protocol):
    """What installs a requirement and tells where everything came from."""

    def put(
        self, requirement: str, options: Sequence[str], *, env: Mapping[str, str], report: Path, trial: bool = False
    ) -> tuple[Completed, list[Installed]]:
        """Install ``requirement``, or only find out what would be (``trial``); nothing is told when it failed."""


@dataclass(frozen=True, kw_only=True)
class Pip:
    """A pip that installs into one environment: ``words`` start it, ``run`` runs it."""

    words: tuple[str, ...]
    run: Run

    def install(
        self, arguments: Sequence[str], *, env: Mapping[str, str], report: Path
    ) -> tuple[Completed, list[Installed]]:
        """``pip install``; what pip says it installed is empty when it failed."""
        done = self.run([*self.words, "install", *_QUIET, "--report", str(report), *arguments], env)
        return done, read_report(report) if done.ok else []

    def put(
        self, requirement: str, options: Sequence[str], *, env: Mapping[str, str], report: Path, trial: bool = False
    ) -> tuple[Completed, list[Installed]]:
        """See Installer.put."""
        return self.install([*(["--dry-run"] if trial else []), *options, requirement], env=env, report=report)


@dataclass(frozen=True, kw_only=True)
class Uv:
    """A uv that installs into the environment of ``python``: it has no report, but writes what it has resolved."""

    program: str
    python: str
    run: Run

    def put(
        self, requirement: str, options: Sequence[str], *, env: Mapping[str, str], report: Path, trial: bool = False
    ) -> tuple[Completed, list[Installed]]:
        """See Installer.put. What is resolved is written as a lock beside ``report``, and exactly that installed."""
        wanted, lock = report.with_name("wanted.in"), report.with_name("pylock.toml")
        if trial or not lock.exists():
            wanted.write_text(f"{requirement}\n", encoding="utf-8")
            words = ["--quiet", "--format", "pylock.toml", "--output-file", str(lock), *options, str(wanted)]
            done = self.run([self.program, "pip", "compile", "--python", self.python, *words], env)
            if not done.ok or trial:
                return done, read_lock_origins(lock) if done.ok else []
        words = ["--preview-features", "pylock", "--no-deps", "--requirements", str(lock)]
        done = self.run([self.program, "pip", "install", "--quiet", "--python", self.python, *words], env)
        return done, read_lock_origins(lock) if done.ok else []


def install_served(
    installer: Installer,
    served: Served,
    requirement: str,
    options: Sequence[str] = (),
    *,
    name: str,
    file: str,
    origin: str,
    digest: str,
    place: str,
    env: Mapping[str, str],
    report: Path,
    trial: bool = False,
    there: bool = False,
) -> Attempt:
    """Install a file of the release by its address and digest, and prove where everything came from.

    With ``trial`` all of it is proven, and nothing installed; ``there`` says that its version is installed already.
    What is wrong is a finding. Raises Tampered.
    """
    done, installed = installer.put(requirement, options, env=env, report=report, trial=trial)
    if not done.ok:
        return Attempt(findings=(install_finding(done.output, place=place, name=file),))
    findings = prove_origins(
        installed, served, file=file, name=name, origin=origin, digest=digest, place=place, there=there
    )
    warnings = yanked_findings(installed, place=place)
    return Attempt(installed=tuple(installed), findings=tuple(findings), warnings=tuple(warnings))


def without_network(env: Mapping[str, str]) -> dict[str, str]:
    """``env`` without any index, proxy or configuration file that could reach one; pip and uv told to use none."""
    kept = {
        name: value
        for name, value in env.items()
        if not name.upper().startswith(("PIP_", "UV_")) and not name.upper().endswith("_PROXY")
    }
    return {**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}
