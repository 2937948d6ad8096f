"""One trial of smoke: one file of the release, installed from the index under one Python, and looked at."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from hephaestus.consumer.installers import install_served
from hephaestus.consumer.origins import Installed, Served
from hephaestus.release.config import SmokeConfig
from hephaestus.release.errors import Finding
from hephaestus.stages.installation import (
    INSTALL_SECONDS,
    PROBE_SECONDS,
    FreshEnvironment,
    Interpreter,
    check_probe,
    fitting_wheel,
    install_finding,
)
from hephaestus.stages.stage import Context
from hephaestus.toolchain.process import ToolHangsError, ToolMissingError
from hephaestus.worlds.world import ChildKind

__all__ = ["Results", "Served", "Trial", "names_version", "trials"]


@dataclass(kw_only=True)
class Results:
    """What all trials together found and proved; ``evidence`` by Python version and trial."""

    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One installation: a file of the release, with extras, under one Python."""

    interpreter: Interpreter
    file: str
    extras: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What is installed, short: ``wheel``, ``wheel[extra]``, ``sdist``."""
        kind = "wheel" if self.file.endswith(".whl") else "sdist"
        return f"{kind}[{','.join(self.extras)}]" if self.extras else kind

    @property
    def place(self) -> str:
        """Where something was found, for people."""
        return f"Python {self.interpreter.version} ({self.label})"

    @property
    def folder(self) -> str:
        """The name of this trial's folder: no character that means something to a shell or a file system."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", f"{self.interpreter.version}-{self.label}").strip("-")

    def run(self, context: Context, served: Served, results: Results) -> None:
        """Install it in a fresh environment and look at it in every way. Raises Tampered."""
        fresh = FreshEnvironment.make(context, context.work / self.folder / "venv", self.interpreter)
        installed = _install(context, fresh, served, self, results)
        if installed is None:
            return
        project, smoke = context.project, context.project.config.smoke
        checked = fresh.check(context)
        if not checked.ok:
            lines = [line.strip() for line in checked.output.splitlines() if line.strip()]
            results.findings += [
                Finding(code="pip-check", subject=f"pip check on {self.place}", message=line) for line in lines
            ]
        done, answer = fresh.probe(context, name=project.normalized, imports=smoke.imports, extras=self.extras)
        results.findings += check_probe(done, answer, place=self.place, version=project.version, name=project.name)
        results.findings += _run_commands(context, fresh, self)
        if answer is not None:
            results.evidence.setdefault(self.interpreter.version, {})[self.label] = {
                "file": self.file,
                "origin": context.world.stable(served.urls[self.file]),
                "sha256": served.digests[self.file],
                "installed": dict(sorted(answer["installed"].items())),
                "imported": sorted(answer["modules"]),
                "scripts": sorted(answer["scripts"]),
                "from_elsewhere": sorted(one.name for one in installed if one.name != project.normalized),
            }


def trials(config: SmokeConfig, files: Sequence[str], interpreter: Interpreter) -> Iterator[Trial]:
    """Wheel, wheel with each extra, sdist; each in an environment of its own, so that none hides another's lack."""
    if wheel := fitting_wheel(files, interpreter):
        yield Trial(interpreter=interpreter, file=wheel)
        for extra in config.extras:
            yield Trial(interpreter=interpreter, file=wheel, extras=(extra,))
    for file in files:
        if config.sdist and file.endswith(".tar.gz"):
            yield Trial(interpreter=interpreter, file=file)


def _install(
    context: Context, fresh: FreshEnvironment, served: Served, trial: Trial, results: Results
) -> list[Installed] | None:
    """Install the trial's file from the index and prove where everything came from; None when it failed."""
    project, env = context.project, context.world.children[ChildKind.INSTALLER]
    extras = f"[{','.join(trial.extras)}]" if trial.extras else ""
    origin, digest = served.urls[trial.file], served.digests[trial.file]
    requirement = f"{project.normalized}{extras} @ {served.pinned(trial.file)}"
    if trial.file.endswith(".tar.gz"):
        built = _build(context, fresh, requirement, trial, results)
        if built is None:
            return None
        # What pip fetched by URL and hash is the sdist; what is installed is the wheel made of those bytes here.
        requirement, origin, digest = f"{project.normalized} @ {built.as_uri()}", built.as_uri(), ""
    attempt = install_served(
        fresh.pip(context),
        served,
        requirement,
        ["--no-compile"],
        name=project.normalized,
        file=trial.file,
        origin=origin,
        digest=digest,
        place=trial.place,
        env=env,
        report=fresh.folder.parent / "report.json",
    )
    results.findings += attempt.findings
    results.warnings += attempt.warnings
    return list(attempt.installed) if attempt.installed else None


def _build(context: Context, fresh: FreshEnvironment, requirement: str, trial: Trial, results: Results) -> Path | None:
    """Build the sdist as an installer does. Without pip's cache, which would hand out a wheel built earlier."""
    target = fresh.folder.parent / "built"
    argv = ["python", "-m", "pip", "--python", str(fresh.python), "wheel", "--no-input", "--disable-pip-version-check"]
    argv += ["--progress-bar", "off", "--no-cache-dir", "--no-deps", "--wheel-dir", str(target), requirement]
    env = context.world.children[ChildKind.INSTALLER]
    done = context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)
    built = sorted(target.glob("*.whl")) if done.ok else []
    if len(built) == 1:
        return built[0]
    finding = install_finding(done.output, place=trial.place, name=trial.file)
    if finding.code in ("build-fails", "install-fails"):
        finding = replace(finding, code="sdist-build", subject=f"{trial.file} on {trial.place}")
    results.findings.append(finding)
    return None


def _run_commands(context: Context, fresh: FreshEnvironment, trial: Trial) -> list[Finding]:
    """The project's own commands, and the one whose output must name the version."""
    config, version = context.project.config.smoke, context.project.version
    findings = []
    for command in (*config.commands, *([config.version_command] if config.version_command else [])):
        words = [word.replace("{version}", version) for word in shlex.split(command)]
        problem = _run_command(context, fresh, words, version if command == config.version_command else None)
        if problem:
            subject = f"`{shlex.join(words)}` on {trial.place}"
            findings.append(Finding(code="command-fails", subject=subject, message=problem))
    return findings


def _run_command(context: Context, fresh: FreshEnvironment, words: Sequence[str], version: str | None) -> str:
    empty = fresh.folder.parent / "commands"
    empty.mkdir(exist_ok=True)
    env = context.world.children[ChildKind.PROBE]
    try:
        done = context.environment.run(
            fresh.program(words), env=env, cwd=empty, timeout=PROBE_SECONDS, scripts=fresh.scripts
        )
    except (ToolMissingError, ToolHangsError) as error:
        return error.what
    tail = " / ".join([line.strip() for line in done.output.splitlines() if line.strip()][-3:])[:300]
    if not done.ok:
        return f"ends with exit code {done.code}: {tail or 'no output'}"
    if version is not None and not names_version(done.output, version):
        return f"does not name version {version}: {tail or 'no output'}"
    return ""


def names_version(text: str, version: str) -> bool:
    """Whether ``text`` names exactly this version: 1.2.3 is not named by 1.2.30, 11.2.3 or 1.2.3rc1."""
    spellings = "|".join(re.escape(spelling) for spelling in {version, str(Version(version))})
    return re.search(rf"(?<![0-9.])(?:{spellings})(?![.+-]?[0-9A-Za-z])", text) is not None
