"""The workflows as data, and what the project says of them elsewhere: sessions, settings, the security model."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

__all__ = [
    "CI", "GITHUB", "PUBLISH", "ROOT", "WORKFLOWS", "Workflow", "granted", "read", "supported_pythons", "table",
]  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = tuple(sorted((GITHUB / "workflows").glob("*.y*ml")))
PUBLISH = GITHUB / "workflows" / "publish-pypi.yml"
CI = GITHUB / "workflows" / "ci.yml"


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """One workflow file: its name, its text (comments are only there) and its data."""

    name: str
    text: str
    data: Mapping[str, Any]

    @property
    def jobs(self) -> Mapping[str, Any]:
        """The jobs by id."""
        jobs: Mapping[str, Any] = self.data["jobs"]
        return jobs

    def steps(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every step with its job's id."""
        for job, body in self.jobs.items():
            for step in body["steps"]:
                yield job, step

    def uses(self, job: str, action: str) -> list[Mapping[str, Any]]:
        """The steps of a job that use an action, whatever its version."""
        return [step for step in self.jobs[job]["steps"] if step.get("uses", "").startswith(f"{action}@")]

    def session_step(self, job: str) -> Mapping[str, Any]:
        """The one step of a job that runs its session."""
        (step,) = [step for step in self.jobs[job]["steps"] if "nox -s" in step.get("run", "")]
        found: Mapping[str, Any] = step
        return found

    def changed(self, change: Callable[[Any], object]) -> Workflow:
        """A copy whose data ``change`` has altered."""
        data = copy.deepcopy(dict(self.data))
        change(data)
        return replace(self, data=data)

    def rewritten(self, old: str, new: str) -> Workflow:
        """A copy in whose text ``old``, which must be there, is ``new`` at its first place."""
        assert old in self.text, f"{self.name} does not hold {old!r}"
        text = self.text.replace(old, new, 1)
        return Workflow(name=self.name, text=text, data=YAML(typ="safe", pure=True).load(text))


@lru_cache
def read(path: Path) -> Workflow:
    """A workflow of this project."""
    text = path.read_text(encoding="utf-8")
    return Workflow(name=path.name, text=text, data=YAML(typ="safe", pure=True).load(text))


def granted(permissions: Mapping[str, str]) -> frozenset[str]:
    """Permissions as one set of ``scope: level``."""
    return frozenset(f"{scope}: {level}" for scope, level in permissions.items())


def table(page: str, first: str) -> list[list[str]]:
    """The rows of the table on a page whose head begins with the column ``first``, without head and rule."""
    text = (ROOT / page).read_text(encoding="utf-8")
    match = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-| ]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert match is not None, f"{page} has no table that begins with {first!r}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in match[1].splitlines()]


def supported_pythons() -> list[str]:
    """The Python versions the project's metadata promises."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in project["classifiers"])
    return [match[1] for match in found if match is not None]
