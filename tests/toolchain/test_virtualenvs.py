"""Environments in the cache: made whole from a lock or not at all, by uv or by virtualenv, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hephaestus.toolchain import virtualenvs
from hephaestus.toolchain.locks import Lock, read_lock_file
from hephaestus.toolchain.process import Completed
from hephaestus.toolchain.virtualenvs import EnvironmentNotMadeError, cache_folder, cached_environment, python_of


@pytest.fixture
def empty_lock(tmp_path: Path) -> Lock:
    """A lock of nothing: an environment from it needs no package."""
    path = tmp_path / "empty.txt"
    path.write_text("# nothing\n", encoding="utf-8")
    return read_lock_file(path)


def path_without_uv(tmp_path: Path) -> str:
    """A PATH that has no uv, whatever the machine has."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    return str(tmp_path / "bin")


@pytest.mark.parametrize("with_uv", [True, False])
def test_an_environment_is_made_and_found_again(tmp_path: Path, empty_lock: Lock, with_uv: bool) -> None:
    """uv and virtualenv both make a working environment of its own; the second call makes none."""
    scripts = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}" if with_uv else path_without_uv(tmp_path)}
    python = cached_environment(empty_lock, env=env, cache=tmp_path / "cache")
    prefix = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert Path(prefix) == python.parent.parent
    made = python.parent.parent.stat().st_ino
    assert cached_environment(empty_lock, env={"PATH": ""}, cache=tmp_path / "cache") == python
    assert python.parent.parent.stat().st_ino == made


def test_a_half_made_environment_is_made_again(
    tmp_path: Path, empty_lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its mark of completion a folder is not trusted, whatever is in it."""
    ran: list[list[str]] = []

    def make(argv: list[str], **_: object) -> Completed:
        ran.append(argv)
        folder = Path(next(word for word in reversed(argv) if "environments" in word))
        if "virtualenv" in argv:
            python_of(folder).parent.mkdir(parents=True)
            python_of(folder).touch()
        return Completed(argv=tuple(argv), code=0, output="")

    monkeypatch.setattr(virtualenvs, "run_child", make)
    env = {"PATH": path_without_uv(tmp_path)}
    python = cached_environment(empty_lock, env=env, cache=tmp_path / "cache")
    count = len(ran)
    (python.parent.parent / "hephaestus-lock").unlink()
    (python.parent.parent / "rubbish").touch()
    assert cached_environment(empty_lock, env=env, cache=tmp_path / "cache") == python
    assert len(ran) == 2 * count
    assert not (python.parent.parent / "rubbish").exists()


def test_a_failed_installation_leaves_nothing_and_tells_the_last_lines(
    tmp_path: Path, empty_lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong hash or a dead network ends in one error; the next attempt starts from scratch."""

    def fail(argv: list[str], **_: object) -> Completed:
        return Completed(argv=tuple(argv), code=1, output="noise\nERROR: hashes do not match\n")

    monkeypatch.setattr(virtualenvs, "run_child", fail)
    with pytest.raises(EnvironmentNotMadeError, match="the empty environment could not be made") as raised:
        cached_environment(empty_lock, env={"PATH": path_without_uv(tmp_path)}, cache=tmp_path / "cache")
    assert "ERROR: hashes do not match" in raised.value.details
    assert [path.suffix for path in (tmp_path / "cache" / "environments").iterdir()] == [".lock"]


def test_each_lock_has_an_environment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed byte of the lock is another environment."""
    monkeypatch.setattr(virtualenvs, "run_child", lambda argv, **_: Completed(argv=tuple(argv), code=0, output=""))
    monkeypatch.setattr(virtualenvs, "write_text", lambda *_: None)
    places = set()
    for text in ("# a\n", "# b\n"):
        (tmp_path / "x.txt").write_text(text, encoding="utf-8")
        lock = read_lock_file(tmp_path / "x.txt")
        places.add(cached_environment(lock, env={"PATH": path_without_uv(tmp_path)}, cache=tmp_path))
    assert len(places) == 2


def test_a_lock_is_installed_with_hashes_from_wheels_only(
    tmp_path: Path, empty_lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both installers get the options that let nothing else in."""
    for tool in ("/usr/bin/uv", None):
        monkeypatch.setattr(virtualenvs.shutil, "which", lambda *_, tool=tool, **__: tool)
        install = virtualenvs._commands(tmp_path, empty_lock, {"PATH": ""})[1]
        assert {"--require-hashes", "--only-binary", ":all:", "--no-deps"} <= set(install)
        assert install[-2:] == ["-r", str(empty_lock.path)]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HEPHAESTUS_CACHE": "/x/y", "XDG_CACHE_HOME": "/x"}, "/x/y"),
        ({"HEPHAESTUS_CACHE": "~/mine"}, "~/mine"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/hephaestus"),
        ({"XDG_CACHE_HOME": "x"}, "~/.cache/hephaestus"),
    ],
)
def test_the_cache_is_where_the_user_says(environ: dict[str, str], expected: str) -> None:
    """Our own variable wins, then the platform's; a tilde is the user's home, here as for the wheelhouses."""
    if sys.platform in ("win32", "darwin") and "XDG_CACHE_HOME" in environ:
        pytest.skip("XDG is Linux's")
    assert cache_folder(environ) == Path(expected).expanduser()
