"""Which versions a test gets that installs by name: those of the lock, whatever was released since."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["constraints"]

_LOCK = Path(__file__).resolve().parents[1] / "dev" / "tests.txt"


def constraints(folder: Path, *, lock: Path = _LOCK) -> Path:
    """A constraints file in ``folder`` with every pin of a lock: without hashes, which pip would then want of all."""
    path = folder / "constraints.txt"
    path.write_text(re.sub(r" \\\n +--hash=\S+", "", lock.read_text(encoding="utf-8")), encoding="utf-8")
    return path
