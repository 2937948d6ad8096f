"""The index under test."""

from __future__ import annotations

from pathlib import Path

import pytest
from standins.index.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh index."""
    return Bench(tmp_path / "index")
