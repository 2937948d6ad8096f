"""Programs of Node that only tests run: installed from a lock with hashes, no script of a package executed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["installed"]


def installed(program: Path, *, name: str, reason: str, temporary: pytest.TempPathFactory) -> Path:
    """The folder ``program`` with its locked packages, in HEPHAESTUS_NODE_CACHE or a temporary folder.

    Skips the test, with ``reason``, where there is no Node.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed; {reason}")
    cache = os.environ.get("HEPHAESTUS_NODE_CACHE")
    folder = Path(cache) / name if cache else temporary.mktemp(name)
    folder.mkdir(parents=True, exist_ok=True)
    lock = (program / "package-lock.json").read_bytes()
    mark = folder / "installed-lock.json"
    if not (mark.is_file() and mark.read_bytes() == lock):
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(program / file, folder / file)
        npm = shutil.which("npm") or "npm"
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        mark.write_bytes(lock)
    for script in program.glob("*.js"):
        shutil.copyfile(script, folder / script.name)
    return folder
