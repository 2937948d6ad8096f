"""Tags: ``<prefix>v<version>``, written and read in one place (docs/decisions/0017-several-packages.md).

The prefix is empty where a repository holds one package. Where it holds several, each has its own: a tag of one never
reads as a tag of another, nor is it matched by another's ``<prefix>v*`` in a workflow, a ruleset or an environment.
"""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

__all__ = ["meant_by_tag", "prefix_problem", "read_tag", "tag_of", "tag_pattern", "tags_alone", "version_of_tag"]

#: What git, GitHub, addresses and file names all take as it is, and no pattern reads as anything but itself.
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*-\Z")
_TAG = re.compile(r"(?P<prefix>(?:[A-Za-z0-9][A-Za-z0-9._-]*?-)?)(?P<version>v.*)\Z", re.DOTALL)


def tag_of(version: str | Version, prefix: str = "") -> str:
    """The tag of a version (requirement C6), the version as it is written; ``core-`` makes ``core-v1.2.3``."""
    return f"{prefix}v{version}"


def tag_pattern(prefix: str = "") -> str:
    """What matches every tag of this prefix and of no other, as GitHub's rulesets and environments have patterns."""
    return tag_of("*", prefix)


def tags_alone(pattern: str) -> bool:
    """Whether a pattern of GitHub's matches tags of versions only: those of one prefix, or some of them."""
    match = _TAG.match(pattern)
    return match is not None and not prefix_problem(match["prefix"])


def version_of_tag(tag: str, prefix: str = "") -> Version | None:
    """The version that a tag of this prefix names; None for every other tag, those of other prefixes included."""
    start = f"{prefix}v"
    written = tag.removeprefix(start)
    # A second `v` is one that Version would take.
    if not tag.startswith(start) or not written[:1].isdecimal():
        return None
    try:
        return Version(written)
    except InvalidVersion:
        return None


def read_tag(tag: str) -> tuple[str, Version] | None:
    """The prefix (possibly empty) and the version of any package's tag; None when it is no tag of a version.

    There is only one way to read it: no part of a prefix begins with ``v`` (``prefix_problem``).
    """
    match = _TAG.match(tag)
    if match is None or prefix_problem(match["prefix"]):
        return None
    version = version_of_tag(match["version"])
    return None if version is None else (match["prefix"], version)


def meant_by_tag(tag: str, prefix: str = "") -> Version | None:
    """The version a tag of this prefix was meant for, in spellings that projects had before, too.

    Those lack the ``v``, write it ``V``, or begin with ``release-`` or ``release/``. For what is not made with such
    a tag, but must not be overlooked: the version before, the version that is taken.
    """
    if not tag.startswith(prefix):
        return None
    try:
        return Version(re.sub(r"\A(?:release[-/])?[vV]?(?=\d)", "", tag.removeprefix(prefix)))
    except InvalidVersion:
        return None


def prefix_problem(prefix: str) -> str:
    """Why ``prefix`` cannot begin tags, ready to follow the setting's name; empty when it can.

    It ends in a hyphen and no part between hyphens begins with ``v``: so ``<prefix>v*`` of one package matches no
    tag of another. A slash is not taken: ``*`` in GitHub's patterns does not match it, and addresses of releases and
    names of assets hold the tag.
    """
    if not prefix:
        return ""
    if not _PREFIX.match(prefix) or ".." in prefix:
        return f'is {prefix!r}; it takes letters, digits, `.`, `_` and `-`, and ends in `-`, such as "core-"'
    if any(part.startswith("v") for part in prefix.split("-")):
        return f"is {prefix!r}; no part of it may begin with `v`: `v*` and the like would match tags of two packages"
    return ""
