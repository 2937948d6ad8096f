"""What the tests of the stand-in Sigstore share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import Serving, serving

RunSigstore = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests takes proxies from the environment even for the loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def identity() -> WorkflowIdentity:
    return WorkflowIdentity(
        repository="IAmJonoBo/Hephaestus",
        workflow="publish-pypi.yml",
        ref="refs/tags/v0.2.5",
        sha="0123456789abcdef0123456789abcdef01234567",
        workflow_name="Publish",
        repository_id="42",
        repository_owner_id="7",
    )


@pytest.fixture
def stand_in(tmp_path: Path, identity: WorkflowIdentity) -> Iterator[Serving]:
    with serving(tmp_path / "state", identity) as running:
        yield running


@pytest.fixture
def run_sigstore(tmp_path: Path) -> RunSigstore:
    """Run the unmodified sigstore command with the arguments given and nothing from our environment."""

    def run(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sigstore", *map(str, arguments)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path / "home"),
                "XDG_CACHE_HOME": str(tmp_path / "home" / "cache"),
                "NO_PROXY": "127.0.0.1,localhost",
                "COLUMNS": "200",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
