"""Who can make, move and delete the tags that publish: the rulesets of a repository for ``<prefix>v*``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.release.project import Project
from hephaestus.release.tags import tag_of, tag_pattern
from hephaestus.services.settings import Ruleset

__all__ = ["tag_questions"]

_RULES = ("creation", "update", "deletion")

#: Patterns cannot be compared with each other, so they are tried on tags that a release could have.
_SAMPLES = ("0.0.1", "1.0.0", "10.20.30rc1", "2026.1.1.post1")


def tag_questions(
    rulesets: Callable[[], Sequence[Ruleset]], *, project: Project, group: str, page: str
) -> Iterator[Question]:
    """The two questions about the rulesets for tags: what they restrict, and who may pass them over."""
    pattern = tag_pattern(project.config.tag_prefix)
    yield Question(
        check=Check(
            code="tag-rules",
            group=group,
            subject=f"tags {pattern}",
            why=f"who can make or move a `{pattern}` tag can publish; in 2026 some 75 tags of one project were moved "
            "at once",
            remedy=f"new tag ruleset: Active, target `{pattern}`; restrict creations, restrict updates, restrict "
            "deletions",
            page=page,
        ),
        answer=lambda check: _rules(check, rulesets(), project),
    )
    yield Question(
        check=Check(
            code="tag-bypass",
            group=group,
            subject="who passes them",
            why="a rule that its addressees may pass over is none; one that nobody passes lets nobody release",
            remedy=f"two tag rulesets for `{pattern}`: one restricts updates and deletions and has an empty bypass "
            "list; one restricts creations and its bypass list holds the maintainers who release",
            page=page,
        ),
        answer=lambda check: _bypass(check, rulesets(), project),
    )


def _covering(rulesets: Sequence[Ruleset], project: Project) -> list[Ruleset]:
    """The active rulesets that apply to every version tag of the project."""
    refs = [f"refs/tags/{tag_of(version, project.config.tag_prefix)}" for version in (project.version, *_SAMPLES)]
    return [
        one
        for one in rulesets
        if one.active
        and all(any(_fits(pattern, ref) for pattern in one.include) for ref in refs)
        and not any(_fits(pattern, ref) for pattern in one.exclude for ref in refs)
    ]


def _said(project: Project) -> str:
    return f"`{tag_pattern(project.config.tag_prefix)}`"


def _fits(pattern: str, ref: str) -> bool:
    return pattern == "~ALL" or fnmatchcase(ref, pattern)


def _rules(check: Check, rulesets: Sequence[Ruleset], project: Project) -> Line:
    covering = _covering(rulesets, project)
    if not covering:
        return check.failed(f"none of {len(rulesets)} tag rulesets is active and covers every {_said(project)} tag")
    names = ", ".join(one.name for one in covering)
    missing = [rule for rule in _RULES if not any(rule in one.rules for one in covering)]
    if missing:
        return check.failed(f"not restricted: {', '.join(missing)} ({names})")
    return check.passed(f"restricted by {names}")


def _bypass(check: Check, rulesets: Sequence[Ruleset], project: Project) -> Line:
    covering = _covering(rulesets, project)
    if not covering:
        return check.failed("no ruleset to pass over")
    hidden = [one.name for one in covering if one.bypass is None]
    if hidden:
        return check.unknown(f"the bypass list of {', '.join(hidden)} is shown to administrators only")
    passing = [
        f"{one.name} ({', '.join(one.bypass or ())})"
        for one in covering
        if one.rules & {"update", "deletion"} and one.bypass
    ]
    if passing:
        return check.failed(f"tags can be moved or deleted by the bypass list of {', '.join(passing)}")
    closed = [one.name for one in covering if "creation" in one.rules and not one.bypass]
    if closed:
        return check.failed(
            f"nobody may create a {_said(project)} tag: the bypass list of {', '.join(closed)} is empty"
        )
    return check.passed("nobody moves or deletes; creation is for the bypass list")
