"""What is measured against what. Each case returns figures; every side is a command that is printed with them."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dev.bench import bytes as archives
from dev.bench import unpacking
from dev.bench.figures import Figure, Spread, interleaved, ratio_figure
from dev.bench.many import retagged
from dev.bench.projects import Project, noop, own, small
from dev.bench.replay import Recorded, record
from dev.bench.usage import CommandFailedError, Usage, host_peak, measured
from hephaestus.nox import _CHAIN
from hephaestus.release.archive import write_archive
from hephaestus.release.directory import STAGES
from hephaestus.toolchain.locks import INSTALL_OPTIONS, read_lock

__all__ = ["CASES", "Bench"]

_MIB = 1024 * 1024
#: The lock of each stage's environment.
_LOCKS = {"sign-wheelhouse": "sign", "github-release": "verify", "upload-testpypi": "upload", "upload-pypi": "upload"}
#: What must not appear in what nox says when there is nothing to do.
_WORK = ("Creating virtual environment", "pip install", "\n  > ")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run of the benchmark: where it works, which project, how often."""

    workspace: Path
    project: str
    rounds: int
    said: Callable[[str], None]

    @cached_property
    def chain(self) -> Project:
        """The project whose chain is measured; released once, so that all its environments are there."""
        self.said(f"{self.project} project: first release, untimed")
        project = self._make("chain")
        project.nox("-s", "release")
        return project

    @cached_property
    def recorded(self) -> Recorded:
        """The same project again, released once under the recorder: where the bare tools come from."""
        self.said(f"{self.project} project: release under the recorder, untimed")
        return record(self._make("bare"), self.workspace / "record")

    def _make(self, name: str) -> Project:
        make = own if self.project == "own" else small
        return make(self.workspace / name, workspace=self.workspace)

    def interleaved(
        self, sides: Mapping[str, Callable[[int], Usage]], *, rounds: int | None = None
    ) -> tuple[dict[str, list[Usage]], Spread]:
        """See figures.interleaved."""
        return interleaved(sides, rounds=rounds or self.rounds, said=self.said)


def warm(bench: Bench) -> list[Figure]:
    """The whole chain in a new world against its tools bare; memory of the chain and of its host on the way."""
    chain, recorded = bench.chain, bench.recorded
    peaks: list[int] = []

    def release(number: int) -> Usage:
        chain.rest()
        chain.edit(f"Warm round {number}.")
        used = chain.nox("-s", "release")
        peaks.extend(host_peak(host.pid) for host in chain.hosts())
        return used

    used, anchors = bench.interleaved({"chain": release, "bare tools": lambda _number: recorded.replay()})
    figure = ratio_figure(
        f"warm chain / its tools bare ({bench.project})",
        used,
        over=("chain", "bare tools"),
        goal=1.25,
        anchors=anchors,
        commands={"chain": ["nox -s release"], "bare tools": recorded.shown()},
        note="both sides: a new world, its stand-ins started and counted; bare: the same commands, nothing else",
    )
    own_memory = [usage.own / _MIB for usage in used["chain"]]
    return [
        figure,
        Figure(
            name="peak memory: nox and the chain in it", value=Spread.of(own_memory), unit="MiB", rounds=len(own_memory)
        ),
        Figure(
            name="peak memory: the stand-ins' host",
            value=Spread.of([p / _MIB for p in peaks]),
            unit="MiB",
            rounds=len(peaks),
        ),
    ]


