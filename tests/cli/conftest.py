"""The services that commands look at, the clinic of the diagnosis, and the way to run a command in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from diagnosis.conftest import clinic, desks, template
from inspection.conftest import company, listeners, outside, published
from inspection.outside import PYPROJECT
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.inspection.resolution import Pip
from hephaestus.toolchain.virtualenvs import EnvironmentNotMadeError

__all__ = [
    "Said",
    "clinic",
    "company",
    "desks",
    "here",
    "listeners",
    "no_pip",
    "outside",
    "published",
    "says",
    "template",
]

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of version 1.2.3, and the current folder in it."""
    root = tmp_path / "here"
    root.mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT.format(version="1.2.3"), encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pip can be had: its environment cannot be made."""

    def refuse(_environ: object) -> Pip:
        raise EnvironmentNotMadeError(lock="smoke", output="no network")

    monkeypatch.setattr("hephaestus.inspection.resolution.locked_pip", refuse)


@pytest.fixture
def says() -> Said:
    """Run a command: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, list(words), prog_name="hephaestus")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
