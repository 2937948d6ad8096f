"""What the tests of workers share: a stand-in Sigstore, and a way of asking a worker under its own Python."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stages.releases import IDENTITY

from hephaestus.standins.sigstore import Serving, serving
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment

WORKERS = Path(__file__).resolve().parents[2] / "src" / "hephaestus" / "workers"

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A stand-in Sigstore for jobs of the publishing workflow."""
    with serving(tmp_path_factory.mktemp("sigstore"), IDENTITY) as served:
        yield served


@pytest.fixture(scope="session")
def ask_worker(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask a worker under the environment of a lock, isolated, with an empty HOME; returns exit code and answer."""

    def ask(worker: str, lock: str, request: dict[str, Any], **env: str) -> tuple[int, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(worker)
        question = folder / "question.json"
        question.write_text(json.dumps(request), encoding="utf-8")
        environ = dict(os.environ)
        python = cached_environment(read_lock(lock), env=environ, cache=cache_folder(environ))
        base = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "127.0.0.1,localhost"}
        done = subprocess.run(
            [python, "-I", WORKERS / f"{worker}.py", question],
            env={**base, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)

    return ask
