"""The commands of the front page and of the stages' page, typed as they stand there, on a small released project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docs.documents import blocks, commands
from e2e.projects import SUITE, Project, Ran

from hephaestus.release.directory import STAGES

#: Commands of nox on the front page, by what they are typed after: a whole release, or one before its uploads.
SHOWN = {command.text for command in commands() if command.page == "README.md" and not command.block}


def typed(project: Project, text: str) -> Ran:
    """Run a command that the front page shows, word for word."""
    assert text in SHOWN, f"README.md no longer shows {text!r}"
    return project.nox(*text.split()[1:])


def hephaestus(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``hephaestus ...`` in a project, as its owner would."""
    environ = {**project.setting.environ, "PYTHONPATH": str(SUITE / "src")}
    return subprocess.run(
        [sys.executable, "-m", "hephaestus", *words],
        cwd=project.root, env=environ, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_every_command_of_the_front_page_is_typed_here() -> None:
    """A command added to README.md needs a test below: the texts of this file name each of them."""
    text = Path(__file__).read_text(encoding="utf-8")
    missing = {command for command in SHOWN if f'"{command}"' not in text}
    assert not missing


@pytest.mark.parametrize(
    "text",
    [
        "hephaestus doctor",
        "hephaestus init",
        "hephaestus release install",
        "hephaestus release verify",
        "hephaestus wheelhouse",
    ],
)
def test_what_the_front_page_only_names_explains_itself(original: Project, text: str) -> None:
    """A command that the page names and another page teaches (where it is typed in full) has a help of its own."""
    assert text in SHOWN, f"README.md no longer shows {text!r}"
    done = hephaestus(original, *text.split()[1:], "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("Usage: ")


@pytest.mark.parametrize("text", ["nox -s smoke", "nox -s smoke --no-dependencies"])
def test_smoke_finds_nothing_to_do_after_a_release(released: Project, text: str) -> None:
    """Both ways to rerun one stage end well, run nothing that holds, and no stage beyond smoke."""
    ran = typed(released, text)
    assert ran.code == 0, ran.output
    assert ran.ended("smoke") == "skipped"
    assert ran.ended("upload-pypi") == ""
    assert ran.tools() == []


def test_smoke_alone_refuses_what_is_not_proven(before: Callable[[str], Project]) -> None:
    """`--no-dependencies` before the upload to Test PyPI refuses and names the command that is missing."""
    project = before("upload-testpypi")
    ran = typed(project, "nox -s smoke --no-dependencies")
    assert ran.code != 0
    assert "nothing was changed" in ran.flat
    assert "nox -s upload-testpypi" in ran.flat
    assert "Traceback" not in ran.output
    assert not project.receipt_path("smoke").exists()


def test_smoke_with_dependencies_runs_what_it_lacks(before: Callable[[str], Project]) -> None:
    """The same stage with its dependencies makes up for the upload and goes no further."""
    project = before("upload-testpypi")
    ran = typed(project, "nox -s smoke")
    assert ran.code == 0, ran.output
    assert (ran.ended("check"), ran.ended("upload-testpypi"), ran.ended("smoke")) == ("skipped", "success", "success")
    assert project.receipt_path("smoke").is_file()
    assert not project.receipt_path("upload-pypi").exists()


def test_redo_runs_the_named_stage_and_no_other(released: Project) -> None:
    """`--redo=check` checks again, although nothing changed, and every other stage is skipped."""
    ran = typed(released, "nox -s release -- --redo=check")
    assert ran.code == 0, ran.output
    assert ran.ended("check") == "success"
    assert {ran.ended(stage) for stage in STAGES if stage != "check"} == {"skipped"}


def test_the_fault_shown_strikes_and_is_recovered(before: Callable[[str], Project]) -> None:
    """`--fault=pypi:403@2` makes PyPI read-only at the second upload: said, waited for, and whole, once per file."""
    project = before("upload-pypi")
    ran = typed(project, "nox -s release -- --fault=pypi:403@2")
    assert ran.code == 0, ran.output
    assert [upload["status"] for upload in project.uploads("pypi")] == [200, 403, 200]
    assert "the index takes no uploads at the moment; trying again" in ran.flat, "whoever asked for it sees it"
    assert project.served("pypi") == project.digests()


def test_help_lists_the_grammar_and_does_nothing(released: Project) -> None:
    """`-- --help` shows what may stand after `--`, ends well and leaves every file alone."""
    before = released.files()
    ran = typed(released, "nox -s build -- --help")
    assert ran.code == 0, ran.output
    assert "--redo" in ran.output
    assert "--fault" in ran.output
    assert released.files() == before


def test_status_says_how_a_release_stands(released: Project) -> None:
    """`hephaestus release status` names every file, service and stage, and that nothing is left; as JSON the same."""
    assert "hephaestus release status" in SHOWN
    shown = hephaestus(released, "release", "status")
    assert shown.returncode == 0, shown.stderr
    for stage in STAGES:
        assert f"  {stage} " in shown.stdout
    for name, digest in released.digests().items():
        assert f"{digest}  " in shown.stdout
        assert f"dist/{name}" in shown.stdout
    assert "nothing is left to do" in shown.stdout
    data = json.loads(hephaestus(released, "release", "status", "--json").stdout)
    assert data["next"] == ""


def test_status_before_any_release_says_so(make: Callable[..., Project]) -> None:
    """In a project that was never built the status names the first stage as the next command and writes nothing."""
    project = make()
    shown = hephaestus(project, "release", "status")
    assert shown.returncode == 0, shown.stderr
    assert "next: nox -s build" in shown.stdout
    assert not (project.root / "release").exists()


def test_status_outside_a_project_is_one_clear_error(tmp_path: Path, released: Project) -> None:
    """Where no pyproject.toml is, the status fails with a message and no traceback."""
    shutil.rmtree(tmp_path / "nowhere", ignore_errors=True)
    (tmp_path / "nowhere").mkdir()
    shown = hephaestus(Project(root=tmp_path / "nowhere", setting=released.setting), "release", "status")
    assert shown.returncode == 1
    assert "pyproject.toml" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_noxfile_of_the_front_page_is_a_whole_noxfile(make: Callable[..., Project]) -> None:
    """The Python block of README.md, as the whole noxfile.py, registers every stage."""
    project = make()
    (block,) = blocks("README.md", "python")
    project.write("noxfile.py", block)
    listed = project.nox("--script-mode", "none", "-l", env={"PYTHONPATH": str(SUITE / "src")})
    assert listed.code == 0, listed.output
    for stage in (*STAGES, "release"):
        assert f"- {stage} " in listed.output
