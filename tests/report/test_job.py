"""What a job tells the next one and the people who watch it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.handover import stated
from hephaestus.release.project import Project, read_project
from hephaestus.release.receipts import Receipt
from hephaestus.report.job import hand_over


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of version 1.2.3."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n[tool.hephaestus.release]\nrepository = "o/r"\n'
    )
    return read_project(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> ReleaseDirectory:
    """A release that has been built; what it says of itself holds signs a table and a log would trip over."""
    directory = ReleaseDirectory(path=tmp_path / "release" / "1.2.3")
    directory.path.mkdir(parents=True)
    receipt = Receipt(
        stage="build", world="publish", project="tiny-thing", version="1.2.3", commit="c" * 40, dirty=False,
        key=f"sha256:{'0' * 64}", started="2026-01-02T03:04:05Z", seconds=1.0,
        evidence={"state": "a|b\nc", "url": "https://someone:hunter2secret@example.org/x"},
    )  # fmt: skip
    with directory.staging("build") as staging:
        staging.path("dist/p-1.whl").write_bytes(b"wheel")
        directory.commit(staging, receipt)
    return directory


def told(folder: Path) -> dict[str, str]:
    return {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def test_the_outputs_are_what_the_next_job_needs(project: Project, directory: ReleaseDirectory, tmp_path: Path) -> None:
    """The outputs grow by the word of the stage, the version and the tag, one a line."""
    (tmp_path / "output").write_text("before=1\n")
    hand_over("build", project, directory, reason="", environ=told(tmp_path))
    lines = (tmp_path / "output").read_text().splitlines()
    assert lines == ["before=1", f"manifest={stated(directory, 'build')}", "version=1.2.3", "tag=v1.2.3"]


def test_the_summary_is_a_whole_table_without_secrets(
    project: Project, directory: ReleaseDirectory, tmp_path: Path
) -> None:
    """Commit, state, word and every file with its digest; a bar or line end breaks no row, a password is gone."""
    hand_over("build", project, directory, reason="", environ={**told(tmp_path), "GITHUB_RUN_ATTEMPT": "3"})
    page = (tmp_path / "summary.md").read_text()
    assert "hunter2secret" not in page
    assert r"| state | a\|b c |" in page
    for words in ("c" * 40, "| attempt | 3 |", stated(directory, "build"), "`dist/p-1.whl`"):
        assert words in page


def test_a_stage_left_out_says_why(project: Project, directory: ReleaseDirectory, tmp_path: Path) -> None:
    """Without a receipt of its own a stage tells the reason, and its word is over what there is."""
    hand_over("upload-pypi", project, directory, reason="a pre-release goes to Test PyPI only", environ=told(tmp_path))
    assert "a pre-release goes to Test PyPI only" in (tmp_path / "summary.md").read_text()
    assert "manifest=upload-pypi=sha256:" in (tmp_path / "output").read_text()


def test_nothing_is_written_where_nobody_asks(project: Project, directory: ReleaseDirectory, tmp_path: Path) -> None:
    """Without the runner's variables no file appears."""
    before = sorted(tmp_path.rglob("*"))
    hand_over("build", project, directory, reason="", environ={})
    assert sorted(tmp_path.rglob("*")) == before
