"""``hephaestus release status`` over releases in every state, and the program as a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from report.releases import released
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.release.directory import STAGES

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = '[project]\nname = "Tiny.Thing"\nversion = "1.2.3"\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, and the current folder in it."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rehearsed(here: Path) -> Path:
    """The project with a rehearsed release, all stages done."""
    directory = released(here)
    target = here / "release" / "rehearsal" / "1.2.3"
    target.parent.mkdir(parents=True)
    directory.path.rename(target)
    return here


def hephaestus_says(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    done = CliRunner().invoke(app, list(words), prog_name="hephaestus")
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["release", "--help"], ["release", "status", "--help"]])
def test_help_is_plain_text(words: list[str]) -> None:
    """Help ends well, names its command, and draws no boxes."""
    code, out, err = hephaestus_says(*words)
    assert (code, err) == (0, "")
    assert f"Usage: {' '.join(['hephaestus', *words[:-1]])}" in out
    assert "╭" not in out


def test_status_before_any_build(here: Path) -> None:
    """Nothing was built: every stage is open, build comes next, and asking makes no folder."""
    code, out, _ = hephaestus_says("release", "status")
    assert code == 0
    assert "tiny-thing 1.2.3   rehearsal not built yet\n" in out
    assert "next: nox -s build" in out
    assert not (here / "release").exists()


def test_status_of_a_release(rehearsed: Path) -> None:
    """Every stage, the file with its digest, and that nothing is left."""
    code, out, err = hephaestus_says("release", "status")
    assert (code, err) == (0, "")
    assert all(f"  {stage} " in out for stage in STAGES)
    assert "dist/x.whl" in out
    assert "nothing is left to do" in out


def test_status_for_programs(rehearsed: Path) -> None:
    """`--json` is one JSON document on standard output, of the summary's schema."""
    code, out, err = hephaestus_says("release", "status", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["schema"], told["project"], told["world"], told["next"]) == (1, "tiny-thing", "rehearsal", "")


def test_a_rehearsal_is_no_release(rehearsed: Path) -> None:
    """`--publish` looks at the real release, of which a rehearsal says nothing."""
    code, out, _ = hephaestus_says("release", "status", "--publish")
    assert code == 0
    assert "next: nox -s build" in out
    assert "publish not built yet" in out


def test_a_damaged_receipt_is_one_clear_error(rehearsed: Path) -> None:
    """A receipt that cannot be read is named; the status does not guess."""
    (rehearsed / "release" / "rehearsal" / "1.2.3" / "receipts" / "sign.json").write_text("{", encoding="utf-8")
    code, out, err = hephaestus_says("release", "status")
    assert (code, out) == (1, "")
    assert "receipts/sign.json" in err


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    """`python -m hephaestus` says what the script says, under the script's name."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    shown = subprocess.run(
        [sys.executable, "-m", "hephaestus", "--help"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert shown.stdout == hephaestus_says("--help")[1]
