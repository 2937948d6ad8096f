"""The two ways the benchmark compares in unpacking a wheelhouse do the same work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hephaestus.release.archive import write_archive

SCRIPT = Path(__file__).resolve().parents[2] / "dev" / "bench" / "unpacking.py"


def test_both_ways_unpack_the_same_files(tmp_path: Path) -> None:
    """Run as the benchmark runs them: the same bytes by the same names, and each says its peak of memory."""
    files = {"a.whl": b"one" * 1000, "b.whl": bytes(100_000)}
    with (tmp_path / "w.tar.gz").open("wb") as stream:
        write_archive(stream, dict(files), epoch=1)
    for way in ("product", "bare"):
        argv = [sys.executable, "-I", str(SCRIPT), way, str(tmp_path / "w.tar.gz"), str(tmp_path / way)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        count, peak = done.stdout.split(" files\n")
        assert (int(count), int(peak) > 1 << 20) == (2, True)
        assert {path.name: path.read_bytes() for path in (tmp_path / way).iterdir()} == files
