"""The bare side: the tool commands a release's receipts recorded, run again in the same order with the same inputs.

A chain is recorded once, untimed. Then every replay begins from the same state: empty work folders, stand-ins with
the recorded keys and logs but empty indexes and no GitHub Release, on ports of their own. Only the commands
themselves are measured, and the process that serves them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dev.bench.projects import SUITE, Project, end
from dev.bench.recording import REFUSAL
from dev.bench.usage import CommandFailedError, Usage, host_cpu, host_peak, measured
from hephaestus.release.directory import STAGES
from hephaestus.release.project import read_project
from hephaestus.release.root import ReleaseRoot
from hephaestus.worlds.opening import open_rehearsal
from hephaestus.worlds.world import World

__all__ = ["Command", "PlaceholderError", "Recorded", "expand", "moved", "record"]

_PLACEHOLDER = re.compile(r"\{[a-z]+\}|standin://|<stand-ins>")
#: What the services themselves keep; keys and logs stay, or the recorded attestations would not verify.
_SERVED = ("index", "github", "journal.jsonl", "host.json", "host.lock", "start.lock", "host.log", "run", "home")


class PlaceholderError(Exception):
    """Raised when a recorded word has a placeholder nobody can fill."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One recorded child: the words its receipt has, and how it was run. ``inputs`` lay in ``work`` before it ran."""

    stage: str
    words: tuple[str, ...]
    kind: str
    added: Mapping[str, str]
    absent: tuple[str, ...]
    cwd: Path
    work: Path
    umask: int | None
    code: int
    refusals: int
    gone: tuple[str, ...]
    inputs: Path


