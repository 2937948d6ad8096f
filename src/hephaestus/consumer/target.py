"""The Python that is installed into: what it is, what is in it, and what can install into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from hephaestus.consumer.refusals import FormerNameInstalled, TargetUnfit
from hephaestus.consumer.wheels import Interpreter
from hephaestus.toolchain.process import ToolHangsError, ToolMissingError, run_child

__all__ = ["Target"]

_LOOK = Path(__file__).resolve().parent.parent / "workers" / "target.py"
_LOOK_SECONDS = 60.0

#: pip says what it installed from this version on (``--report``).
_REPORTING_PIP = (22, 2)

#: Distributions with the same files under two names (facts: consumers, C4b).
_SAME_FILES = ({"hephaestus", "hephaestus-toolkit"},)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python to install into. ``distributions`` maps normalized names to versions; ``uv`` is its program, if used."""

    interpreter: Interpreter
    prefix: str
    managed: bool
    pip: str
    uv: str
    distributions: Mapping[str, str]

    @classmethod
    def look(cls, python: str, *, env: Mapping[str, str], folder: Path) -> Target:
        """Ask the Python itself, in ``folder``; raises TargetUnfit when it does not answer or nothing installs."""
        # A path is the caller's, relative to where the command was started; a bare name is looked up on PATH.
        program = Path(python).expanduser()
        answer = _answer(str(program.absolute()) if program.parent != Path() else python, env, folder)
        pip = str(answer["pip"] or "")
        reporting = tuple(int(part) for part in re.findall(r"[0-9]+", pip)[:2]) >= _REPORTING_PIP
        uv = "" if reporting else _uv(env)
        if not reporting and not uv:
            problem = f"its pip {pip} is older than 22.2" if pip else "it has no pip, and there is no uv here"
            raise TargetUnfit(
                python=python,
                problem=problem,
                next_step=f"`{python} -m pip install --upgrade pip`"
                if pip
                else f"`{python} -m ensurepip`, or install uv",
            )
        version, name = str(answer["version"]), str(answer["implementation"])
        return cls(
            interpreter=Interpreter(wanted=python, executable=str(answer["executable"]), version=version, name=name),
            prefix=str(answer["prefix"]),
            managed=bool(answer["managed"]),
            pip=pip if reporting else "",
            uv=uv,
            distributions={canonicalize_name(name): str(found) for name, found in answer["distributions"].items()},
        )

    @property
    def place(self) -> str:
        """How findings name it."""
        return f"Python {self.interpreter.version}"

    def shares_files(self, name: str) -> FormerNameInstalled | None:
        """The refusal when another distribution with the files of ``name`` is installed; None when there is none."""
        for group in _SAME_FILES:
            for other in sorted(group - {name}) if name in group else ():
                if other in self.distributions:
                    return FormerNameInstalled(
                        python=self.prefix,
                        there=f"{other} {self.distributions[other]}",
                        coming=name,
                        command=self.uninstall(other),
                    )
        return None

    def uninstall(self, name: str) -> str:
        """The command that uninstalls a distribution from it."""
        python = self.interpreter.executable
        return f"uv pip uninstall --python {python} {name}" if self.uv else f"{python} -m pip uninstall {name}"


def _answer(python: str, env: Mapping[str, str], folder: Path) -> dict[str, Any]:
    try:
        done = run_child([python, "-I", str(_LOOK)], env=env, cwd=folder, timeout=_LOOK_SECONDS, separate=True)
    except (ToolMissingError, ToolHangsError, OSError) as error:
        said = "there is no such program" if isinstance(error, ToolMissingError) else str(error).splitlines()[0]
        raise _unfit(python, said) from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        last = (done.output.strip().splitlines() or ["it says nothing"])[-1]
        raise _unfit(python, f"it does not answer as a Python 3.8 or later would ({last})") from error
    if not isinstance(answer, dict):
        raise _unfit(python, "it does not answer as a Python would")
    return answer


def _unfit(python: str, problem: str) -> TargetUnfit:
    return TargetUnfit(
        python=python, problem=problem, next_step="name a working Python with `--python`, for example a virtual "
        "environment's: `python3 -m venv DIR` and `--python DIR/bin/python`",
    )  # fmt: skip


def _uv(env: Mapping[str, str]) -> str:
    """The uv on PATH, or the one beside this program."""
    return shutil.which("uv", path=os.pathsep.join([env.get("PATH", ""), str(Path(sys.executable).parent)])) or ""
