"""The projects that are measured: copies in a workspace, each with its own release folder and temporary folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.bench.usage import Usage, host_cpu, measured
from hephaestus.worlds.hosting import Host, HostSilentError, living_host

__all__ = ["SUITE", "Project", "noop", "own", "small"]

SUITE = Path(__file__).resolve().parents[2]

#: The header nox reads before it loads the file: the same for the chain and for the no-op chain it is held against.
HEADER = (SUITE / "noxfile.py").read_text(encoding="utf-8").partition('"""')[0]

#: What would change what nox or the suite does; children of a measurement get none of it.
_REMOVED = ("CI", "FORCE_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NOXSESSION", "NO_COLOR", "SOURCE_DATE_EPOCH",
            "VIRTUAL_ENV")  # fmt: skip
_REMOVED_PREFIXES = ("HEPHAESTUS_", "NOX_", "PYTHON")


@dataclass(frozen=True, kw_only=True)
class Project:
    """One project on disk. ``version`` is what it releases; ``line`` the file that gets a line for a new world."""

    root: Path
    workspace: Path
    version: str
    line: str = "README.md"

    @property
    def environ(self) -> dict[str, str]:
        """What nox and every bare tool of this project run in: the caller's, without what changes behaviour."""
        temporary = self.root.parent / f"{self.root.name}.tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in _REMOVED and not name.startswith(_REMOVED_PREFIXES)
        }
        return kept | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "TMPDIR": str(temporary),
            "HEPHAESTUS_CACHE": str(self.workspace / "cache"),
            "COLUMNS": "200",
        }

    @property
    def temporary(self) -> Path:
        """Where this project's stages have their work folders."""
        return Path(self.environ["TMPDIR"])

    @property
    def log(self) -> Path:
        """What everything said that was run here."""
        return self.root.parent / f"{self.root.name}.log"

    @property
    def rehearsals(self) -> Path:
        """``release/rehearsal/``."""
        return self.root / "release" / "rehearsal"

    @property
    def directory(self) -> Path:
        """The release directory."""
        return self.rehearsals / self.version

    def states(self) -> list[Path]:
        """The state folders of all stand-ins there are."""
        standins = self.rehearsals / "standins"
        return sorted(path for path in standins.iterdir() if path.is_dir()) if standins.is_dir() else []

    def hosts(self) -> list[Host]:
        """The living hosts."""
        return [host for state in self.states() if (host := living_host(state)) is not None]

    def nox_command(self, *words: str) -> list[str]:
        """The command of a nox over this project."""
        return [sys.executable, "-m", "nox", *words]

    def nox(self, *words: str, code: int | None = 0) -> Usage:
        """Run nox; its whole tree, and what it cost the hosts that live afterwards."""
        before = {host.pid: host_cpu(host.pid) for host in self.hosts()}
        usage = measured(self.nox_command(*words), env=self.environ, cwd=self.root, log=self.log, code=code)
        hosts = sum(host_cpu(host.pid) - before.get(host.pid, 0.0) for host in self.hosts())
        return usage + Usage(cpu=hosts)

    def rest(self) -> None:
        """End the hosts, and wait until they are gone."""
        for host in self.hosts():
            end(host)

    def edit(self, text: str) -> None:
        """Commit one more line: another source, so the next build opens another world."""
        path = self.root / self.line
        path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n\n{text}\n", encoding="utf-8")
        git(self.root, "commit", "-q", "-a", "-m", text)

    def commands(self, stage: str) -> list[list[str]]:
        """The commands the receipt of ``stage`` recorded, placeholders and all."""
        path = self.directory / "receipts" / f"{stage}.json"
        commands: list[list[str]] = json.loads(path.read_text(encoding="utf-8"))["commands"]
        return commands


def own(root: Path, *, workspace: Path) -> Project:
    """This clone as it lies there (tracked files only), committed in a repository of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=SUITE, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (SUITE / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SUITE / name, root / name)
    _commit(root)
    import tomllib

    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return Project(root=root, workspace=workspace, version=version)


_SMALL = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "small-thing"
version = "1.0"
description = "A project that only the benchmark releases"
readme = "README.md"
requires-python = ">=3.11"
license = "MIT"
license-files = ["LICENSE"]

[project.scripts]
small-thing = "small_thing:main"

[tool.hatch.build.targets.wheel]
packages = ["src/small_thing"]

[tool.hephaestus.release]
repository = "someone/small-thing"

[tool.hephaestus.release.build]
constraints = "build.txt"
""",
    "README.md": "# Small thing\n\nOnly the benchmark releases it.\n",
    "LICENSE": "MIT License\n\nCopyright (c) the authors of small thing\n",
    ".gitignore": "__pycache__/\n/release/\n/.nox/\n",
    "src/small_thing/__init__.py": '"""Small."""\n\n\ndef main():\n    print("small-thing 1.0")\n',
}


def small(root: Path, *, workspace: Path) -> Project:
    """A package of one module without dependencies, built by hatchling under this project's own build lock."""
    noxfile = f"""{HEADER}import sys

sys.path.insert(0, {str(SUITE / "src")!r})

from hephaestus.nox import release_sessions

release_sessions()
"""
    constraints = (SUITE / "dev" / "build.txt").read_text(encoding="utf-8")
    for name, text in {**_SMALL, "noxfile.py": noxfile, "build.txt": constraints}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    _commit(root)
    return Project(root=root, workspace=workspace, version="1.0")


def noop(root: Path, *, sessions: Sequence[tuple[str, Sequence[str]]], workspace: Path) -> Project:
    """A nox chain of the same names, ``requires`` and reused environments, whose bodies do nothing at all."""
    lines = [HEADER, "import nox\n\n"]
    for name, requires in sessions:
        backend = "python=False" if name == "release" else 'venv_backend="uv|virtualenv", reuse_venv=True'
        lines.append(
            f"nox.session(name={name!r}, requires={list(requires)!r}, {backend}, default=False)(lambda session: None)\n"
        )
    root.mkdir(parents=True, exist_ok=True)
    (root / "noxfile.py").write_text("".join(lines), encoding="utf-8")
    return Project(root=root, workspace=workspace, version="0")


def end(host: Host) -> None:
    """End one host by its own control and wait until it is gone."""
    with contextlib.suppress(HostSilentError):
        host.shut_down()
    pause = threading.Event()
    for _ in range(1500):
        if not Path(f"/proc/{host.pid}").exists():
            return
        pause.wait(0.02)
    raise RuntimeError(f"the stand-ins of process {host.pid} did not end")


@contextlib.contextmanager
def at_rest(projects: Mapping[str, Project]) -> Iterator[None]:
    """Leave no host behind, however the block ends."""
    try:
        yield
    finally:
        for project in projects.values():
            project.rest()


def git(root: Path, *words: str) -> str:
    """Run git as somebody, without any configuration of this machine."""
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *settings, *words], cwd=root, env=environ, check=True, capture_output=True, text=True
    ).stdout


def _commit(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "first")
