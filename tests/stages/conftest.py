"""What every stage's tests stand on: a small real project in git, a world of data, a real environment from the lock."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from stages.releases import IDENTITY

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.project import read_project
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import read_source
from hephaestus.services.http import HttpClient
from hephaestus.stages.stage import Context, Options
from hephaestus.standins.faults import Fault
from hephaestus.standins.http import Listener, Response
from hephaestus.standins.sigstore import Serving, serving
from hephaestus.toolchain.environment import LockedEnvironment
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment
from hephaestus.worlds.world import (
    ChildKind,
    DirtyPolicy,
    GitHub,
    Index,
    Policy,
    Publisher,
    Sigstore,
    TagPolicy,
    World,
)

if TYPE_CHECKING:
    from stages.standins import Scene, Standins
    from stages.wheelhouses import Bench, MadeWheelhouse

PYPROJECT = """\
[build-system]
requires = []
build-backend = "tiny"
backend-path = ["."]

[project]
name = "tiny-project"
version = "1.2.3"
"""


@dataclass
class RecordingNarrator:
    """A narrator that keeps what it is told."""

    lines: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.lines.append(text)

    def command(self, text: str) -> None:
        self.lines.append(f"> {text}")

    def warn(self, text: str) -> None:
        self.lines.append(f"! {text}")

    def progress(self, done: int, total: int, unit: str) -> None:
        self.lines.append(f"{done}/{total} {unit}")


def git(root: Path, *arguments: str) -> str:
    """Run git as a person with a name, and no configuration of this machine."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    }
    command = [
        "git",
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
        *arguments,
    ]
    return subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


def commit_files(root: Path, files: dict[str, str], *, message: str = "first") -> Path:
    """Write files into a repository, made when it is not there, and commit them; returns its root."""
    if not root.exists():
        root.mkdir()
        git(root, "init", "-q")
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return root


@pytest.fixture
def commit(tmp_path: Path) -> Callable[..., Path]:
    """Make a project of files in a fresh repository and commit it; returns its root."""
    return functools.partial(commit_files, tmp_path / "project")


def plain_world(root: Path, *, policy: Policy | None = None, simple: str = "http://127.0.0.1:9/simple/") -> World:
    """A world of nothing but data, whose indexes answer where ``simple`` says."""
    keep = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_"))}
    base = {**keep, "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    index = {
        name: Index(name=name, repository=name, simple_url=simple, json_url=simple) for name in ("testpypi", "pypi")
    }
    return World(
        label="rehearsal",
        indexes=index,
        github=GitHub(api_url="http://127.0.0.1:9", uploads_url="http://127.0.0.1:9", repository="o/r", token="t"),
        sigstore=Sigstore(),
        publisher=Publisher(repository="o/r", workflow="publish-pypi.yml", ref="refs/tags/v1.2.3", assumed=True),
        policy=policy or Policy(dirty=DirtyPolicy.LABEL, tag=TagPolicy.ASSUMED),
        children=dict.fromkeys(ChildKind, base),
        uploaders=dict.fromkeys(index, base),
        state=root,
    )


def make_context(
    folder: Path, root: Path, *, lock: str, world: World | None = None, options: Options | None = None
) -> Context:
    """A Context over a committed project; what it works with lies in ``folder``."""
    project = read_project(root, tag=options.tag if options is not None else "")
    release = ReleaseRoot(path=root / "release", rehearsal=True)
    release.prepare()
    directory: ReleaseDirectory = release.directory(project.version)
    directory.path.mkdir(parents=True, exist_ok=True)
    work = folder / "work" / lock
    work.mkdir(parents=True, exist_ok=True)
    world = world or plain_world(folder)
    narrator = RecordingNarrator()

    def provision() -> Path:
        environ = dict(os.environ)
        return cached_environment(read_lock(lock), env=environ, cache=cache_folder(environ))

    return Context(
        project=project,
        world=world,
        directory=directory,
        environment=LockedEnvironment(provision=provision, work=work / "commands", announce=narrator.command),
        narrator=narrator,
        options=options or Options(),
        work=work,
        source=read_source(root),
    )


@pytest.fixture
def context_of(tmp_path: Path) -> Callable[..., Context]:
    """A Context for one stage over a committed project: its own release directory and a real locked environment."""
    return functools.partial(make_context, tmp_path)


@pytest.fixture(scope="session")
def standin_sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One stand-in Sigstore for all tests of stages; ``sigstore_faults`` arms its faults."""
    with serving(tmp_path_factory.mktemp("sigstore"), IDENTITY) as running:
        yield running


@pytest.fixture
def sigstore_faults(standin_sigstore: Serving) -> Iterator[Callable[..., None]]:
    """Arm faults of the stand-in Sigstore by their text; disarmed after the test."""
    yield lambda *faults: standin_sigstore.faults.arm(Fault.parse(fault) for fault in faults)
    standin_sigstore.faults.arm([])


@pytest.fixture(scope="session")
def empty_index() -> Iterator[str]:
    """The simple URL of an index that has nothing."""
    with Listener(lambda _request: Response(status=404)) as listener:
        yield f"{listener.url}/simple/"


@pytest.fixture(scope="session")
def standins(standin_sigstore: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standins]:
    """One host of all stand-ins in this process; ``scene`` gives each test its own indexes and GitHub behind it."""
    from stages.standins import Standins

    state = tmp_path_factory.mktemp("standins")
    with Standins(state, standin_sigstore).running(state) as running:
        yield running


@pytest.fixture(scope="session")
def signed_release(standin_sigstore: Serving, tmp_path_factory: pytest.TempPathFactory) -> ReleaseDirectory:
    """A signed release with its wheelhouse, made once; tests work on copies."""
    from stages.standins import make_release

    return make_release(tmp_path_factory.mktemp("release"), standin_sigstore)


@pytest.fixture
def scene(
    standins: Standins, signed_release: ReleaseDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    """A copy of the signed release before nothing-public-yet stand-ins; clients wait in the stand-ins' time."""
    from stages.standins import make_scene

    made = make_scene(standins, signed_release, tmp_path)
    patient = functools.partial(HttpClient, sleep=made.sleep)
    monkeypatch.setattr("hephaestus.stages.indexes.HttpClient", patient)
    return made


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A built release, and an index that answers with ``need`` and ``old`` (yanked)."""
    from stages.wheelhouses import opened_bench

    with opened_bench(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def made_wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> MadeWheelhouse:
    """A real release up to its wheelhouses, for this machine and two others; made once for all workers."""
    from stages.wheelhouses import make_wheelhouse

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheelhouses"
    folder.mkdir(exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        return make_wheelhouse(folder)


@pytest.fixture
def tiny() -> dict[str, str]:
    """Files of a whole small project that builds itself: no build requirement, no network."""
    return {
        "pyproject.toml": PYPROJECT,
        "tiny.py": (Path(__file__).parent / "tiny_backend.py").read_text(encoding="utf-8"),
        "README.md": "# Tiny project\n",
        "src/tiny_project/__init__.py": '"""Tiny."""\n\n__version__ = "1.2.3"\n',
    }