def cold(bench: Bench) -> list[Figure]:
    """The chain without any environment against making the same environments bare and running its tools in them."""
    chain, recorded = bench.chain, bench.recorded
    rounds = max(1, bench.rounds // 2)
    environments = bench.workspace / "bare-environments"

    def release(number: int) -> Usage:
        chain.rest()
        _forget(bench, chain.root / ".nox")
        chain.edit(f"Cold round {number}.")
        return chain.nox("-s", "release")

    def bare(_number: int) -> Usage:
        _forget(bench, environments)
        used = Usage()
        for argv in _making(environments, chain):
            used += measured(argv, env=chain.environ, cwd=bench.workspace, log=chain.log)
        return used + recorded.replay(environments=environments)

    used, anchors = bench.interleaved({"chain": release, "bare": bare}, rounds=rounds)
    return [
        ratio_figure(
            f"cold environments / the same bare ({bench.project})",
            used,
            over=("chain", "bare"),
            goal=1.5,
            anchors=anchors,
            note="package caches warm on both sides; the stand-ins' environment is made on both",
            commands={
                "chain": ["rm -r .nox CACHE/environments (untimed)", "nox -s release"],
                "bare": [shlex.join(argv) for argv in _making(environments, chain)] + recorded.shown(),
            },
        )
    ]


def rerun(bench: Bench) -> list[Figure]:
    """A release that is done, asked for again, against a nox chain of the same shape that does nothing."""
    chain = bench.chain
    chain.nox("-s", "release")
    sessions = [*((name, requires) for name, requires, *_ in _CHAIN), ("release", [name for name, *_ in _CHAIN])]
    nothing = noop(bench.workspace / "noop", sessions=sessions, workspace=bench.workspace)
    nothing.nox("-s", "release")
    _assert_idle(chain)
    used, anchors = bench.interleaved(
        {
            "rerun": lambda _number: chain.nox("-s", "release"),
            "no-op chain": lambda _number: nothing.nox("-s", "release"),
        },
        rounds=max(5, bench.rounds * 2 + 1),
    )
    return [
        ratio_figure(
            "rerun with nothing to do / a no-op nox chain",
            used,
            over=("rerun", "no-op chain"),
            goal=3.0,
            anchors=anchors,
            commands={
                "rerun": ["nox -s release"],
                "no-op chain": ["nox -s release", *(nothing.root / "noxfile.py").read_text("utf-8").splitlines()],
            },
            note="nothing installed and no tool started: asserted; no-op: same names, requires, header, environments, "
            "with empty bodies",
        )
    ]


def stage(bench: Bench) -> list[Figure]:
    """One stage again, although nothing changed, against its own tool commands bare."""
    chain, recorded = bench.chain, bench.recorded
    chain.nox("-s", "release")
    recorded.replay()
    names = ("check", "verify", "smoke", "wheelhouse") if bench.rounds > 2 else ("check",)
    figures = []
    for name in names:
        words = ["-s", name, "--no-dependencies", "--", f"--redo={name}"]
        used, anchors = bench.interleaved(
            {
                "stage": lambda _number, words=words: chain.nox(*words),  # type: ignore[misc]
                "bare": lambda _number, name=name: recorded.replay(stages=(name,), fresh=False),  # type: ignore[misc]
                "nox --version": lambda _number: chain.nox("--version"),
            }
        )
        commands = {"stage": [shlex.join(["nox", *words])], "bare": recorded.shown((name,))}
        extra = [
            (one.cpu - other.cpu) / nox.cpu
            for one, other, nox in zip(used["stage"], used["bare"], used["nox --version"], strict=True)
        ]
        figures += [
            ratio_figure(
                f"stage {name} again / its tools bare",
                used,
                over=("stage", "bare"),
                goal=None,
                anchors=anchors,
                commands=commands,
            ),
            Figure(
                name=f"  what {name} costs beside them",
                value=Spread.of(extra),
                unit="nox",
                rounds=len(extra),
                note="in units of `nox --version`; the facts propose at most 1.5",
            ),
        ]
    recorded.project.rest()
    return figures


def gigabyte(bench: Bench) -> list[Figure]:
    """Manifest and archive of 1 GiB of wheels against hashing and writing them with the standard library."""
    size, count = 1 << 30, 200
    folder, one, target = (bench.workspace / name for name in ("gigabyte", "one-wheel", "packed"))
    if shutil.disk_usage(bench.workspace).free < 4 * size:
        bench.said("1 GiB of wheels: left out, less than 4 GiB of disk are free")
        return []
    archives.make(folder, files=count, size=size // count)
    archives.make(one, files=1, size=10_000)
    script = Path(archives.__file__)
    peaks: dict[str, list[int]] = {"product": [], "bare": [], "one": []}

    def run(way: str, source: Path, peak: str) -> Usage:
        shutil.rmtree(target, ignore_errors=True)
        log = bench.workspace / "bytes.log"
        log.unlink(missing_ok=True)
        used = measured(_python(script, way, source, target), env=_environ(bench), cwd=bench.workspace, log=log)
        peaks[peak].append(int(log.read_text(encoding="utf-8").split()[-1]))
        return used

    try:
        used, anchors = bench.interleaved(
            {
                "product": lambda _number: run("product", folder, "product"),
                "bare": lambda _number: run("bare", folder, "bare"),
            }
        )
        run("product", one, "one")
    finally:
        for path in (folder, one, target):
            shutil.rmtree(path, ignore_errors=True)
    grown = [(peak - peaks["one"][0]) / _MIB for peak in peaks["product"]]
    commands = {way: [shlex.join(_python(script, way, Path("1-GiB"), Path("target")))] for way in ("product", "bare")}
    return [
        ratio_figure(
            "manifest + archive of 1 GiB / bare",
            used,
            over=("product", "bare"),
            goal=1.2,
            anchors=anchors,
            commands=commands,
            note=f"{count} files of random bytes; both ways are written out in dev/bench/bytes.py",
        ),
        Figure(
            name="  more memory than for one small wheel",
            value=Spread.of(grown),
            unit="MiB",
            goal=64,
            rounds=len(grown),
        ),
    ]


def unpack(bench: Bench) -> list[Figure]:
    """A wheelhouse of 500 MB checked and unpacked against hashing and unpacking it with the standard library."""
    size, count = 500_000_000, 50
    folder, archive, target = (bench.workspace / name for name in ("wheels", "wheelhouse.tar.gz", "unpacked"))
    if shutil.disk_usage(bench.workspace).free < 4 * size:
        bench.said("500 MB of wheels: left out, less than 2 GB of disk are free")
        return []
    archives.make(folder, files=count, size=size // count)
    with archive.open("wb") as stream:
        write_archive(stream, {path.name: path for path in folder.iterdir()}, epoch=1)
    shutil.rmtree(folder)
    script = Path(unpacking.__file__)
    peaks: list[int] = []

    def run(way: str) -> Usage:
        shutil.rmtree(target, ignore_errors=True)
        log = bench.workspace / "bytes.log"
        log.unlink(missing_ok=True)
        used = measured(_python(script, way, archive, target), env=_environ(bench), cwd=bench.workspace, log=log)
        if way == "product":
            peaks.append(int(log.read_text(encoding="utf-8").split()[-1]))
        return used

    try:
        run("bare")  # so that both sides find the archive in memory
        used, anchors = bench.interleaved({way: lambda _number, way=way: run(way) for way in ("product", "bare")})  # type: ignore[misc]
    finally:
        archive.unlink()
        shutil.rmtree(target, ignore_errors=True)
    words = {way: [shlex.join(_python(script, way, Path("WHEELHOUSE"), Path("target")))] for way in used}
    return [
        ratio_figure(
            "500 MB wheelhouse checked and unpacked / bare",
            used,
            over=("product", "bare"),
            goal=1.3,
            anchors=anchors,
            commands=words,
            note=f"{count} files of random bytes; both ways are written out in dev/bench/unpacking.py",
        ),
        Figure(
            name="  peak memory",
            value=Spread.of([peak / _MIB for peak in peaks]),
            unit="MiB",
            goal=100,
            rounds=len(peaks),
        ),
    ]


def start(bench: Bench) -> list[Figure]:
    """``hephaestus --help`` against importing typer, on which it stands: how long until the first line."""
    source = Path(sys.modules["hephaestus"].__file__ or "").parents[1]
    environ = {**_environ(bench), "PYTHONPATH": str(source), "TYPER_USE_RICH": "0"}
    sides = {
        "hephaestus --help": [sys.executable, "-m", "hephaestus", "--help"],
        "import typer": [sys.executable, "-c", "import typer"],
    }

    def run(argv: list[str]) -> Usage:
        # One start is a tenth of a second: ten of them are enough for the clock of the system.
        total = Usage()
        for _ in range(10):
            total += measured(argv, env=environ, cwd=bench.workspace, log=bench.workspace / "start.log")
        return total

    for argv in sides.values():
        run(argv)  # so that both sides find their bytecode
    used, anchors = bench.interleaved({name: lambda _number, argv=argv: run(argv) for name, argv in sides.items()})  # type: ignore[misc]
    return [
        ratio_figure(
            "hephaestus --help / import typer",
            used,
            over=("hephaestus --help", "import typer"),
            goal=1.5,
            anchors=anchors,
            commands={name: [shlex.join(argv)] for name, argv in sides.items()},
            note="ten starts a round on each side",
        )
    ]


def hundred(bench: Bench) -> list[Figure]:
    """Stages over 100 wheels and an sdist against the same over one wheel and an sdist."""
    projects = {}
    for name, count in (("100 wheels", 100), ("1 wheel", 1)):
        project = small(bench.workspace / f"many-{count}", workspace=bench.workspace)
        project.nox("-s", "build")
        (wheel,) = (project.directory / "dist").glob("*.whl")
        retagged(wheel, bench.workspace / f"wheels-{count}", count=count)
        words = ["--from", str(bench.workspace / f"wheels-{count}")]
        for needed in ("build", "sign", "check", "upload-testpypi"):
            project.nox("-s", needed, "--no-dependencies", "--", *words)
        projects[name] = (project, words)
    measured_stages = ("check", "upload-testpypi")
    parts: dict[str, dict[str, list[Usage]]] = {stage: {name: [] for name in projects} for stage in measured_stages}

    def all_stages(name: str, number: int) -> Usage:
        project, words = projects[name]
        project.rest()
        project.edit(f"Round {number}.")
        total = Usage()
        for needed in ("build", "sign", *measured_stages):
            used = project.nox("-s", needed, "--no-dependencies", "--", *words)
            if needed in parts:
                parts[needed][name].append(used)
            total += used
        return total

    _, anchors = bench.interleaved(
        {name: lambda number, name=name: all_stages(name, number) for name in projects},  # type: ignore[misc]
        rounds=max(1, bench.rounds // 2),
    )
    script = Path(archives.__file__)
    sums, sum_anchors = bench.interleaved(
        {
            name: lambda _number, name=name: measured(  # type: ignore[misc]
                _python(script, "manifest", projects[name][0].directory / "dist", bench.workspace / "sums"),
                env=_environ(bench),
                cwd=bench.workspace,
                log=bench.workspace / "bytes.log",
            )
            for name in projects
        }
    )
    for project, _ in projects.values():
        project.rest()
    sides = ("100 wheels", "1 wheel")
    return [
        *(
            ratio_figure(
                f"100 wheels / 1: {stage}",
                parts[stage],
                over=sides,
                goal=None,
                anchors=anchors,
                commands={"both": [f"nox -s {stage} --no-dependencies -- --from WHEELS"]},
                note="with signatures and attestations of every file; the facts' 1.5 is of twine alone",
            )
            for stage in measured_stages
        ),
        ratio_figure(
            "100 wheels / 1: manifest",
            sums,
            over=sides,
            goal=None,
            anchors=sum_anchors,
            commands={"both": [shlex.join(_python(script, "manifest", Path("dist"), Path("SHA256SUMS")))]},
        ),
    ]


CASES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "warm": warm,
    "rerun": rerun,
    "stage": stage,
    "cold": cold,
    "gigabyte": gigabyte,
    "unpack": unpack,
    "start": start,
    "hundred": hundred,
}


def _forget(bench: Bench, environments: Path) -> None:
    """Take away stage environments and the stand-ins' own."""
    shutil.rmtree(environments, ignore_errors=True)
    shutil.rmtree(bench.workspace / "cache" / "environments", ignore_errors=True)


def _making(environments: Path, project: Project) -> list[list[str]]:
    """The commands that make one environment a stage from its lock: uv where it is there, virtualenv and pip else."""
    commands: list[list[str]] = []
    uv = shutil.which("uv", path=project.environ["PATH"])
    for name in STAGES:
        folder = environments / name
        python, lock = str(folder / "bin" / "python"), str(read_lock(_LOCKS.get(name, name)).path)
        if uv:
            commands += [
                ["uv", "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
                ["uv", "pip", "install", "--quiet", "--python", python, *INSTALL_OPTIONS, "-r", lock],
            ]
        else:
            options = ("--quiet", "--no-compile", "--disable-pip-version-check")
            commands += [
                [sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update", str(folder)],
                [python, "-m", "pip", "install", *options, *INSTALL_OPTIONS, "-r", lock],
            ]
    return commands


def _assert_idle(chain: Project) -> None:
    """A rerun with nothing to do installs nothing and starts no tool: seen in its output and by the recorder."""
    record_folder, log = chain.workspace / "idle", chain.workspace / "idle.log"
    shutil.rmtree(record_folder, ignore_errors=True)
    log.unlink(missing_ok=True)
    script, source = Path(__file__).with_name("recording.py"), Path(sys.modules["hephaestus"].__file__ or "").parents[1]
    argv = _python(script, str(source), record_folder, "-s", "release")
    measured(argv, env=chain.environ, cwd=chain.root, log=log)
    text = log.read_text(encoding="utf-8")
    found = [word for word in _WORK if word in text]
    started = (record_folder / "commands.jsonl").is_file()
    if found or started or text.count("nothing changed") < len(STAGES):
        raise CommandFailedError(f"a rerun with nothing to do did something ({found}):\n{text}")


def _python(script: Path, *words: object) -> list[str]:
    return [sys.executable, str(script), *map(str, words)]


def _environ(bench: Bench) -> dict[str, str]:
    return (
        bench.chain.environ
        if "chain" in bench.__dict__
        else Project(root=bench.workspace / "none", workspace=bench.workspace, version="0").environ
    )


def data(figures: Sequence[Figure]) -> str:
    """All figures as JSON."""
    return json.dumps({"schema": 1, "figures": [figure.data() for figure in figures]}, indent=1) + "\n"
