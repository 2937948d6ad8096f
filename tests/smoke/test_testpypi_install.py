"""What Test PyPI serves of this project, installed by this project's own command into an environment of its own.

Asks the real Test PyPI, so it runs only when asked for: ``HEPHAESTUS_TESTPYPI_SMOKE=1`` and the version in
``HEPHAESTUS_TESTPYPI_VERSION``. ``HEPHAESTUS_TESTPYPI_ARGUMENTS`` holds further words for the command:
tests/consumer/test_testpypi_smoke.py points it at a stand-in with them, so that this file is known to pass.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASKED = os.environ.get("HEPHAESTUS_TESTPYPI_SMOKE") == "1"

pytestmark = pytest.mark.skipif(not ASKED, reason="asks the real Test PyPI: set HEPHAESTUS_TESTPYPI_SMOKE=1")


@pytest.fixture
def version() -> str:
    """The version to be tried."""
    given = os.environ.get("HEPHAESTUS_TESTPYPI_VERSION", "").strip().removeprefix("v")
    assert given, "set HEPHAESTUS_TESTPYPI_VERSION to the version that is on Test PyPI"
    return given


def test_what_test_pypi_serves_can_be_installed_and_starts(version: str, tmp_path: Path) -> None:
    """Installed by hash after its attestation held, nothing else from Test PyPI, and the program tells the version."""
    venv = tmp_path / "venv"
    # virtualenv, where it is there, does in a tenth of the time what the standard library does.
    maker = "virtualenv" if importlib.util.find_spec("virtualenv") else "venv"
    subprocess.run([sys.executable, "-m", maker, venv], check=True, stdout=subprocess.DEVNULL)
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    environ = {"HEPHAESTUS_RELEASE_CACHE": str(tmp_path / "cache"), **os.environ, "PYTHONPATH": str(ROOT / "src")}
    words = ["release", "install", "--source", "test-pypi", "--tag", version, "--python", str(python), "--json"]
    words += shlex.split(os.environ.get("HEPHAESTUS_TESTPYPI_ARGUMENTS", ""))
    done = subprocess.run(
        [sys.executable, "-m", "hephaestus", *words],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["release"] == f"hephaestus-toolkit {version}"
    assert {check["state"] for check in told["checks"]} == {"PASS"}
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    program = [str(python.parent / "hephaestus"), "--version"]
    said = subprocess.run(program, env=own, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.split()[-1] == version
    checked = subprocess.run(
        [python, "-m", "pip", "check"], env=own, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
