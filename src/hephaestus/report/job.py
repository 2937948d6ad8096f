"""What a workflow job tells the next one and the people who watch: job outputs and the step summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.handover import stated
from hephaestus.release.project import Project
from hephaestus.toolchain.redaction import redact

__all__ = ["hand_over"]


def hand_over(
    stage: str, project: Project, directory: ReleaseDirectory, *, reason: str, environ: Mapping[str, str]
) -> None:
    """Write the outputs ``manifest``, ``version`` and ``tag``, and a table of this stage's receipt.

    Where GitHub Actions wants them (``GITHUB_OUTPUT``, ``GITHUB_STEP_SUMMARY``); nothing elsewhere. ``reason`` is why
    the stage had nothing to do, or empty. Raises OSError.
    """
    word = stated(directory, stage)
    if output := environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as page:
            page.write(f"manifest={word}\nversion={project.version}\ntag={project.tag}\n")
    if summary := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as page:
            page.write(redact(_table(stage, project, directory, word=word, reason=reason, environ=environ)))


def _table(
    stage: str,
    project: Project,
    directory: ReleaseDirectory,
    *,
    word: str,
    reason: str,
    environ: Mapping[str, str],
) -> str:
    receipt = directory.receipt(stage)
    evidence = dict(receipt.evidence) if receipt is not None else {}
    rows = {
        "version": project.version,
        "commit": receipt.commit if receipt is not None else environ.get("GITHUB_SHA", ""),
        "attempt": environ.get("GITHUB_RUN_ATTEMPT", ""),
        "state": reason or str(evidence.get("state", "done")),
        "address": str(evidence.get("url", "")),
        "handed over": f"`{word}`",
    }
    lines = [f"### {stage}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(text)} |" for name, text in rows.items() if text]
    if receipt is not None and receipt.outputs:
        lines += ["", "| file | SHA-256 |", "|---|---|"]
        lines += [f"| `{path}` | `{digest.removeprefix('sha256:')}` |" for path, digest in receipt.outputs.items()]
    return "\n".join([*lines, "", ""])


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
