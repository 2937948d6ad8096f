"""The chain with virtualenv and pip alone: uv is a preference, virtualenv the contract."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.projects import Project, Setting, committed, environment

from hephaestus.release.directory import STAGES


@pytest.fixture
def without_uv(tmp_path: Path) -> Setting:
    """A setting in which no uv is found: git and the system's tools alone are on PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "sha256sum"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    environ = environment(tmp_path / "home", cache=tmp_path / "cache", path=str(tools))
    return Setting(envdir=tmp_path / "environments", environ=environ, backend="virtualenv")


def test_the_chain_passes_without_uv_and_builds_the_same_bytes(
    without_uv: Setting, setting: Setting, tmp_path: Path
) -> None:
    """Without uv the whole chain succeeds, dependency included; with uv the same commit gives the same bytes."""
    assert shutil.which("uv", path=without_uv.environ["PATH"]) is None
    project = committed(tmp_path / "project", setting=without_uv, dependencies=("packaging>=24",))
    twin = Project(root=tmp_path / "twin", setting=setting)
    shutil.copytree(project.root, twin.root, symlinks=True)
    try:
        ran = project.nox("-s", "release")
        assert ran.code == 0, ran.output
        assert project.stages() == list(STAGES)
        assert "uv" not in {Path(command.split()[0]).name for command in ran.tools()}
        assert twin.nox("-s", "build").code == 0
        assert twin.digests() == project.digests()
        archive = project.directory.path / "wheelhouse" / "tiny-thing-1.2.3-wheelhouse.tar.gz"
        with tarfile.open(archive) as tar:
            wheels = sorted(name.split("-")[0] for name in tar.getnames() if name.endswith(".whl"))
        assert wheels == ["packaging", "tiny_thing"]
        again = project.nox("-s", "release")
        assert again.code == 0, again.output
        assert again.tools() == []
    finally:
        project.rest()
        twin.rest()


def test_the_chain_ignores_what_redirects_an_installation(
    released: Project,
) -> None:
    """PIP_TARGET, PIP_USER and the like of the caller do not move what smoke installs out of its environment."""
    released.receipt_path("smoke").unlink()
    env = {"PIP_TARGET": os.devnull, "PIP_USER": "1", "PIP_PREFIX": "/nonexistent", "UV_SYSTEM_PYTHON": "1"}
    moved = replace(released.setting, environ={**released.setting.environ, **env})
    released.setting = moved
    ran = released.nox("-s", "smoke")
    assert ran.code == 0, ran.output
