"""Who can make, move and delete the tags that publish: the rulesets of a repository for ``v*``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.services.settings import Ruleset

__all__ = ["tag_questions"]

_RULES = ("creation", "update", "deletion")

#: Patterns cannot be compared with each other, so they are tried on tags that a release could have.
_SAMPLES = ("v0.0.1", "v1.0.0", "v10.20.30rc1", "v2026.1.1.post1")


def tag_questions(rulesets: Callable[[], Sequence[Ruleset]], *, tag: str, group: str, page: str) -> Iterator[Question]:
    """The two questions about the rulesets for tags: what they restrict, and who may pass them over."""
    yield Question(
        check=Check(
            code="tag-rules",
            group=group,
            subject="tags v*",
            why="who can make or move a `v*` tag can publish; in 2026 some 75 tags of one project were moved at once",
            remedy="new tag ruleset: Active, target `v*`; restrict creations, restrict updates, restrict deletions",
            page=page,
        ),
        answer=lambda check: _rules(check, rulesets(), tag),
    )
    yield Question(
        check=Check(
            code="tag-bypass",
            group=group,
            subject="who passes them",
            why="a rule that its addressees may pass over is none; one that nobody passes lets nobody release",
            remedy="two tag rulesets for `v*`: one restricts updates and deletions and has an empty bypass list; one "
            "restricts creations and its bypass list holds the maintainers who release",
            page=page,
        ),
        answer=lambda check: _bypass(check, rulesets(), tag),
    )


def _covering(rulesets: Sequence[Ruleset], tag: str) -> list[Ruleset]:
    """The active rulesets that apply to every version tag."""
    refs = [f"refs/tags/{name}" for name in (tag, *_SAMPLES)]
    return [
        one
        for one in rulesets
        if one.active
        and all(any(_fits(pattern, ref) for pattern in one.include) for ref in refs)
        and not any(_fits(pattern, ref) for pattern in one.exclude for ref in refs)
    ]


def _fits(pattern: str, ref: str) -> bool:
    return pattern == "~ALL" or fnmatchcase(ref, pattern)


def _rules(check: Check, rulesets: Sequence[Ruleset], tag: str) -> Line:
    covering = _covering(rulesets, tag)
    if not covering:
        return check.failed(f"none of {len(rulesets)} tag rulesets is active and covers every `v*` tag")
    names = ", ".join(one.name for one in covering)
    missing = [rule for rule in _RULES if not any(rule in one.rules for one in covering)]
    if missing:
        return check.failed(f"not restricted: {', '.join(missing)} ({names})")
    return check.passed(f"restricted by {names}")


def _bypass(check: Check, rulesets: Sequence[Ruleset], tag: str) -> Line:
    covering = _covering(rulesets, tag)
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
        return check.failed(f"nobody may create a `v*` tag: the bypass list of {', '.join(closed)} is empty")
    return check.passed("nobody moves or deletes; creation is for the bypass list")
