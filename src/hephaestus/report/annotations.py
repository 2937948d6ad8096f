"""GitHub Actions: a failure becomes an annotation and a paragraph of the step summary."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from hephaestus.release.errors import ReleaseError
from hephaestus.toolchain.redaction import redact

__all__ = ["annotate"]


def annotate(
    stage: str, error: ReleaseError, *, environ: Mapping[str, str] = os.environ, stream: TextIO | None = None
) -> None:
    """Say a failure where GitHub Actions shows it; does nothing elsewhere.

    The workflow command's newlines are escaped as the runner wants them (``%0A``).
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    message = redact(str(error))
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    out = stream if stream is not None else sys.stdout
    out.write(f"::error title={stage}::{escaped}\n")
    out.flush()
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as page:
            page.write(f"### {stage} failed\n\n```text\n{message}\n```\n")
