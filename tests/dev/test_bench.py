"""The benchmark's machinery: what is counted, how ratios come about, how recorded commands are run again.

No test looks at how long anything takes: only at what is counted and to whom.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dev.bench import bytes as archives
from dev.bench.figures import Figure, Spread, interleaved, ratio_figure, table
from dev.bench.many import retagged
from dev.bench.recording import kind_of, look, work_folder
from dev.bench.replay import Command, PlaceholderError, Recorded, expand, moved
from dev.bench.usage import CommandFailedError, Usage, host_cpu, host_peak, measured
from hephaestus.release.manifest import digest_of

#: Uses at least this much CPU time, by its own clock, and no more real time than that takes.
_BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


def _python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_a_childs_cpu_is_counted(tmp_path: Path) -> None:
    """A command that used 0.3 s of CPU by its own clock is counted with at least that."""
    used = measured(_python(_BURN.format(seconds=0.3)), env={}, cwd=tmp_path, log=tmp_path / "log")
    assert used.cpu >= 0.3


def test_a_grandchilds_cpu_is_counted(tmp_path: Path) -> None:
    """What a child of the child used counts as well: the child itself only waits."""
    inner = _BURN.format(seconds=0.3)
    outer = f"import subprocess, sys\nsubprocess.run([sys.executable, '-I', '-S', '-c', {inner!r}], check=True)\n"
    used = measured(_python(outer), env={}, cwd=tmp_path, log=tmp_path / "log")
    assert used.cpu >= 0.3


def test_our_own_cpu_is_not_counted(tmp_path: Path) -> None:
    """What the benchmark itself burns is no part of a figure."""
    import time

    before = time.process_time()
    while time.process_time() < before + 0.5:
        pass
    used = measured(_python("pass"), env={}, cwd=tmp_path, log=tmp_path / "log")
    assert used.cpu < 0.5


def test_a_hosts_cpu_is_read_while_it_lives(tmp_path: Path) -> None:
    """The CPU of a process that goes on living is read from outside, with the children it has waited for."""
    inner = _BURN.format(seconds=0.3)
    code = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', '-S', '-c', {inner!r}], check=True)\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(_python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdin is not None
        assert host.stdout.readline() == "ready\n"
        # /proc counts in ticks, and rounds each of the four numbers down.
        assert host_cpu(host.pid) >= 0.3 - 4 / os.sysconf("SC_CLK_TCK")
        assert host_peak(host.pid) > 0
        host.stdin.close()
    assert host_cpu(0) == 0.0


def test_a_process_that_is_gone_has_no_figure() -> None:
    """Asking for the CPU of a process that has ended is an error, not a nought."""
    with subprocess.Popen(_python("pass")) as process:
        pass
    with pytest.raises(OSError, match=str(process.pid)):
        host_cpu(process.pid)


def test_peak_memory_is_of_the_largest_process_and_of_the_first(tmp_path: Path) -> None:
    """A grandchild's memory counts in the tree's peak, not in the peak of the process that was started."""
    mib = 1024 * 1024
    inner = "x = bytearray(b'x') * (96 << 20)\n"
    outer = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-I', '-S', '-c', {inner!r}], check=True)\n"
        + _BURN.format(seconds=0.3)
    )
    used = measured(_python(outer), env={}, cwd=tmp_path, log=tmp_path / "log")
    assert used.peak >= 96 * mib
    assert 0 < used.own < 96 * mib


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    """Another exit code than expected is an error that shows what the command said."""
    with pytest.raises(CommandFailedError, match=r"exit code 3, not 0(?s:.)*no such thing"):
        measured(
            _python("import sys; sys.stderr.write('no such thing'); sys.exit(3)"),
            env={}, cwd=tmp_path, log=tmp_path / "log",
        )  # fmt: skip
    measured(_python("import sys; sys.exit(3)"), env={}, cwd=tmp_path, log=tmp_path / "log", code=3)


def test_usages_add_up() -> None:
    """CPU and wall are sums, peaks are the greatest."""
    total = Usage(cpu=1.0, wall=2.0, peak=10, own=7) + Usage(cpu=0.5, wall=0.25, peak=8, own=9)
    assert total == Usage(cpu=1.5, wall=2.25, peak=10, own=9)


def test_sides_take_turns() -> None:
    """Every side runs once per round, and the first of one round is the last of the next."""
    order: list[str] = []

    def side(name: str, number: int) -> Usage:
        order.append(f"{name}{number}")
        return Usage(cpu=1.0)

    used, anchors = interleaved({"a": lambda n: side("a", n), "b": lambda n: side("b", n)}, rounds=3)
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]
    assert [len(rounds) for rounds in used.values()] == [3, 3]
    assert 0 < anchors.least <= anchors.median <= anchors.most


def test_a_ratio_is_taken_round_by_round() -> None:
    """The median is of the rounds' ratios: a round on a slow machine does not weigh more."""
    used = {
        "ours": [Usage(cpu=2.0), Usage(cpu=30.0), Usage(cpu=4.0)],
        "bare": [Usage(cpu=1.0), Usage(cpu=20.0), Usage(cpu=1.0)],
    }
    figure = ratio_figure("x", used, over=("ours", "bare"), goal=2.0)
    assert figure.value == Spread(least=1.5, median=2.0, most=4.0)
    assert figure.parts["bare"] == Spread(least=1.0, median=1.0, most=20.0)
    assert figure.rounds == 3
    assert figure.met is True


