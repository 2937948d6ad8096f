"""Small real projects and real `nox` over them: what every end-to-end test drives."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.worlds.hosting import Host, HostSilentError, living_host

__all__ = [
    "REPOSITORY",
    "SUITE",
    "Project",
    "Ran",
    "Setting",
    "committed",
    "environment",
    "git",
    "gone",
    "running",
    "until",
    "written",
]

SUITE = Path(__file__).resolve().parents[2]
REPOSITORY = "someone/tiny-thing"

#: The whole noxfile of a project that uses the suite; only the path of the checkout is special to tests.
NOXFILE = f"""\
import sys

sys.path.insert(0, {str(SUITE / "src")!r})

from hephaestus.nox import release_sessions

release_sessions()
"""

_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
description = "A project that only tests release"
readme = "README.md"
requires-python = ">=3.9"
license = "MIT"
license-files = ["LICENSE"]
dependencies = {dependencies}

[project.scripts]
{name} = "{package}:main"

[tool.hephaestus.release]
repository = "{repository}"
{settings}
"""

#: Variables that would change what nox or the suite does; a test sets those it is about.
_REMOVED = (
    "CI", "FORCE_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "HEPHAESTUS_PUBLISH", "NOXSESSION", "NO_COLOR",
    "PYTHONPATH", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A finished nox: its exit code and everything it said, both streams together."""

    code: int
    output: str

    @property
    def flat(self) -> str:
        """What it said, with every run of white space one space: for words that may be wrapped."""
        return " ".join(self.output.split())

    def ended(self, stage: str) -> str:
        """How nox says a session ended: ``success``, ``skipped``, ``aborted``, ``failed``; empty when it never ran."""
        for line in reversed(self.output.splitlines()):
            if line.startswith(f"nox > * {stage}: "):
                return line.removeprefix(f"nox > * {stage}: ").split(",")[0].split(" ")[0]
            for word in ("skipped", "failed", "aborted"):
                if line.startswith(f"nox > Session {stage} {word}"):
                    return word
            if line.startswith(f"nox > Session {stage} was successful"):
                return "success"
        return ""

    def tools(self) -> list[str]:
        """Every tool command the stages printed."""
        return [line.removeprefix("  > ") for line in self.output.splitlines() if line.startswith("  > ")]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where the projects of a test session live: an empty HOME, one folder of stage environments, one cache."""

    envdir: Path
    environ: Mapping[str, str]
    backend: str = "uv"


@dataclass(kw_only=True)
class Project:
    """One project on disk. Every host that served it is remembered, so that ``end`` leaves no process."""

    root: Path
    setting: Setting
    version: str = "1.2.3"
    _states: set[Path] = field(default_factory=set)

    def nox(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run real nox to its end, however long that takes here; one that falls silent hangs."""
        with running(self, *words, env=env) as process:
            output = heard(process)
        self._states.update(self._present())
        return Ran(code=process.returncode, output=output)

    def command(self, *words: str) -> list[str]:
        """The argument list of a nox over this project."""
        backend = [] if self.setting.backend == "uv" else ["--force-venv-backend", self.setting.backend]
        return [sys.executable, "-m", "nox", "--envdir", str(self.setting.envdir), *backend, *words]

    @property
    def directory(self) -> ReleaseDirectory:
        """The rehearsed release."""
        return ReleaseDirectory(path=self.root / "release" / "rehearsal" / self.version)

    @property
    def source(self) -> str:
        """The source whose world is open."""
        pointer = self.root / "release" / "rehearsal" / f".{self.version}.world"
        return str(json.loads(pointer.read_text(encoding="utf-8"))["source"])

    @property
    def state(self) -> Path:
        """What the stand-ins of the open world keep."""
        return self.root / "release" / "rehearsal" / "standins" / self.source

    def host(self) -> Host:
        """The living host of the open world."""
        host = living_host(self.state)
        assert host is not None, "no stand-ins are running"
        return host

    def digests(self) -> dict[str, str]:
        """The distributions as they lie there: file name to sha256 (hex)."""
        dist = self.directory.dist
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(dist.iterdir())}

    def files(self) -> dict[str, str]:
        """Every file of the release directory but its summary, with its sha256."""
        here = self.directory.path
        return {
            path.relative_to(here).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(here.rglob("*"))
            if path.is_file() and path.name != "summary.json"
        }

    def receipt(self, stage: str) -> dict[str, Any]:
        """A receipt as JSON data."""
        data: dict[str, Any] = json.loads(self.receipt_path(stage).read_text(encoding="utf-8"))
        return data

    def receipt_path(self, stage: str) -> Path:
        """Where the receipt of a stage lies."""
        return self.directory.path / "receipts" / f"{stage}.json"

    def stages(self) -> list[str]:
        """The stages that have left a receipt, in the chain's order."""
        return [stage for stage in STAGES if self.receipt_path(stage).is_file()]

    def uploads(self, index: str) -> list[dict[str, Any]]:
        """Every upload the index was sent, with what became of it, whoever was its host."""
        path = self.state / "index" / index / "journal.jsonl"
        entries: dict[int, dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            entry = json.loads(line)
            entries.setdefault(entry["number"], {}).update(entry)
        return [entries[number] for number in sorted(entries)]

    def served(self, index: str) -> dict[str, str]:
        """File name to sha256 of what an index holds, by its own state file."""
        path = self.state / "index" / index / "state.json"
        state = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"files": {}}
        return {name: file["sha256"] for name, file in state["files"].items()}

    def write(self, name: str, text: str) -> None:
        """Write one file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, line: str = "ANSWER = 42") -> None:
        """Change the source by one line."""
        module = self.root / "src" / "tiny_thing" / "__init__.py"
        module.write_text(module.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")

    def copy(self, target: Path, *, setting: Setting | None = None) -> Project:
        """The project as it lies there, release and stand-ins' state included, somewhere else; no host comes along."""
        shutil.copytree(self.root, target, symlinks=True, ignore=shutil.ignore_patterns("host.json", "run", "*.lock"))
        return Project(root=target, setting=setting or self.setting, version=self.version)

    def rest(self) -> None:
        """End the hosts of all worlds of this project by their own control, and wait until they are gone."""
        for state in self._present() | self._states:
            host = living_host(state)
            if host is None:
                continue
            with contextlib.suppress(HostSilentError):
                host.shut_down()
            assert until(lambda pid=host.pid: gone(pid)), f"the stand-ins of process {host.pid} did not end"  # type: ignore[misc]

    def _present(self) -> set[Path]:
        standins = self.root / "release" / "rehearsal" / "standins"
        return {path for path in standins.iterdir() if path.is_dir()} if standins.is_dir() else set()


def committed(
    root: Path,
    *,
    setting: Setting,
    version: str = "1.2.3",
    dependencies: tuple[str, ...] = (),
    settings: str = "",
) -> Project:
    """Make a project in a fresh repository, all of it committed."""
    project = written(root, setting=setting, version=version, dependencies=dependencies, settings=settings)
    git(root, "init", "-q")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "first")
    return project


def written(
    root: Path,
    *,
    setting: Setting,
    name: str = "tiny-thing",
    version: str = "1.2.3",
    dependencies: tuple[str, ...] = (),
    settings: str = "",
) -> Project:
    """Write a project's files into a new folder."""
    package = name.replace("-", "_")
    project = Project(root=root, setting=setting, version=version)
    root.mkdir(parents=True)
    backend = (Path(__file__).parent / "backend.py").read_text(encoding="utf-8")
    project.write("backend.py", backend)
    text = _PYPROJECT.format(
        name=name, package=package, version=version, dependencies=list(dependencies), repository=REPOSITORY,
        settings=settings,
    )  # fmt: skip
    project.write("pyproject.toml", text)
    project.write("noxfile.py", NOXFILE)
    project.write("README.md", "# Tiny thing\n\nOnly tests release it.\n")
    project.write("LICENSE", "MIT License\n\nCopyright (c) the authors of tiny thing\n")
    project.write(".gitignore", "__pycache__/\n/release/\n")
    imports = "import packaging.version\n\n" if dependencies else ""
    project.write(
        f"src/{package}/__init__.py",
        f'"""Tiny."""\n\n{imports}__version__ = "{version}"\n\n\ndef main():\n    print(f"{name} {{__version__}}")\n',
    )
    return project


def git(root: Path, *arguments: str) -> str:
    """Run git as a person with a name, without any configuration of this machine."""
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=root, env=environ, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def running(project: Project, *words: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A nox that is running; killed with its children if a test leaves it so."""
    # A suite started in the background ignores SIGINT, and so would all its children.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            project.command(*words), cwd=project.root, env={**project.setting.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, ignored)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str], *, silence: float = 400.0) -> str:
    """All that a process says until it ends; raises TimeoutExpired where it says nothing for ``silence`` seconds."""
    said = b""
    while True:
        try:
            return process.communicate(timeout=silence)[0]
        except subprocess.TimeoutExpired as so_far:
            if (so_far.output or b"") == said:
                raise
            said = so_far.output


def environment(home: Path, *, cache: Path, path: str | None = None) -> dict[str, str]:
    """The environment of a person with an empty HOME; package caches are this machine's: nothing is loaded twice."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED and not name.startswith("XDG_")}
    real = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return kept | {
        "HOME": str(home),
        "PATH": path or os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(real / "uv"),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR") or str(real / "pip"),
        "HEPHAESTUS_CACHE": str(cache),
        "HEPHAESTUS_STANDINS_IDLE": "60",
        "COLUMNS": "200",
    }


def gone(pid: int) -> bool:
    """Whether no process of this id runs any more; one that only waits to be collected is gone."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not shown.stdout.strip() or shown.stdout.strip().startswith("Z")


def until(condition: Callable[[], bool], *, seconds: float = 600.0) -> bool:
    """Whether ``condition`` came true in time; looked at every 50 ms."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        pause.wait(0.05)
    return condition()
