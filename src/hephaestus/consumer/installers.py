"""What puts files into an environment: pip where there is one, uv otherwise; both told exactly what to take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.consumer.origins import Installed, Served, prove_origins, read_report, yanked_findings
from hephaestus.consumer.pip_errors import install_finding
from hephaestus.release.errors import Finding
from hephaestus.toolchain.process import Completed

__all__ = ["INSTALL_SECONDS", "Attempt", "Pip", "Run", "install_served", "without_network"]

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


def install_served(
    pip: Pip,
    served: Served,
    arguments: Sequence[str],
    *,
    name: str,
    file: str,
    origin: str,
    digest: str,
    place: str,
    env: Mapping[str, str],
    report: Path,
) -> Attempt:
    """Install a file of the release by its address and digest, and prove where everything came from.

    ``arguments`` end with the requirement. What the report shows is wrong is a finding. Raises Tampered.
    """
    done, installed = pip.install(arguments, env=env, report=report)
    if not done.ok:
        return Attempt(findings=(install_finding(done.output, place=place, name=file),))
    findings = prove_origins(installed, served, file=file, name=name, origin=origin, digest=digest, place=place)
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
