"""Tags on the commit that is checked out, held against the version that would be released from it."""

from __future__ import annotations

from hephaestus.release.annotation import lightweight_tag
from hephaestus.release.errors import Finding
from hephaestus.release.project import Project
from hephaestus.release.source import SourceError, read_source
from hephaestus.release.versions import tag_findings

__all__ = ["contradicting_tags"]


def contradicting_tags(project: Project) -> list[Finding]:
    """Tags on this commit that call it another version, or this one by another name; build refuses them.

    None where git cannot tell, or where edits on top of the commit are on their way to the next version.
    """
    try:
        source = read_source(project.root)
    except SourceError:
        return []
    tags = () if source.dirty else source.tags
    findings = tag_findings(
        version=project.version,
        tags=tags,
        commit=source.commit,
        required=False,
        prefix=project.config.tag_prefix,
        origin=project.version_place,
    )
    if project.config.annotated_tags and project.tag in tags and project.tag not in source.annotated:
        findings.append(lightweight_tag(project.tag, source.commit))
    return findings
