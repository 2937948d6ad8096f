"""The application directory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hephaestus.toolchain.application import Application, application


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package of the same shape as ours, with one program that says what it sees."""
    package = tmp_path / "source"
    (package / "standins").mkdir(parents=True)
    (package / "release/rules").mkdir(parents=True)
    (package / "nox").mkdir()
    for folder in (".", "standins", "release", "release/rules", "nox"):
        (package / folder / "__init__.py").write_text("")
    (package / "standins/host.py").write_text(
        "import importlib.util as util\n"
        "import sys\n"
        "def main(arguments):\n"
        "    print(arguments, bool(util.find_spec('hephaestus.nox')), bool(util.find_spec('leak')), __file__)\n"
        "    return 7\n"
    )
    (package / "release/rules/names.json").write_text("{}")
    return package


def test_it_runs_isolated_with_its_own_parts_only(tmp_path: Path, source: Path) -> None:
    """``-I`` and the directory: our parts are there, other parts and the caller's path are not, the code returns."""
    made = application(tmp_path / "cache", source=source)
    (tmp_path / "leak.py").write_text("")
    done = subprocess.run(
        made.command(Path(sys.executable), "standins", "--state", "x y"),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [
        "['--state',", "'x", "y']", "False", "False", str(made.path / "hephaestus/standins/host.py")
    ]  # fmt: skip
    assert done.returncode == 7
    assert list((made.path / "hephaestus/standins/__pycache__").glob("host.*.pyc")), "no bytecode was kept"
    assert (made.path / "hephaestus/release/rules/names.json").read_text() == "{}"


@pytest.mark.parametrize("arguments", [[], ["nox"]])
def test_an_unknown_program_is_named(tmp_path: Path, source: Path, arguments: list[str]) -> None:
    """Only the programs of the directory can be started; the message lists them."""
    made = application(tmp_path / "cache", source=source)
    command = [sys.executable, "-I", str(made.path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "standins" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_code_is_made_once(tmp_path: Path, source: Path) -> None:
    """Same content, same directory, not written again; bytecode and other parts do not count."""
    first = application(tmp_path / "cache", source=source)
    marker = first.path / "hephaestus/standins/host.py"
    inode = marker.stat().st_ino
    (source / "standins/__pycache__").mkdir()
    (source / "standins/__pycache__/host.pyc").write_bytes(b"x")
    (source / "nox/more.py").write_text("x = 1")
    assert application(tmp_path / "cache", source=source) == first
    assert marker.stat().st_ino == inode


@pytest.mark.parametrize("change", ["edit", "add", "rename", "move a line between files"])
def test_other_code_is_another_directory(tmp_path: Path, source: Path, change: str) -> None:
    """Any change of a part is seen, and the former directory stays for those who run from it."""
    first = application(tmp_path / "cache", source=source)
    host = source / "standins/host.py"
    if change == "edit":
        host.write_text(host.read_text() + "\n")
    elif change == "add":
        (source / "release/more.py").write_text("")
    elif change == "rename":
        (source / "release/rules/names.json").rename(source / "release/rules/name.json")
    else:
        text = host.read_text()
        host.write_text(text[:6])
        (source / "standins/__init__.py").write_text(text[6:])
    second = application(tmp_path / "cache", source=source)
    assert second.digest != first.digest
    assert second.path != first.path
    assert first.path.is_dir()


def test_many_makers_at_once_agree(tmp_path: Path, source: Path) -> None:
    """Concurrent callers get one whole directory and leave no draft behind."""
    made: list[Application] = []
    threads = [
        threading.Thread(target=lambda: made.append(application(tmp_path / "cache", source=source))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [path.name for path in (tmp_path / "cache/applications").iterdir()] == [made[0].path.name]
    assert (made[0].path / "__main__.py").exists()


def test_what_was_long_unused_is_removed(tmp_path: Path, source: Path) -> None:
    """The cache does not keep every version of the code for ever, and never removes one in use."""
    first = application(tmp_path / "cache", source=source)
    os.utime(first.path, (0, 0))
    (source / "release/more.py").write_text("")
    second = application(tmp_path / "cache", source=source)
    assert [path.name for path in (tmp_path / "cache/applications").iterdir()] == [second.path.name]


def test_pruning_touches_nothing_else(tmp_path: Path, source: Path) -> None:
    """Whatever else lies in the cache stays, however old it is."""
    others = [tmp_path / "cache/environments", tmp_path / "cache/applications/notes"]
    for other in others:
        other.mkdir(parents=True)
        os.utime(other, (0, 0))
    os.utime(tmp_path / "cache", (0, 0))
    application(tmp_path / "cache", source=source)
    assert all(other.is_dir() for other in others)


def test_a_leftover_draft_is_removed(tmp_path: Path, source: Path) -> None:
    """What a killed maker left half made goes when it is old."""
    draft = tmp_path / "cache/applications" / f".{'0' * 32}.abc"
    draft.mkdir(parents=True)
    os.utime(draft, (0, 0))
    application(tmp_path / "cache", source=source)
    assert not draft.exists()


def test_using_one_keeps_it(tmp_path: Path, source: Path) -> None:
    """Being asked for counts as use."""
    first = application(tmp_path / "cache", source=source)
    os.utime(first.path, (0, 0))
    application(tmp_path / "cache", source=source)
    assert first.path.stat().st_mtime > 0


def test_a_cache_that_cannot_be_made_says_so(tmp_path: Path, source: Path) -> None:
    """An unusable cache is an OSError, and leaves nothing."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match="cache"):
        application(tmp_path / "cache", source=source)


def test_our_own_code_has_what_the_host_needs(tmp_path: Path) -> None:
    """The real parts are there, and nothing of the front doors."""
    made = application(tmp_path / "cache")
    package = made.path / "hephaestus"
    assert sorted(path.name for path in package.iterdir()) == ["__init__.py", "release", "standins"]
    assert (package / "standins/host.py").exists()
