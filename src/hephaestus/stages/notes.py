"""Release notes: the version's section of CHANGELOG.md, then how to verify what was released."""

from __future__ import annotations

import re

from hephaestus.stages.proofs import distributions
from hephaestus.stages.stage import Context

__all__ = ["release_notes"]


def release_notes(context: Context) -> str:
    """Markdown for the GitHub Release: what changed (where a changelog says it), every SHA-256, one check."""
    project = context.project
    changes = _section(project.version, _changelog(context)) or f"Release {project.version}."
    sums = "\n".join(
        f"{digest.removeprefix('sha256:')}  {path.removeprefix('dist/')}"
        for path, digest in sorted(distributions(context).items())
    )
    publisher = context.world.publisher
    return (
        f"{changes}\n\n## Files\n\n```text\n{sums}\n```\n\n"
        "Every file carries a Sigstore bundle (`<file>.sigstore.json`). To verify one:\n\n"
        f"```console\n$ sigstore verify identity --bundle FILE.sigstore.json \\\n"
        f"    --cert-identity {publisher.subject} \\\n    --cert-oidc-issuer {publisher.issuer} FILE\n```\n"
    )


def _changelog(context: Context) -> str:
    path = context.project.root / "CHANGELOG.md"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _section(version: str, changelog: str) -> str:
    """The text below ``## [version]`` (Keep a Changelog) up to the next heading of that level."""
    heading = re.compile(rf"^## \[?v?{re.escape(version)}\]?(?=[ \t\n]|$).*$", re.MULTILINE)
    found = heading.search(changelog)
    if found is None:
        return ""
    rest = changelog[found.end() :]
    end = re.search(r"^## ", rest, re.MULTILINE)
    return rest[: end.start() if end else None].strip()
