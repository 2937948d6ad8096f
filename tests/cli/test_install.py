"""``hephaestus release install`` as a command: it starts quickly, explains itself, and is strict about its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hephaestus.cli import app

SOURCE = Path(__file__).resolve().parents[2] / "src"


def loaded(code: str) -> set[str]:
    """The modules there are after some code, run in a Python of its own."""
    words = [sys.executable, "-c", f"{code}\nprint(*__import__('sys').modules)"]
    environ = {"PYTHONPATH": str(SOURCE), "TYPER_USE_RICH": "0"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_the_commands_and_typer_alone() -> None:
    """Beyond what typer brings: the modules of the command line, the base of errors, json; no library, no network."""
    code = "import sys; sys.argv = ['hephaestus', '--help']; from hephaestus.cli import app\n"
    code += "try:\n    app()\nexcept SystemExit:\n    pass"
    more = loaded(code) - loaded("import typer")
    foreign = {name for name in more if not name.startswith(("hephaestus", "typer.", "json", "_json", "__future__"))}
    assert foreign == set()
    own = {name for name in more if name.startswith("hephaestus")}
    assert {".".join(name.split(".")[:2]) for name in own} == {"hephaestus", "hephaestus.cli", "hephaestus.release"}
    assert {name for name in own if name.startswith("hephaestus.release")} == {
        "hephaestus.release",
        "hephaestus.release.errors",
    }


def test_help_explains_every_option() -> None:
    """Each option of the command has a word of explanation, and the old spellings are not offered."""
    done = CliRunner().invoke(app, ["release", "install", "--help"], prog_name="hephaestus", env={"COLUMNS": "200"})
    assert done.exit_code == 0
    lines = [line for line in done.output.splitlines() if line.strip().startswith("-")]
    assert len(lines) > 25
    assert [line for line in lines if len(line.split("  ")) < 2] == []
    assert "--python-executable" not in done.output
    assert "--pip-args" not in done.output


@pytest.mark.parametrize("words", [["--verify-checksum"], ["--tags", "v1"], ["v1.2.3"], ["--timeout", "soon"]])
def test_a_mistyped_word_is_a_usage_error(words: list[str]) -> None:
    """Options that never existed, a stray word, a value of the wrong kind: exit code 2, nothing is asked."""
    done = CliRunner().invoke(app, ["release", "install", *words], prog_name="hephaestus")
    assert done.exit_code == 2
    assert "Error" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "conda"], "is none of github, pypi, test-pypi"),
        (["--require-sigstore", "--allow-unsigned"], "contradict each other"),
        (["--source", "pypi", "--allow-unsigned", "--cleanup", "--timeout", "0"], "2 options cannot be followed"),
        (["--repository", "nowhere"], "OWNER/NAME"),
    ],
)
def test_what_cannot_be_followed_is_said_up_front(words: list[str], said: str) -> None:
    """Exit code 1 and one message, before any request."""
    done = CliRunner().invoke(app, ["release", "install", *words], prog_name="hephaestus")
    assert (done.exit_code, said in done.output) == (1, True), done.output
    assert "next: correct the command" in done.output
