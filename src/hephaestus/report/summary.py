"""The summary: version, files, state per service, seconds per stage, the next command - as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.files import write_text
from hephaestus.release.project import Project
from hephaestus.release.receipts import Receipt
from hephaestus.report.terminal import human_size

__all__ = ["render", "summarize", "write"]


def summarize(project: Project, directory: ReleaseDirectory, *, world: str) -> dict[str, Any]:
    """Everything the receipts say, as JSON data (schema 1)."""
    receipts = directory.receipts()
    build = receipts.get("build")
    files = [
        {"path": path, "sha256": digest.removeprefix("sha256:"), "size": _size(directory.path / path)}
        for path, digest in directory.manifest().items()
    ]
    missing = [stage for stage in STAGES if stage not in receipts]
    return {
        "schema": 1,
        "project": project.normalized,
        "version": project.version,
        "tag": project.tag,
        "world": world,
        "commit": build.commit if build is not None else "",
        "dirty": build.dirty if build is not None else False,
        "files": files,
        "services": {stage: dict(receipts[stage].evidence) for stage in _SERVICES if stage in receipts},
        "stages": [_stage(stage, receipts.get(stage)) for stage in STAGES],
        "next": f"nox -s {missing[0]}" if missing else "",
    }


_SERVICES = {"upload-testpypi": "Test PyPI", "upload-pypi": "PyPI", "github-release": "GitHub"}


def render(summary: Mapping[str, Any]) -> str:
    """The summary for people: every file with size and SHA-256, every service, every stage."""
    dirty = ", with uncommitted changes" if summary["dirty"] else ""
    lines = [
        "",
        f"{summary['project']} {summary['version']}   {summary['world']} of commit {summary['commit'][:12]}{dirty}",
        "",
    ]
    lines += [f"  {file['sha256']}  {human_size(file['size']):>9}  {file['path']}" for file in summary["files"]]
    lines.append("")
    for stage, label in _SERVICES.items():
        evidence = summary["services"].get(stage)
        state = evidence.get("state", "done") if evidence is not None else "not done"
        lines.append(f"  {label:10} {state}")
    lines.append("")
    lines += [
        f"  {stage['stage']:16} {stage['state']:9} {stage['seconds']:7.1f} s"
        if stage["state"] == "done"
        else f"  {stage['stage']:16} {stage['state']}"
        for stage in summary["stages"]
    ]
    lines += ["", f"  next: {summary['next']}" if summary["next"] else "  complete: nothing is left to do", ""]
    return "\n".join(lines)


def write(summary: Mapping[str, Any], directory: ReleaseDirectory) -> Path:
    """Write ``summary.json`` into the release directory; returns its path."""
    path = directory.path / "summary.json"
    write_text(path, json.dumps(summary, indent=1) + "\n")
    return path


def _stage(stage: str, receipt: Receipt | None) -> dict[str, Any]:
    if receipt is None:
        return {"stage": stage, "state": "not done", "seconds": 0.0}
    return {"stage": stage, "state": "done", "seconds": receipt.seconds, "started": receipt.started}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
