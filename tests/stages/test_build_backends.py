"""The build stage with the real build backends of PyPI: what each promises, held against what it does.

The table is the measured one (facts: reproducible builds, section 1): path, umask, time zone, clock, file times and
modes differ between the two builds. The versions are those of dev/backends.txt: a backend that changes is noticed in
the pull request that moves it there.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stages.conftest import plain_world

from hephaestus.stages.build import BuildStage
from hephaestus.stages.frontend import RequirementsError
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context
from hephaestus.toolchain.locks import read_lock_file
from hephaestus.worlds.world import ChildKind

INIT = {"src/demo/__init__.py": '"""Demo."""\n\n__version__ = "1.0"\n', "README.md": "# Demo\n", "LICENSE": "MIT\n"}
PROJECT = (
    '[project]\nname = "demo"\nversion = "1.0"\ndescription = "A demo"\nreadme = "README.md"\n'
    'requires-python = ">=3.11"\n'
)
MESON = (
    "project('demo', version: '1.0')\npy = import('python').find_installation(pure: true)\n"
    "py.install_sources('src/demo/__init__.py', subdir: 'demo')\n"
)
CMAKE = (
    "cmake_minimum_required(VERSION 3.15)\nproject(demo LANGUAGES NONE)\n"
    "install(FILES src/demo/__init__.py DESTINATION demo)\n"
)

VERSIONS = read_lock_file(Path(__file__).parents[2] / "dev" / "backends.txt").versions

#: backend, further files, demanded, whether sdist and wheel are reproducible
BACKENDS: dict[str, tuple[str, dict[str, str], str, bool, bool]] = {
    "hatchling": ("hatchling.build", {}, "require", True, True),
    "flit-core": ("flit_core.buildapi", {}, "require", True, True),
    "poetry-core": ("poetry.core.masonry.api", {}, "require", True, True),
    "uv-build": ("uv_build", {}, "require", True, True),
    "setuptools": ("setuptools.build_meta", {}, "report", False, False),
    "pdm-backend": ("pdm.backend", {}, "report", False, True),
    "scikit-build-core": (
        "scikit_build_core.build", {"CMakeLists.txt": CMAKE}, "require", True, True,
    ),
    "meson-python": ("mesonpy", {"meson.build": MESON}, "require", True, True),
}  # fmt: skip


@pytest.fixture
def build(context_of: Callable[..., Context], tmp_path: Path) -> Callable[..., Outcome]:
    """Run the build stage with uv on the builders' PATH, unless told otherwise."""

    def run(root: Path, *, uv: bool = True) -> Outcome:
        found = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        assert found is not None, "uv is a development requirement"
        folder = tmp_path / "uv"
        if not folder.exists():
            folder.mkdir()
            (folder / "uv").symlink_to(found)
        world = plain_world(tmp_path)
        builder = {**world.children[ChildKind.BUILDER]}
        if uv:
            builder["PATH"] = os.pathsep.join([str(folder), builder["PATH"]])
        world = dataclasses.replace(world, children={**world.children, ChildKind.BUILDER: builder})
        context = context_of(root, lock="build", world=world)
        try:
            return run_stage(BuildStage(ask=lambda *_: {}), context, recorder=context.environment)
        finally:
            shutil.rmtree(context.work)

    return run


def evidence(outcome: Outcome) -> Any:
    """The evidence of an outcome's receipt."""
    assert outcome.receipt is not None
    return outcome.receipt.evidence


def held(build: Callable[..., Outcome], commit: Callable[..., Path], name: str) -> None:
    """Build with one backend and hold the outcome against the table."""
    backend, files, demanded, sdist, wheel = BACKENDS[name]
    text = f'[build-system]\nrequires = ["{name}=={VERSIONS[name]}"]\nbuild-backend = "{backend}"\n\n{PROJECT}'
    outcome = build(commit({**INIT, **files, "pyproject.toml": text}))
    found = evidence(outcome)
    verdicts = {
        ("sdist" if file.endswith(".gz") else "wheel"): same for file, same in found["reproducible"]["files"].items()
    }
    assert found["reproducible"]["demand"] == demanded
    assert verdicts == {"sdist": sdist, "wheel": wheel}, found["reproducible"]["differences"]
    assert found["build_requirements"]["installed"][name] == VERSIONS[name]
    assert outcome.receipt is not None
    assert outcome.receipt.tools[name] == VERSIONS[name]


@pytest.mark.parametrize("name", ["hatchling", "flit-core", "setuptools", "pdm-backend"])
def test_backend_is_as_the_table_says(build: Callable[..., Outcome], commit: Callable[..., Path], name: str) -> None:
    """Two that must be reproducible and two that are only reported on, with their versions recorded."""
    held(build, commit, name)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "name", [name for name in BACKENDS if name not in ("hatchling", "flit-core", "setuptools", "pdm-backend")]
)
def test_every_backend_is_as_the_table_says(
    build: Callable[..., Outcome], commit: Callable[..., Path], name: str
) -> None:
    """The rest of the table; some bring compilers' companions with them."""
    held(build, commit, name)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A list with flit-core and its hashes, made by uv as a project would."""
    folder = tmp_path_factory.mktemp("pinned")
    (folder / "build.in").write_text("flit_core>=3.2\n")
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--generate-hashes", "build.in"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


class TestConstraints:
    """Build requirements from a list with hashes."""

    TEXT = (
        f'[build-system]\nrequires = ["flit_core>=3.2"]\nbuild-backend = "flit_core.buildapi"\n\n{PROJECT}\n'
        '[tool.hephaestus.release.build]\nconstraints = "build.txt"\n'
    )

    def test_complete_list_is_used_and_recorded(
        self, build: Callable[..., Outcome], commit: Callable[..., Path], pinned: str
    ) -> None:
        """With every requirement pinned the build is called locked, and pip is what enforces it."""
        outcome = build(commit({**INIT, "pyproject.toml": self.TEXT, "build.txt": pinned}))
        found = evidence(outcome)["build_requirements"]
        assert found["locked"] is True
        assert found["constraints"].startswith("sha256:")
        assert f"=={found['installed']['flit-core']}" in pinned
        assert outcome.receipt is not None
        assert not any("uv" in command for command in outcome.receipt.commands)

    @pytest.mark.parametrize("wrong", ["hash", "incomplete"])
    def test_wrong_hash_and_missing_requirement_fail_closed(
        self, build: Callable[..., Outcome], commit: Callable[..., Path], pinned: str, wrong: str
    ) -> None:
        """A hash of another file, or a list that leaves a requirement out: nothing is installed."""
        content = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", pinned)
        if wrong == "incomplete":
            content = f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n"
        assert content != pinned
        with pytest.raises(RequirementsError, match=r"build\.txt must list every one of them"):
            build(commit({**INIT, "pyproject.toml": self.TEXT, "build.txt": content}))
