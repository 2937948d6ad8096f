"""Release notes: what changed, as build recorded it from the commit, then every file and how to verify it."""

from __future__ import annotations

from hephaestus.release.changes import changes_since_stable
from hephaestus.release.notes import shortened
from hephaestus.release.source import Source
from hephaestus.services.releases import NOTES_LIMIT
from hephaestus.stages.proofs import distributions
from hephaestus.stages.stage import Context

__all__ = ["recorded_changes", "release_notes"]


def recorded_changes(context: Context, source: Source) -> dict[str, str]:
    """What build puts into its evidence: the text, and where it is from.

    Recorded once, because a later checkout (another changelog, other tags, a shallow clone) must not change what a
    release of these bytes says of itself.
    """
    project = context.project
    changes = changes_since_stable(project, version=project.version, revision="" if source.dirty else source.commit)
    if changes.trouble:
        context.narrator.warn(
            f"the release notes will name the files only: {changes.trouble} -> write a section "
            f"`## [{project.version}]` in CHANGELOG.md if they are to say more"
        )
    return {
        "text": shortened(changes.text, limit=NOTES_LIMIT, link=_rest(context, source.prefix)),
        "from": changes.origin,
    }


def release_notes(context: Context) -> str:
    """Markdown for the GitHub Release: what changed since the last stable version, every SHA-256, one check.

    At most as long as GitHub takes: what changed is cut for it, with a link to the whole.
    """
    project = context.project
    sums = "\n".join(
        f"{digest.removeprefix('sha256:')}  {path.removeprefix('dist/')}"
        for path, digest in sorted(distributions(context).items())
    )
    publisher = context.world.publisher
    files = (
        f"\n\n## Files\n\n```text\n{sums}\n```\n\n"
        "Every file carries a Sigstore bundle (`<file>.sigstore.json`). To verify one:\n\n"
        f"```console\n$ sigstore verify identity --bundle FILE.sigstore.json \\\n"
        f"    --cert-identity {publisher.subject} \\\n    --cert-oidc-issuer {publisher.issuer} FILE\n```\n"
    )
    changes = _changes(context) or f"Release {project.version}."
    return shortened(changes, limit=max(NOTES_LIMIT - len(files), 0), link=_rest(context, _folder(context))) + files


def _changes(context: Context) -> str:
    """As build recorded it; of a release built before it did, as the commit says - never as the work tree says."""
    receipt = context.directory.receipt("build")
    if receipt is None:
        return ""
    recorded = receipt.evidence.get("changes")
    if isinstance(recorded, dict):
        return str(recorded.get("text", ""))
    return changes_since_stable(context.project, version=context.project.version, revision=receipt.commit).text


def _folder(context: Context) -> str:
    """Where in its repository the project is, as build recorded it: empty, or ending in a slash."""
    receipt = context.directory.receipt("build")
    source = receipt.evidence.get("source") if receipt is not None else None
    return str(source.get("prefix", "")) if isinstance(source, dict) else ""


def _rest(context: Context, folder: str) -> str:
    return f"https://github.com/{context.world.github.repository}/blob/{context.project.tag}/{folder}CHANGELOG.md"
