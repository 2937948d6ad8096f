"""Release directories as a run leaves them, made by hand: receipts with their files, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hephaestus.release.config import Config
from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.project import Project
from hephaestus.release.receipts import Receipt, key_of

__all__ = ["STARTED", "project", "receipt", "released"]

STARTED = "2026-01-02T03:04:05Z"


def project(root: Path, *, version: str = "1.2.3", **settings: Any) -> Project:
    """A project of that version and those settings."""
    return Project(root=root, name="Tiny.Thing", version=version, config=Config(**settings))


def receipt(stage: str, **given: Any) -> Receipt:
    """The receipt of a stage, with what the test is about replaced."""
    data: dict[str, Any] = {
        "stage": stage, "world": "rehearsal", "project": "tiny-thing", "version": "1.2.3", "commit": "c" * 40,
        "dirty": False, "key": key_of(stage=stage), "started": STARTED, "seconds": 1.5,
    }  # fmt: skip
    return Receipt(**(data | given))


def released(
    root: Path, *stages: str, files: Mapping[str, bytes] | None = None, **given: Mapping[str, Any]
) -> ReleaseDirectory:
    """A directory in which ``stages`` (all, when none is named) are done; build put out ``files``.

    ``given`` holds further fields of receipts by stage, dashes as underscores.
    """
    directory = ReleaseDirectory(path=root / "release" / "1.2.3")
    for stage in stages or STAGES:
        with directory.staging(stage) as staging:
            for name, content in (files or {"dist/x.whl": b"wheel"}).items() if stage == "build" else ():
                staging.path(name).write_bytes(content)
            directory.commit(staging, receipt(stage, **given.get(stage.replace("-", "_"), {})))
    return directory
