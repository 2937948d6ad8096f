# /// script
# requires-python = ">=3.11"
# dependencies = ["filelock>=3.12", "markdown-it-py>=3", "nox>=2026.8.10", "packaging>=24.2", "tomlkit>=0.12", "typer>=0.15", "urllib3>=2.2"]  # noqa: E501
# ///
"""Sessions of this project: its tests, and its own release through its own suite."""

import os
import sys
from pathlib import Path

os.chdir(Path(__file__).resolve().parent)
sys.path[:0] = [str(Path("src").resolve()), str(Path().resolve())]

import nox  # noqa: E402

from dev.sessions import development_sessions  # noqa: E402
from hephaestus.nox import release_sessions  # noqa: E402

nox.needs_version = ">=2026.8.10"
nox.options.error_on_missing_interpreters = True
development_sessions()
release_sessions()

if __name__ == "__main__":
    nox.main()
