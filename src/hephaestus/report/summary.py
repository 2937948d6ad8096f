"""The summary: version, files, state per service, seconds per stage, the next command - as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.release.files import write_text
from hephaestus.release.project import Project
from hephaestus.release.receipts import Receipt
from hephaestus.report.terminal import human_size
from hephaestus.stages.proofs import PASSED_OVER, passed_over
from hephaestus.toolchain.redaction import redact

if TYPE_CHECKING:
    from hephaestus.worlds.private import PrivateTarget

__all__ = ["brief", "current", "render", "summarize", "unfinished", "write"]


def summarize(
    project: Project,
    directory: ReleaseDirectory,
    *,
    world: str,
    target: PrivateTarget | None = None,
    failed: tuple[str, ReleaseError] | None = None,
    held: str = "",
) -> dict[str, Any]:
    """Everything the receipts say, as JSON data (schema 1).

    A receipt of another world says nothing about this one. ``target`` is the private index it goes to.
    ``failed`` is a stage that has just ended badly and its error; failures told earlier are kept from
    ``summary.json`` until their stage leaves a newer receipt, or its receipt was just found to hold (``held``).
    Raises ReceiptError.
    """
    receipts = directory.receipts()
    manifest = directory.manifest()
    failures = {
        stage: told
        for stage, told in _told(directory, world=world).items()
        if stage != held and (stage not in receipts or str(told.get("at", "")) > receipts[stage].started)
    }
    if failed is not None:
        stage, error = failed
        failures[stage] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "what": redact(error.what),
            "why": redact(error.why),
            "next": redact(error.next_step),
        }
    stages: list[dict[str, Any]] = [
        _stage(stage, receipts.get(stage), manifest, failures, world=world) for stage in STAGES
    ]
    receipts = {stage: receipt for stage, receipt in receipts.items() if receipt.world == world}
    left_out = target.left_out if target is not None else {}
    for told in stages:
        reason = left_out.get(told["stage"], "")
        if not reason and target is None and told["state"] == "not done":
            reason = _left_out(told["stage"], project, receipts)
        if reason:
            told.update(state="left out", reason=reason)
    build = receipts.get("build")
    files = [
        {"path": path, "sha256": digest.removeprefix("sha256:"), "size": _size(directory.path / path)}
        for path, digest in manifest.items()
    ]
    missing = unfinished({"stages": stages})
    end = f" {target.options}" if target is not None else ""
    return {
        "schema": 1,
        "project": project.normalized,
        "version": project.version,
        "tag": project.tag,
        "world": world,
        **({"index": target.name} if target is not None else {}),
        "commit": build.commit if build is not None else "",
        "dirty": build.dirty if build is not None else False,
        "files": files,
        "services": {stage: dict(receipts[stage].evidence) for stage in _SERVICES if stage in receipts},
        "stages": stages,
        "failures": failures,
        "next": f"nox -s {missing[0]}{end}" if missing else "",
    }


def _left_out(stage: str, project: Project, receipts: Mapping[str, Receipt]) -> str:
    """Why policy leaves a stage out of this release, or an empty string."""
    if stage == "upload-pypi" and project.prerelease and not project.config.prerelease_to_pypi:
        return "a pre-release goes to Test PyPI only"
    if stage == "smoke" and passed_over(receipts.get("upload-testpypi")):
        return f"Test PyPI was {PASSED_OVER}"
    return ""


_FILE = "summary.json"
#: States in which a stage has nothing left to do.
_SETTLED = ("done", "left out")
_SERVICES = {"upload-testpypi": "Test PyPI", "upload-pypi": "PyPI", "github-release": "GitHub"}


def render(summary: Mapping[str, Any], *, with_next: bool = True) -> str:
    """The summary for people: every file with size and SHA-256, every service, every stage.

    ``with_next`` False leaves the next command to somebody who knows more than the receipts do.
    """
    dirty = ", with uncommitted changes" if summary["dirty"] else ""
    origin = f"of commit {summary['commit'][:12]}{dirty}" if summary["commit"] else "not built yet"
    lines = [
        "",
        f"{summary['project']} {summary['version']}   {summary['world']} {origin}",
        "",
    ]
    lines += [f"  {file['sha256']}  {human_size(file['size']):>9}  {file['path']}" for file in summary["files"]]
    lines.append("")
    for stage, label in _services(summary).items():
        lines.append(f"  {label:10} {_state(summary, stage)}")
    lines.append("")
    lines += [
        f"  {stage['stage']:16} {stage['state']:9} {stage['seconds']:7.1f} s"
        if stage["state"] == "done"
        else f"  {stage['stage']:16} {': '.join(stage[key] for key in ('state', 'reason') if key in stage)}"
        for stage in summary["stages"]
    ]
    if with_next:
        lines += ["", f"  next: {summary['next']}" if summary["next"] else "  complete: nothing is left to do"]
    return "\n".join([*lines, ""])


def brief(summary: Mapping[str, Any]) -> str:
    """Where the release stands, after a failure: what is done, what the services have, the next command."""
    done = [stage["stage"] for stage in summary["stages"] if stage["state"] == "done"]
    open_ = unfinished(summary)
    services = [f"{label} {_state(summary, stage)}" for stage, label in _services(summary).items()]
    return "\n".join(
        [
            f"  {summary['project']} {summary['version']}: {'; '.join(services)}",
            f"  done: {', '.join(done) or 'nothing yet'}",
            f"  open: {', '.join(open_) or 'nothing'}",
            "",
        ]
    )


def unfinished(summary: Mapping[str, Any]) -> list[str]:
    """The stages that still have something to do, in the chain's order."""
    return [stage["stage"] for stage in summary["stages"] if stage["state"] not in _SETTLED]


