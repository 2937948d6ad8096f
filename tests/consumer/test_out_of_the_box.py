"""Verification on a machine where the tool was just installed, without the extra: a real environment, real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from constraints import constraints
from stages.releases import SDIST, VERSION

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.standins.sigstore import Serving
from hephaestus.toolchain.virtualenvs import python_of

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]

#: An index that nobody serves, asked once: what a machine without a network looks like.
NO_INDEX = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "UV_NO_CONFIG": "1",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
    "UV_HTTP_RETRIES": "0",
    "UV_NO_CACHE": "1",
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the tool's own dependencies and nothing of the extra ``verify``."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = python_of(folder)
    wanted = [*project["dependencies"], "--constraint", str(constraints(folder.parent))]
    if uv is not None:
        commands = [
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *wanted],
        ]
    else:
        commands = [
            [sys.executable, "-m", "virtualenv", "--quiet", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *wanted],
        ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return python


@pytest.fixture
def run(bare: Path, signed_release: ReleaseDirectory, standin_sigstore: Serving, tmp_path: Path) -> Run:
    """``hephaestus release verify`` over the release directory, in that environment, with a cache of its own."""

    def verify(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith("HEPHAESTUS_")}
        if env is not None:
            base = {name: value for name, value in base.items() if not name.startswith(("PIP_", "UV_"))}
        base |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        base |= {"HEPHAESTUS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT / "src")}
        command = [bare, "-m", "hephaestus", "release", "verify", signed_release.path, "--repository", "o/r"]
        return subprocess.run(
            [*map(str, command), "--trusted-root", str(standin_sigstore.trusted_root), *words],
            env={**base, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return verify


def test_the_verification_environment_is_made_once(run: Run, tmp_path: Path) -> None:
    """Without the extra, the locked environment is made in the cache and verifies for real; next time it is there."""
    first = run()
    assert (first.returncode, first.stderr) == (0, "")
    assert f"PASS   signature bundle of {SDIST}: signed by o/r publish-pypi.yml at refs/tags/v{VERSION}" in first.stdout
    (made,) = [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()]
    assert made.name.startswith("verify-")
    again = run("--offline", env=NO_INDEX)
    assert (again.returncode, again.stdout) == (0, first.stdout)


@pytest.mark.parametrize("words", [[], ["--offline"]])
def test_without_extra_environment_and_network_it_fails_closed(run: Run, words: list[str], tmp_path: Path) -> None:
    """Neither library nor environment nor an index to make one from: exit code 1, no PASS, and the exact command."""
    done = run(*words, env=NO_INDEX)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("signatures cannot be verified: the extra `verify` is not installed")
    assert '-m pip install "hephaestus-toolkit[verify]"`; then run the same command again' in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").glob("environments/verify-*/hephaestus-lock"))