def expand(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """The words of a receipt as they can be run: ``places`` maps placeholders and stable names to what they are now.

    Longer names first (``standin-pypi-tls`` before ``standin-pypi``). Raises PlaceholderError.
    """
    expanded = []
    for word in words:
        for name in sorted(places, key=len, reverse=True):
            word = word.replace(name, places[name])
        if found := _PLACEHOLDER.search(word):
            raise PlaceholderError(f"{found.group()} in {word!r}")
        expanded.append(word)
    return expanded


def moved(text: str, *, recorded: Mapping[str, str], places: Mapping[str, str]) -> str:
    """``text`` with the recorded addresses replaced by those of now; ``recorded`` maps addresses to stable names."""
    for address in sorted(recorded, key=len, reverse=True):
        if (name := recorded[address]) in places:
            text = text.replace(address, places[name])
    return text


def names_of_now(world: World) -> dict[str, str]:
    """Stable names to the addresses of a world; 127.0.0.1 where a listener has several."""
    return {name: address for address, name in reversed(list(world.addresses.items())) if "localhost" not in address}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A recorded release of ``project``, its commands in the order they ran."""

    project: Project
    folder: Path
    commands: tuple[Command, ...]
    addresses: Mapping[str, str]

    def shown(self, stages: Sequence[str] = STAGES) -> list[str]:
        """The commands as their receipts have them, a line each."""
        return [f"{command.stage}: {shlex.join(command.words)}" for command in self.commands if command.stage in stages]

    def replay(
        self,
        *,
        stages: Sequence[str] = STAGES,
        environments: Path | None = None,
        fresh: bool = True,
        each: Callable[[Command, Usage], None] = lambda _command, _usage: None,
    ) -> Usage:
        """Run the commands of ``stages`` bare; CPU of them all, of the stand-ins' start and of the stand-ins.

        ``environments`` holds one environment per stage where they are not the recorded project's own; ``fresh``
        empties what the services hold, without it they keep what they have.
        """
        world, used = self._open(fresh=fresh)
        host = self.project.hosts()[0]
        try:
            served = 0.0 if fresh else host_cpu(host.pid)
            for work in {command.work for command in self.commands}:
                shutil.rmtree(work, ignore_errors=True)
            for command in self.commands:
                if command.stage in stages:
                    usage = self._run(command, world, environments or self.project.root / ".nox")
                    each(command, usage)
                    used += usage
                else:
                    self._lay(command, names_of_now(world))
            return used + Usage(cpu=host_cpu(host.pid) - served, peak=host_peak(host.pid))
        finally:
            if fresh:
                end(host)

    def _open(self, *, fresh: bool) -> tuple[World, Usage]:
        project = read_project(self.project.root)
        root = ReleaseRoot(path=self.project.root / "release", rehearsal=True)
        if fresh:
            self.project.rest()
            for name in _SERVED:
                path = self.project.states()[0] / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        import resource  # not there on Windows, where the rest of this module is only read

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        opened = open_rehearsal(
            project, root, source=None, keep_world=True, environ=self.project.environ, faults=(), run="bare"
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return opened.world, Usage(cpu=started if fresh else 0.0)

    def _run(self, command: Command, world: World, environments: Path) -> Usage:
        now = names_of_now(world)
        self._lay(command, now)
        own_bin = str(self.project.root / ".nox" / command.stage / "bin")
        its_bin = str(environments / command.stage / "bin")
        kinds = {str(kind): dict(env) for kind, env in world.children.items()}
        kinds |= {f"uploader of {name}": dict(env) for name, env in world.uploaders.items()}
        env = {name: value for name, value in kinds[command.kind].items() if name not in command.absent}
        for name, value in command.added.items():
            env[name] = moved(value, recorded=self.addresses, places=now).replace(own_bin, its_bin)
        argv = expand(command.words, {**now, **self.places(command), "{bin}": its_bin})
        command.cwd.mkdir(parents=True, exist_ok=True)
        log = self.folder / "bare.log"
        log.unlink(missing_ok=True)
        used = measured(argv, env=env, cwd=command.cwd, log=log, code=command.code, umask=command.umask)
        if log.read_text(encoding="utf-8", errors="replace").count(REFUSAL) != command.refusals:
            raise CommandFailedError(
                f"another answer than recorded: {shlex.join(argv)}\n{log.read_text(encoding='utf-8')}"
            )
        return used

    def places(self, command: Command) -> dict[str, str]:
        """What the placeholders of a command's words are on this machine."""
        return {
            "{work}": str(command.work),
            "{release}": str(self.project.directory),
            "{bin}": str(self.project.root / ".nox" / command.stage / "bin"),
            "{project}": str(self.project.root),
            "{suite}": str(_suite(self.project)),
        }

    def _lay(self, command: Command, now: Mapping[str, str]) -> None:
        """Put what the stage had put there before this command, with the addresses of now."""
        for name in command.gone:
            path = command.work / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        command.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not command.inputs.is_dir():
            return
        shutil.copytree(command.inputs, command.work, symlinks=True, dirs_exist_ok=True)
        for path in _texts(command.inputs):
            text = path.read_text(encoding="utf-8")
            # What was staged when it was recorded has its place in the release directory since.
            text = text.replace(
                f"{self.project.directory}/.staged/{command.stage}/files/", f"{self.project.directory}/"
            )
            (command.work / path.relative_to(command.inputs)).write_text(
                moved(text, recorded=self.addresses, places=now), encoding="utf-8"
            )


def record(project: Project, folder: Path) -> Recorded:
    """Release ``project`` once, untimed, and keep what is needed to run its tools again. Ends its hosts.

    Raises CommandFailedError, and AssertionError unless the receipts name exactly the commands that ran.
    """
    script = Path(__file__).with_name("recording.py")
    words = ["-s", "release", "--", "--keep-work"]
    measured(
        [sys.executable, str(script), str(_suite(project).parent), str(folder), *words],
        env=project.environ, cwd=project.root, log=project.log,
    )  # fmt: skip
    project.rest()
    addresses = json.loads((folder / "addresses.json").read_text(encoding="utf-8"))
    lines = (folder / "commands.jsonl").read_text(encoding="utf-8").splitlines()
    pending = {stage: project.commands(stage) for stage in STAGES}
    commands = []
    found = Recorded(project=project, folder=folder, commands=(), addresses=addresses)
    for number, entry in enumerate(map(json.loads, lines)):
        command = Command(
            stage=entry["stage"], words=(), kind=entry["kind"], added=entry["added"], absent=tuple(entry["absent"]),
            cwd=Path(entry["cwd"]), work=Path(entry["work"]), umask=entry["umask"], code=entry["code"],
            refusals=entry["refusals"], gone=tuple(entry["gone"]), inputs=folder / "inputs" / str(number),
        )  # fmt: skip
        then = {name: address for address, name in reversed(list(addresses.items())) if "localhost" not in address}
        places = {**then, **found.places(command)}
        fitting = [words for words in pending[command.stage] if expand(words, places) == entry["argv"]]
        assert fitting, f"{command.stage}: no receipt names {entry['argv']}"
        pending[command.stage].remove(fitting[0])
        commands.append(replace(command, words=tuple(fitting[0])))
    assert not any(pending.values()), f"in receipts, but never run: {pending}"
    return Recorded(project=project, folder=folder, commands=tuple(commands), addresses=addresses)


def _suite(project: Project) -> Path:
    """The package that ran: the project's own when it is this one, else this clone's."""
    own = project.root / "src" / "hephaestus"
    return own if own.is_dir() else SUITE / "src" / "hephaestus"


def _texts(folder: Path) -> Iterator[Path]:
    """The small text files below a folder in which an address may stand: questions to workers and the like."""
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".txt", ".toml", ".cfg"} and path.is_file() and not path.is_symlink():
            yield path