@pytest.mark.parametrize(("goal", "met", "shown"), [(1.9, False, "NOT MET"), (2.0, True, "met"), (None, None, "-")])
def test_a_goal_that_is_missed_is_shown_as_missed(goal: float | None, met: bool | None, shown: str) -> None:
    """Met or not is said in the table and in the data, by the median."""
    figure = Figure(name="x", value=Spread(least=1.0, median=2.0, most=9.0), goal=goal)
    assert figure.met is met
    assert figure.data()["met"] is met
    assert table([figure]).splitlines()[1].endswith(f" {shown}")


def test_a_machine_that_changed_its_speed_is_told() -> None:
    """A batch in which the anchor moved by more than a tenth says so; a steady one does not."""
    spread = Spread(least=1.0, median=1.0, most=1.0)
    steady = Figure(name="x", value=spread, anchor=Spread(least=1.0, median=1.0, most=1.1))
    moved_on = Figure(name="x", value=spread, anchor=Spread(least=1.0, median=1.0, most=1.2))
    assert not steady.unsteady
    assert moved_on.unsteady
    assert "speed moved" in table([moved_on])
    assert "speed moved" not in table([steady])


def test_rounds_that_do_not_pair_are_refused() -> None:
    """A side with fewer rounds has no ratio; nor have no rounds at all."""
    with pytest.raises(ValueError, match="zip"):
        ratio_figure("x", {"a": [Usage(cpu=1.0)], "b": []}, over=("a", "b"), goal=None)
    with pytest.raises(ValueError, match="no round"):
        Spread.of([])


def test_placeholders_are_filled() -> None:
    """Every placeholder of a receipt becomes the place of now, longer stable names before their beginnings."""
    places = {
        "{bin}": "/env/bin",
        "{work}": "/tmp/w",
        "standin://pypi": "http://127.0.0.1:1",
        "standin://pypi-tls": "https://127.0.0.1:2",
        "standin-pypi": "127.0.0.1:1",
        "standin-pypi-tls": "127.0.0.1:2",
    }
    words = [
        "{bin}/python",
        "x @ standin://pypi-tls/a#b",
        "{work}/{work}",
        "standin-pypi-tls",
        "standin://pypi/simple/",
    ]
    assert expand(words, places) == [
        "/env/bin/python", "x @ https://127.0.0.1:2/a#b", "/tmp/w//tmp/w", "127.0.0.1:2", "http://127.0.0.1:1/simple/",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["{nowhere}/x", "standin://unknown/", "<stand-ins>/run"])
def test_a_placeholder_nobody_fills_is_an_error(word: str) -> None:
    """A command with a hole in it is not run."""
    with pytest.raises(PlaceholderError, match="in "):
        expand([word], {"{work}": "/tmp/w"})


def test_addresses_move_to_the_listeners_of_now() -> None:
    """A question to a worker that was recorded with one port is asked with the port of now; unknown ones stay."""
    recorded = {"http://127.0.0.1:4000": "standin://pypi", "127.0.0.1:400": "standin-github", "/old": "<stand-ins>"}
    places = {"standin://pypi": "http://127.0.0.1:9", "standin-github": "127.0.0.1:8"}
    text = "http://127.0.0.1:4000/simple 127.0.0.1:400 /old/run"
    assert moved(text, recorded=recorded, places=places) == "http://127.0.0.1:9/simple 127.0.0.1:8 /old/run"


def test_a_childs_environment_is_told_by_what_it_was_made_from() -> None:
    """The kind with the fewest differences is found, with what was added and what is absent."""
    kinds = {"probe": {"HOME": "/p", "LANG": "C"}, "uploader of pypi": {"HOME": "/u", "LANG": "C", "TOKEN": "t"}}
    told = kind_of({"HOME": "/u", "TOKEN": "t", "COLUMNS": "9"}, kinds)
    assert told == {"kind": "uploader of pypi", "added": {"COLUMNS": "9"}, "absent": ["LANG"]}


