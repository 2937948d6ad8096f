"""SIGKILL at the boundaries of real stages, then the same command: complete, valid, and nothing sent twice.

`nox -s crash` does so at every boundary of every stage; the suite itself at the most telling ones, by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from e2e.projects import Project

from hephaestus.release.directory import STAGES

#: Boundaries that a run passes before the stage itself when it has to start the stand-ins.
_HOST = 5

#: Into how many tests the boundaries of one stage are dealt, so that workers share them.
_PARTS = 4


def killed_and_run_again(project: Project, stage: str, *, at: int, trace: Path, like: Project) -> str:
    """Kill the stage at boundary ``at`` and run it again; returns the boundary's name, "" where there is none left.

    ``like`` is the project as it lies after that stage when nothing is killed.
    """
    command = ("-s", stage, "--no-dependencies")
    trace.unlink(missing_ok=True)
    ran = project.nox(*command, "--", f"--fault=kill:{at}", f"--fault=trace:{trace}")
    passed = trace.read_text(encoding="utf-8").splitlines()
    if ran.code == 0:
        assert len(passed) < at
        return ""
    number, _, name = passed[-1].partition(" ")
    where = f"{stage}, killed at boundary {at} ({name})"
    assert (ran.code, int(number)) == (-9, at), f"{where}: {ran.output}"
    again = project.nox(*command)
    assert again.code == 0, f"{where}: {again.output}"
    assert again.ended(stage) in ("success", "skipped"), where
    assert set(project.files()) == set(like.files()), where
    assert project.digests() == like.digests(), where
    assert project.directory.damage() == [], where
    assert not (project.directory.path / ".staged").exists(), where
    for index in ("testpypi", "pypi"):
        sent = {(entry["filename"], entry["sha256"]) for entry in project.uploads(index)}
        assert sent <= set(project.digests().items()), where
        assert project.served(index) == like.served(index), where
    told = json.loads((project.directory.path / "summary.json").read_text(encoding="utf-8"))
    assert {entry["stage"]: entry["state"] for entry in told["stages"]}[stage] == "done", where
    evidence = project.receipt(stage)["evidence"]
    assert evidence.get("state") in (like.receipt(stage)["evidence"].get("state"), "kept"), where
    return name


@pytest.fixture
def after(original: Project, common: Path) -> Callable[[str], Project]:
    """The project as it lay after a stage that nobody killed; only to be looked at."""

    def find(stage: str) -> Project:
        following = STAGES[STAGES.index(stage) + 1 :]
        root = common / f"before-{following[0]}" if following else original.root
        return Project(root=root, setting=original.setting)

    return find


@pytest.mark.telling_boundary
@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("build", "rename SHA256SUMS"),
        ("build", "renamed receipt.json"),
        ("sign", "renamed SHA256SUMS.sigstore.json"),
        ("upload-testpypi", "child end python"),
        ("smoke", "child end python"),
        ("upload-pypi", "child end python"),
        ("upload-pypi", "renamed receipt.json"),
        ("wheelhouse", "renamed receipt.json"),
        ("github-release", "write receipt.json"),
        ("verify", "write summary.json"),
    ],
)
def test_a_stage_killed_at_a_telling_boundary_is_completed(
    before: Callable[[str], Project],
    after: Callable[[str], Project],
    common: Path,
    tmp_path: Path,
    stage: str,
    name: str,
) -> None:
    """Killed where it hurts most (the last place of that name), the same command completes the stage, bytes and all."""
    project = before(stage)
    passed = (common / f"trace-{stage}.txt").read_text(encoding="utf-8").splitlines()
    at = max(int(line.partition(" ")[0]) for line in passed if line.partition(" ")[2] == name)
    if not any(line.endswith(" child start standins") for line in passed):
        at += _HOST
    found = killed_and_run_again(project, stage, at=at, trace=tmp_path / "trace.txt", like=after(stage))
    assert found == name


@pytest.mark.every_boundary
@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_at_any_boundary_is_completed(
    before: Callable[[str], Project],
    after: Callable[[str], Project],
    tmp_path: Path,
    stage: str,
    part: int,
) -> None:
    """At each boundary in turn, from the same state: killed, run again, complete - until there is no boundary left."""
    tried = []
    for at in count(1 + part, _PARTS):
        project = before(stage)
        found = killed_and_run_again(project, stage, at=at, trace=tmp_path / "trace.txt", like=after(stage))
        project.rest()
        if not found:
            break
        tried.append(f"{at} {found}")
    assert len(tried) >= 3, tried
