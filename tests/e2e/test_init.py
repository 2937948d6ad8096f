"""A project that was never released: `hephaestus init`, then the first stage of its rehearsal by real nox."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from e2e.projects import REPOSITORY, SUITE, Project, git


def test_a_fresh_project_builds_after_init(make: Callable[..., Project]) -> None:
    """Without noxfile, settings and workflow: init writes them, from the remote, and `nox -s build` does its work."""
    project = make()
    pyproject = (project.root / "pyproject.toml").read_text(encoding="utf-8")
    project.write("pyproject.toml", pyproject.partition("[tool.hephaestus.release]")[0])
    git(project.root, "rm", "-q", "noxfile.py", ".gitignore")
    git(project.root, "commit", "-q", "-am", "never released")
    git(project.root, "remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
    # As if installed: nox and the program find the suite, the children of a stage are isolated from it.
    suite = {"PYTHONPATH": str(SUITE / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "hephaestus", "init"],
        cwd=project.root, env={**project.setting.environ, **suite}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    git(project.root, "add", "--all")
    git(project.root, "commit", "-q", "-m", "release with the suite")
    # Python writes what it has compiled beside the noxfile, wherever this test itself runs without.
    ran = project.nox("--script-mode", "none", "-s", "build", env={**suite, "PYTHONDONTWRITEBYTECODE": ""})
    assert ran.code == 0, ran.output
    receipt = project.receipt("build")
    assert receipt["dirty"] is False
    assert receipt["evidence"]["changes"]["from"] == "commits", "nobody wrote a changelog"
    assert "release with the suite" in receipt["evidence"]["changes"]["text"]
    assert [name.partition("-")[0] for name in project.digests()] == ["tiny_thing", "tiny_thing"]
