"""Annotated tags: objects of their own that say who made a release, when and why, and can be signed."""

from __future__ import annotations

from hephaestus.release.errors import Finding

__all__ = ["lightweight_tag"]


def lightweight_tag(tag: str, commit: str) -> Finding:
    """The refusal of a tag that is a name for ``commit`` and nothing more, where the project asks for annotated ones.

    A tag that was pushed may have begun a release: what is on an index by now cannot be tagged anew.
    """
    return Finding(
        code="tag-lightweight",
        subject=tag,
        message=f"is a lightweight tag of {commit[:12]}; `annotated-tags` in [tool.hephaestus.release] asks for an "
        "annotated one, which says who made it and when",
        remedy=f"git tag --annotate --force -m {tag} {tag} {commit[:12]}; if it was pushed and no index has a file of "
        f"it yet: git push --force origin {tag}",
    )
