"""pip for another machine: markers are answered for it, and a pip that will not have it is not started."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pip._vendor.packaging.markers import Marker
from workers.conftest import WORKERS

from hephaestus.release.targets import Target

ENVIRONMENTS = [dict(one) for one in Target.parse("3.12.4-win32").environments]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The worker as a module; what it replaces in pip is put back afterwards."""
    spec = importlib.util.spec_from_file_location("target_pip", WORKERS / "target_pip.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(Marker, "evaluate", Marker.evaluate)
    return module


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'win32' and os_name == 'nt'", True),
        ("sys_platform == 'linux'", False),
        ("python_full_version < '3.12.4'", False),
        ("python_full_version >= '3.12.7'", True),
        ("python_full_version < '3.12.7'", True),
        ("python_version >= '3.13'", False),
        ("platform_machine == 'x86'", True),
        ("platform_machine == 'AMD64'", True),
        ("platform_machine == 'x86_64'", False),
        ("implementation_name == 'cpython' and extra == 'fast'", False),
    ],
)
def test_a_marker_counts_when_it_holds_anywhere_on_the_target(worker: ModuleType, marker: str, holds: bool) -> None:
    """First or last patch release, either machine of a 32-bit Python; nothing of the Python that asks."""
    worker.answer_for(ENVIRONMENTS)
    assert Marker(marker).evaluate({"extra": ""}) is holds
    assert worker.unanswered(ENVIRONMENTS) == ""


def test_extras_are_still_pips_own(worker: ModuleType) -> None:
    """What pip says of an extra goes before the target's environment."""
    worker.answer_for(ENVIRONMENTS)
    assert Marker("extra == 'fast'").evaluate({"extra": "fast"})
    assert not Marker("extra == 'fast' and sys_platform == 'linux'").evaluate({"extra": "fast"})


def test_a_pip_that_answers_by_itself_is_not_started(
    worker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the replacement has no effect the worker ends with 3 and says what pip would have got wrong."""
    file = tmp_path / "target.json"
    file.write_text(json.dumps({"environments": ENVIRONMENTS, "options": []}))
    monkeypatch.setattr(worker, "answer_for", lambda _environments: None)
    assert worker.main([str(file), "--version"]) == 3
    assert "this pip answers markers by itself" in capsys.readouterr().err


def test_it_is_pip_with_the_targets_options(tmp_path: Path) -> None:
    """Run as the stage runs it: pip's own words, the options of the file behind the arguments."""
    file = tmp_path / "target.json"
    file.write_text(json.dumps({"environments": ENVIRONMENTS, "options": ["--platform", "win32"]}))
    argv: list[Any] = [sys.executable, "-I", WORKERS / "target_pip.py", file, "download", "--no-index", "need"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--only-binary=:all: must be" in " ".join(done.stderr.split())
