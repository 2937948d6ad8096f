"""Tiny noxfiles, run by the real nox in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from e2e.projects import Ran

_REMOVED = ("CI", "FORCE_COLOR", "GITHUB_ACTIONS", "HEPHAESTUS_PUBLISH", "NOXSESSION", "NO_COLOR", "PYTHONPATH")

Nox = Callable[..., Ran]


@pytest.fixture
def nox(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Nox:
    """Run nox over a noxfile given as text; ``env`` adds variables, ``program`` replaces ``python -m nox``."""

    home = tmp_path_factory.mktemp("home")

    def run(
        noxfile: str,
        *words: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        program: Sequence[str] = (sys.executable, "-m", "nox"),
    ) -> Ran:
        (tmp_path / "noxfile.py").write_text(noxfile, encoding="utf-8")
        environ = {name: value for name, value in os.environ.items() if name not in _REMOVED}
        done = subprocess.run(
            [*program, *words],
            cwd=cwd or tmp_path,
            env={**environ, "HOME": str(home), "COLUMNS": "200", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1200,
        )
        return Ran(code=done.returncode, output=done.stdout)

    return run
