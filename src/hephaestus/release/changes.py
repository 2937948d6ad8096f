"""Where notes come from: the changelog of one commit (or of the work tree), or else its commits, by git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from hephaestus.release.changelog import NAME, read_changelog
from hephaestus.release.notes import changes_in, grouped, last_stable
from hephaestus.release.project import Project
from hephaestus.release.repository import Repository
from hephaestus.release.tags import meant_by_tag

__all__ = ["Changes", "changes_since_stable"]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Markdown of what changed, ``origin`` ("changelog", "commits", or empty when nothing is known), why nothing."""

    text: str = ""
    origin: str = ""
    trouble: str = ""


def changes_since_stable(project: Project, *, version: str, revision: str = "") -> Changes:
    """What ``version`` brings since the last stable version, as ``revision`` tells it (the work tree where empty)."""
    repository = Repository(root=project.root)
    changelog = _changelog(project.root, repository, revision)
    if text := changes_in(read_changelog(changelog), version):
        return Changes(text=text, origin="changelog")
    until = revision or "HEAD"
    if not repository.commit_of(until):
        return Changes(trouble=f"{NAME} says nothing about {version}, and there are no commits here to tell of")
    prefix = project.config.tag_prefix
    since = last_stable(version, {tag: meant_by_tag(tag, prefix) for tag in repository.tags(merged=until)})
    if not since and repository.ask("rev-parse", "--is-shallow-repository").text == "true":
        # The commits of a shallow clone are some of them, and nothing tells which are missing.
        return Changes(trouble=f"{NAME} says nothing about {version}, and this clone is shallow")
    commits = repository.commits_since(since, until=until)
    made = [commit for commit in commits if not _is_bump(commit.subject, project)]
    if not made:
        return Changes(trouble=f"{NAME} says nothing about {version}, and there are no commits since {since}")
    link = "" if project.repository_assumed else project.repository
    return Changes(text=grouped(made, since=since, repository=link), origin="commits")


def _changelog(root: Path, repository: Repository, revision: str) -> str:
    content = repository.content_at(revision, NAME) if revision else _read(root / NAME)
    try:
        return (content or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_bump(subject: str, project: Project) -> bool:
    """Whether bump wrote this first line (release/bump.py)."""
    words = subject.split()
    if len(words) > 2 and words[1] == project.name:
        del words[1]
    try:
        return len(words) == 2 and words[0] == "Release" and bool(Version(words[1]))
    except InvalidVersion:
        return False
