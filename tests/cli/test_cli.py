"""The front door for people, as a person meets it: exit codes, words, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hephaestus import DISTRIBUTION_NAME, __version__
from hephaestus.cli import app

PROJECT = '[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n[tool.hephaestus.release]\nrepository = "o/r"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is the smallest project the suite can read."""
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version_names_the_distribution() -> None:
    """`hephaestus --version` prints name and version and ends with 0."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"{DISTRIBUTION_NAME} {__version__}\n")


def test_help_names_the_commands() -> None:
    """`hephaestus --help` shows what there is."""
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "release" in result.output


@pytest.mark.parametrize("words", [["--versoin"], ["relase"], ["release", "stats"], ["release", "status", "--jason"]])
def test_a_mistyped_word_is_a_usage_error(words: list[str]) -> None:
    """A word nobody knows ends with 2 and is named."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert words[-1] in result.output


def test_status_of_nothing_names_the_first_stage(project: Path) -> None:
    """Before any stage has run, status says so, names the next command, and makes nothing."""
    result = CliRunner().invoke(app, ["release", "status"])
    assert result.exit_code == 0, result.output
    assert "next: nox -s build" in result.output
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml"]


def test_status_as_json_is_data(project: Path) -> None:
    """--json prints the same as one JSON object, version and every stage in it."""
    result = CliRunner().invoke(app, ["release", "status", "--json"])
    told = json.loads(result.output)
    assert (told["project"], told["version"], told["next"]) == ("tiny-thing", "1.2.3", "nox -s build")
    assert {stage["state"] for stage in told["stages"]} == {"not done"}


@pytest.mark.parametrize(
    "content", [None, "", "[project\n", '[project]\nname = "x"\nversion = "one"\n', PROJECT + "workfow = 1\n"]
)
def test_a_project_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """A missing, broken or misspelt pyproject.toml ends with 1 and a next step, never a traceback."""
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["release", "status"])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert "next:" in result.output


def test_the_program_starts_without_rich() -> None:
    """Starting the program imports neither rich nor nox nor any stage: the first line comes quickly."""
    source = Path(__file__).resolve().parents[2] / "src"
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import hephaestus.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not {"rich", "nox", "urllib3", "sigstore", "hephaestus.stages", "hephaestus.worlds"} & set(loaded)