def write(summary: Mapping[str, Any], directory: ReleaseDirectory) -> Path:
    """Write ``summary.json`` into the release directory; returns its path."""
    path = directory.path / _FILE
    write_text(path, json.dumps(summary, indent=1) + "\n")
    return path


def current(directory: ReleaseDirectory, stage: str) -> bool:
    """Whether ``summary.json`` was written after the receipt of ``stage``, and tells no failure of it.

    A kill may have come between the two; and what failed with other options is done again without them.
    """
    try:
        written = (directory.path / _FILE).stat().st_mtime_ns
        if stage in json.loads((directory.path / _FILE).read_text(encoding="utf-8"))["failures"]:
            return False
        return written >= (directory.path / "receipts" / f"{stage}.json").stat().st_mtime_ns
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _services(summary: Mapping[str, Any]) -> dict[str, str]:
    """The services a release is shown against: a private index alone, or the public ones and GitHub."""
    return {"upload-pypi": str(summary["index"])} if "index" in summary else dict(_SERVICES)


def _state(summary: Mapping[str, Any], stage: str) -> str:
    evidence = summary["services"].get(stage)
    if stage in summary["failures"]:
        return "failed"
    if evidence is None:
        return next(str(told["state"]) for told in summary["stages"] if told["stage"] == stage)
    return str(evidence.get("state", "done"))


def _told(directory: ReleaseDirectory, *, world: str) -> dict[str, Any]:
    """The failures an earlier run in this world wrote down; a summary that cannot be read told nothing."""
    try:
        told = json.loads((directory.path / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    failures = told.get("failures", {}) if isinstance(told, dict) and told.get("world") == world else {}
    return failures if isinstance(failures, dict) else {}


def _stage(
    stage: str, receipt: Receipt | None, manifest: Mapping[str, str], failures: Mapping[str, Any], *, world: str
) -> dict[str, Any]:
    """One stage: ``done``, ``failed``, ``stale`` (done, but for other bytes than there are now) or ``not done``."""
    if stage in failures:
        return {"stage": stage, "state": "failed", "seconds": 0.0}
    if receipt is None:
        return {"stage": stage, "state": "not done", "seconds": 0.0}
    if receipt.world != world:
        return {"stage": stage, "state": "not done", "seconds": 0.0, "reason": f"its receipt is of {receipt.world}"}
    current = all(manifest.get(path) == digest for path, digest in receipt.inputs.items())
    state = "done" if current else "stale"
    return {"stage": stage, "state": state, "seconds": receipt.seconds, "started": receipt.started}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
