"""What a Python tells of itself before anything is installed into it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from hephaestus.workers import target

PROGRAM = Path(target.__file__)


def test_it_runs_alone_under_any_python() -> None:
    """Isolated, with nothing but the standard library: version, place and what is installed."""
    done = subprocess.run([sys.executable, "-I", PROGRAM], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert set(told) == {"version", "implementation", "executable", "prefix", "pip", "managed", "distributions"}
    assert (told["version"], told["prefix"]) == (platform.python_version(), sys.prefix)
    assert "pytest" in told["distributions"]


@pytest.mark.parametrize(
    ("virtual", "marked", "managed"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_the_mark_of_the_system_counts_outside_of_environments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    virtual: bool,
    marked: bool,
    managed: bool,
) -> None:
    """EXTERNALLY-MANAGED beside the standard library (PEP 668), unless this is a virtual environment."""
    if marked:
        (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\n")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr("sys.prefix", "/env" if virtual else sys.base_prefix)
    assert target.main() == 0
    assert json.loads(capsys.readouterr().out)["managed"] is managed


def test_a_distribution_without_a_name_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest of a half removed distribution has no metadata; the first of two of one name counts."""
    for number, text in enumerate(["", "Name: twice\nVersion: 1\n", "Name: twice\nVersion: 2\n"]):
        folder = tmp_path / str(number) / f"x{number}-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(text)
    monkeypatch.setattr("sys.path", [str(tmp_path / str(number)) for number in range(3)])
    assert target.main() == 0
    assert json.loads(capsys.readouterr().out)["distributions"] == {"twice": "1"}