def test_the_work_folder_is_the_one_below_the_temporary_folder(tmp_path: Path) -> None:
    """However deep a child runs, its stage's folder is found; a child elsewhere has none."""
    deep = tmp_path / "hephaestus-1-check-x" / "a" / "b"
    assert work_folder(deep, tmp_path) == tmp_path / "hephaestus-1-check-x"
    assert work_folder(Path("/elsewhere/x"), tmp_path) is None


def test_a_look_sees_files_folders_and_links(tmp_path: Path) -> None:
    """Everything in a work folder is seen once; a link is not followed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_bytes(b"123")
    (tmp_path / "l").symlink_to(tmp_path / "a")
    seen = look(tmp_path)
    assert sorted(seen) == ["a/", "a/f", "l"]
    assert seen["a/f"][0] == 3


def test_inputs_are_laid_as_they_were(tmp_path: Path) -> None:
    """Before a recorded command runs again, its stage's files lie there anew, with the addresses of now."""
    work, inputs = tmp_path / "work", tmp_path / "record" / "inputs" / "0"
    (inputs / "requests").mkdir(parents=True)
    (inputs / "requests" / "q.json").write_text(json.dumps({"url": "http://127.0.0.1:1/x"}), encoding="utf-8")
    (inputs / "blob").write_bytes(b"http://127.0.0.1:1")
    work.mkdir()
    (work / "taken-away").write_text("x", encoding="utf-8")
    command = Command(
        stage="check", words=(), kind="probe", added={}, absent=(), cwd=work, work=work, umask=None, code=0, refusals=0,
        gone=("taken-away",), inputs=inputs,
    )  # fmt: skip
    from dev.bench.projects import Project

    recorded = Recorded(
        project=Project(root=tmp_path / "p", workspace=tmp_path, version="1"), folder=tmp_path / "record", commands=(),
        addresses={"http://127.0.0.1:1": "standin://pypi"},
    )  # fmt: skip
    recorded._lay(command, {"standin://pypi": "http://127.0.0.1:2"})
    assert json.loads((work / "requests" / "q.json").read_text(encoding="utf-8")) == {"url": "http://127.0.0.1:2/x"}
    assert (work / "blob").read_bytes() == b"http://127.0.0.1:1"
    assert not (work / "taken-away").exists()


def test_both_ways_of_packing_do_the_same_work(tmp_path: Path) -> None:
    """The product's way and the bare one hash and pack the same members: the archives unpack to the same files."""
    import tarfile

    archives.make(tmp_path / "wheels", files=3, size=70_000)
    product = archives.product(tmp_path / "wheels", tmp_path / "product")
    bare = archives.bare(tmp_path / "wheels", tmp_path / "bare")
    (path,) = product
    assert product[path] == digest_of(tmp_path / "product" / path)
    assert bare["p-1-wheelhouse.tar.gz"] == digest_of(tmp_path / "bare" / "p-1-wheelhouse.tar.gz")[7:]
    for archive in (tmp_path / "product" / path, tmp_path / "bare" / "p-1-wheelhouse.tar.gz"):
        with tarfile.open(archive) as tar:
            names = sorted(tar.getnames())
            contents = [tar.extractfile(name).read() for name in names]  # type: ignore[union-attr]
        assert names == sorted(wheel.name for wheel in (tmp_path / "wheels").iterdir())
        assert contents == [(tmp_path / "wheels" / name).read_bytes() for name in names]


def test_a_wheel_gets_as_many_tags_as_are_asked_for(tmp_path: Path) -> None:
    """Every retagged wheel has a name of its own, says its tag, and its RECORD fits; too many are an error."""
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("x.py", "")
        archive.writestr("x-1.dist-info/RECORD", "")
    retagged(wheel, tmp_path / "many", count=100)
    made = sorted((tmp_path / "many").iterdir())
    assert len(made) == 100
    with zipfile.ZipFile(made[0]) as archive:
        described = archive.read("x-1.dist-info/WHEEL").decode()
        record = archive.read("x-1.dist-info/RECORD").decode().splitlines()
    assert f"Tag: {made[0].stem.partition('-1-')[2]}" in described
    assert {line.split(",")[0] for line in record} == {"x.py", "x-1.dist-info/WHEEL", "x-1.dist-info/RECORD"}
    with pytest.raises(ValueError, match="tags asked for"):
        retagged(wheel, tmp_path / "too-many", count=1000)
