"""Fixtures: where the projects live, and one project that has been released once for the whole test session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
from e2e.projects import Project, Setting, committed, environment

from hephaestus.release.directory import STAGES

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything here drives real nox; either every boundary is tried (`nox -s crash`) or the telling ones."""
    other = "telling_boundary" if os.environ.get("HEPHAESTUS_EVERY_BOUNDARY") == "1" else "every_boundary"
    left_out = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    # The longest come first: what one worker has not begun when the other is done, the other takes from its end.
    items[:] = sorted((item for item in items if item not in left_out), key=_light)
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def _light(item: pytest.Item) -> int:
    return 0 if item.path.name == "test_workflow.py" else 1 if _HERE in item.path.parents else 2


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """One folder for all xdist workers of this test session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "e2e"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def setting(common: Path, worker: str) -> Setting:
    """An empty HOME for all, stage environments for each worker, one cache for the stand-ins' environment."""
    cache = Path(os.environ.get("HEPHAESTUS_CACHE") or common / "cache")
    return Setting(envdir=common / f"environments-{worker}", environ=environment(common / "home", cache=cache))


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this xdist worker."""
    given: dict[str, str] = getattr(request.config, "workerinput", {"workerid": "main"})
    return given["workerid"]


@pytest.fixture
def make(tmp_path: Path, setting: Setting) -> Iterator[Callable[..., Project]]:
    """Make projects; their stand-ins end with the test."""
    made: list[Project] = []

    def new(name: str = "project", **options: object) -> Project:
        given = {"setting": setting, **options}
        project = committed(tmp_path / name, **given)  # type: ignore[arg-type]
        made.append(project)
        return project

    yield new
    for project in made:
        project.rest()


@pytest.fixture(scope="session")
def original(common: Path, setting: Setting) -> Project:
    """A project released once, stage by stage, for all workers; its stand-ins are at rest. Never to be changed.

    Beside it lie ``before-<stage>`` for every stage, the project as it was just before that stage, and
    ``trace-<stage>.txt``, the boundaries that stage passed.
    """
    project = Project(root=common / "released", setting=setting)
    with filelock.FileLock(common / "released.lock"):
        done = common / "released.txt"
        if not done.is_file():
            for trace in common.glob("trace-*.txt"):
                trace.unlink()
            for folder in (project.root, *(_before(common, stage) for stage in STAGES)):
                shutil.rmtree(folder, ignore_errors=True)
            committed(project.root, setting=setting)
            for stage in STAGES:
                project.copy(_before(common, stage))
                trace = common / f"trace-{stage}.txt"
                ran = project.nox("-s", stage, "--no-dependencies", "--", f"--fault=trace:{trace}")
                assert ran.code == 0, ran.output
                assert ran.ended(stage) == "success", ran.output
            project.rest()
            done.write_text("released\n", encoding="utf-8")
    return project


@pytest.fixture
def released(original: Project, tmp_path: Path, setting: Setting) -> Iterator[Project]:
    """A copy of the released project, its stand-ins' state included."""
    project = original.copy(tmp_path / "copy", setting=setting)
    yield project
    project.rest()


@pytest.fixture
def before(original: Project, common: Path, tmp_path: Path, setting: Setting) -> Iterator[Callable[[str], Project]]:
    """A copy of the project as it was just before a stage ran for the first time."""
    copies: list[Project] = []

    def copy(stage: str) -> Project:
        whole = Project(root=_before(common, stage), setting=original.setting)
        copies.append(whole.copy(tmp_path / f"before-{stage}-{len(copies)}", setting=setting))
        return copies[-1]

    yield copy
    for project in copies:
        project.rest()


def _before(common: Path, stage: str) -> Path:
    return common / f"before-{stage}"
