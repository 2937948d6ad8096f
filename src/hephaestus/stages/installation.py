"""Installing released files the way a stranger would: a fresh environment, the locked pip, and a look from inside."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from hephaestus.consumer.installers import INSTALL_SECONDS, Pip
from hephaestus.consumer.origins import Installed
from hephaestus.consumer.pip_errors import Tampered, install_finding, last_line
from hephaestus.consumer.wheels import Interpreter, fitting_wheel, same_version
from hephaestus.release.errors import Finding, StageFailed
from hephaestus.release.metadata import read_core_metadata
from hephaestus.stages.stage import Context
from hephaestus.toolchain.process import Completed
from hephaestus.toolchain.virtualenvs import python_of
from hephaestus.worlds.world import ChildKind

__all__ = [
    "INSTALL_SECONDS",
    "PROBE_SECONDS",
    "FreshEnvironment",
    "Installed",
    "Interpreter",
    "Tampered",
    "check_probe",
    "fitting_wheel",
    "install_finding",
    "interpreters",
    "running_interpreter",
    "same_version",
    "unknown_extras",
]

PROBE_SECONDS = 600.0

_PIP = ("python", "-m", "pip")
_PROBE = Path(__file__).resolve().parent.parent / "workers" / "probe.py"


def interpreters(context: Context, wanted: Iterable[str]) -> dict[str, Interpreter | None]:
    """Find each interpreter asked for (empty: the one that runs nox); None where this machine has none."""
    env = context.world.children[ChildKind.PROBE]
    answer = context.environment.work("interpreters", {"wanted": list(wanted)}, env=env, timeout=PROBE_SECONDS)
    return {
        name: None if found is None else Interpreter(wanted=name, **found) for name, found in answer["found"].items()
    }


def running_interpreter(context: Context) -> Interpreter:
    """The Python that runs nox: every stage's environment is made from it."""
    return Interpreter(
        wanted="",
        executable=str(context.environment.python),
        version=platform.python_version(),
        name=platform.python_implementation(),
    )


@dataclass(frozen=True, kw_only=True)
class FreshEnvironment:
    """A virtual environment that nothing was in before, without pip; the stage's locked pip drives it."""

    folder: Path
    python: Path

    @classmethod
    def make(cls, context: Context, folder: Path, interpreter: Interpreter) -> FreshEnvironment:
        """Make it with uv where uv is, with virtualenv otherwise. Raises StageFailed, ToolMissingError."""
        env = context.world.children[ChildKind.INSTALLER]
        folder.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(context.environment.python.parent), env.get("PATH", "")])
        if shutil.which("uv", path=path):
            argv = ["uv", "venv", "--quiet", "--no-project", "--no-config"]
        else:
            argv = ["python", "-m", "virtualenv", "--quiet", "--no-periodic-update", "--no-seed"]
        argv += ["--python", interpreter.executable, str(folder)]
        done = context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)
        if not done.ok:
            raise StageFailed(
                stage="installation",
                command=" ".join(argv[:4]),
                code=done.code,
                output=done.output,
                next_step=f"check that `{interpreter.executable}` works, then run the same command again",
            )
        return cls(folder=folder, python=python_of(folder))

    @property
    def scripts(self) -> Path:
        """Where its programs are."""
        return self.python.parent

    def pip(self, context: Context) -> Pip:
        """The stage's locked pip, driving this environment."""

        def run(argv: Sequence[str], env: Mapping[str, str]) -> Completed:
            return context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)

        return Pip(words=(*_PIP, "--python", str(self.python)), run=run)

    def install(
        self, context: Context, arguments: Sequence[str], *, env: Mapping[str, str], report: Path
    ) -> tuple[Completed, list[Installed]]:
        """``pip install`` into it; what pip says it installed is empty when it failed."""
        return self.pip(context).install(["--no-compile", *arguments], env=env, report=report)

    def check(self, context: Context) -> Completed:
        """``pip check``: whether everything installed has what it requires."""
        env = context.world.children[ChildKind.PROBE]
        argv = [*_PIP, "--python", str(self.python), "--disable-pip-version-check", "check"]
        return context.environment.run(argv, env=env, timeout=PROBE_SECONDS)

    def probe(
        self, context: Context, *, name: str, imports: Sequence[str] = (), extras: Sequence[str] = ()
    ) -> tuple[Completed, dict[str, Any] | None]:
        """Look from inside, in an empty folder (workers/probe.py); None when the released code ended the process."""
        empty = self.folder.parent / f"{self.folder.name}-empty"
        empty.mkdir(exist_ok=True)
        request = self.folder.parent / f"{self.folder.name}-probe.json"
        answer = self.folder.parent / f"{self.folder.name}-answer.json"
        question = {"name": name, "imports": list(imports), "extras": list(extras), "answer": str(answer)}
        request.write_text(json.dumps(question), encoding="utf-8")
        argv = [str(self.python), "-I", str(_PROBE), str(request)]
        env = context.world.children[ChildKind.PROBE]
        done = context.environment.run(argv, env=env, cwd=empty, timeout=PROBE_SECONDS)
        if not answer.is_file():
            return done, None
        return done, dict(json.loads(answer.read_text(encoding="utf-8")))

    def program(self, words: Sequence[str]) -> list[str]:
        """A command line whose first word is this environment's program, where it has one of that name."""
        found = shutil.which(words[0], path=str(self.scripts))
        return [found or words[0], *words[1:]]


def unknown_extras(context: Context, files: Iterable[str], extras: Sequence[str], *, field: str) -> list[Finding]:
    """The extras asked for that the release's wheel does not have: pip would pass over them with a warning."""
    wheel = next((file for file in files if file.endswith(".whl")), None)
    if wheel is None or not extras:
        return []
    known = {
        canonicalize_name(extra) for extra in read_core_metadata(context.directory.dist / wheel).all("Provides-Extra")
    }
    return [
        Finding(
            code="extra-unknown",
            subject=extra,
            message=f"is no extra of {wheel} (it has {', '.join(sorted(known)) or 'none'})",
            remedy=f"correct tool.hephaestus.release.{field}",
        )
        for extra in extras
        if canonicalize_name(extra) not in known
    ]


def check_probe(
    done: Completed, answer: Mapping[str, Any] | None, *, place: str, version: str, name: str
) -> list[Finding]:
    """What a look from inside found wrong."""
    if answer is None:
        last = last_line(done.output) or "without a word"
        message = f"importing it ended the process with exit code {done.code} ({last})"
        return [Finding(code="import-crashes", subject=f"{name} on {place}", message=message)]
    findings = []

    def found(code: str, subject: str, message: str) -> None:
        findings.append(Finding(code=code, subject=f"{subject} on {place}", message=message))

    if not same_version(answer["version"], version):
        found("wrong-version", name, f"its installed metadata says {answer['version']}, this release is {version}")
    for path in answer["missing"]:
        found("file-missing", path, "is in RECORD but was not installed")
    for module, result in answer["modules"].items():
        if result["error"]:
            found("import-fails", module, f"does not import: {result['error']}")
        elif result["version"] and not same_version(result["version"], version):
            found("wrong-version", f"{module}.__version__", f"is {result['version']}, this release is {version}")
    for script, result in answer["scripts"].items():
        if result["error"]:
            found("dead-script", script, f"cannot start: {result['error']}")
    return findings
