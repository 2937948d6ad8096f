"""The version of a commit in a project that takes it from the tag: the one tag's, never a guess between two."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import ReleaseError
from hephaestus.release.tags import meant_by_tag, tag_of, version_of_tag

__all__ = [
    "TagContradictsError",
    "TagGivenError",
    "TagsAmbiguousError",
    "UntaggedError",
    "newest_version",
    "tagged_version",
]

#: What a project is called that has no release yet: every version is newer.
UNRELEASED = "0.0.0"


class UntaggedError(ReleaseError):
    """Raised when the version comes from the tag, and the commit has none; ``close`` are tags that nearly are one."""

    def __init__(self, *, setting: str, prefix: str, close: Sequence[str], shallow: bool) -> None:
        tag = tag_of("X.Y.Z", prefix)
        details = [f"{name} is at this commit, but a release's tag is {prefix}v and the version" for name in close]
        if shallow:
            details.append("this clone is shallow, and tags may not have been fetched: git fetch --unshallow --tags")
        super().__init__(
            what="the version comes from the tag, and no release's tag is at this commit",
            why=f"{setting} says so; it must be known before anything is built, and is never guessed from the history",
            details=details,
            next_step=f"tag it: `nox -s bump -- minor` (or git tag -a {tag} -m {tag}); in a rehearsal it may be named "
            f"instead: `nox -s release -- --tag {tag}`, and looked at by `hephaestus release status --tag {tag}`",
        )


class TagsAmbiguousError(ReleaseError):
    """Raised when the version comes from the tag, and the commit has several of releases."""

    def __init__(self, *, tags: Sequence[str]) -> None:
        super().__init__(
            what=f"the version comes from the tag, and this commit has {len(tags)}: {', '.join(tags)}",
            why="each of them says another version; which one is released must not be a guess",
            next_step=f"keep one (git tag -d {tags[0]}), or commit something and tag that",
        )


class TagContradictsError(ReleaseError):
    """Raised when another tag is asked for than the one whose version this is."""

    def __init__(self, *, given: str, tag: str) -> None:
        super().__init__(
            what=f"--tag {given} was asked for, but this is {tag}",
            why="a commit is one version, and the tag is that version's",
            next_step=f"leave `--tag` out, or say {tag}; for another version commit first",
        )


class TagGivenError(ReleaseError):
    """Raised for a ``--tag`` that names no version; one that was meant for a version is said as it must be."""

    def __init__(self, *, given: str, prefix: str) -> None:
        meant = meant_by_tag(given, prefix) or meant_by_tag(given)
        super().__init__(
            what=f"--tag {given} is no tag of a release",
            why=f"a release's tag is {prefix}v and the version as PEP 440 has it; here the version is read from it",
            next_step=f"say it as --tag {tag_of(meant or 'X.Y.Z', prefix)}",
        )


def tagged_version(tags: Sequence[str], *, prefix: str, given: str, setting: str, shallow: bool = False) -> str:
    """The version of the commit that has these tags; without one of a release, that of ``given`` (unless empty).

    ``setting`` is what says that the version comes from the tag. Raises UntaggedError, TagsAmbiguousError,
    TagContradictsError, TagGivenError.
    """
    if given and version_of_tag(given, prefix) is None:
        raise TagGivenError(given=given, prefix=prefix)
    found = sorted(tag for tag in tags if version_of_tag(tag, prefix) is not None)
    if len(found) > 1:
        raise TagsAmbiguousError(tags=found)
    if found and given and found != [given]:
        raise TagContradictsError(given=given, tag=found[0])
    if not found and not given:
        close = [tag for tag in tags if _names_version(tag.removeprefix(prefix))]
        raise UntaggedError(setting=setting, prefix=prefix, close=close, shallow=shallow)
    return (found or [given])[0].removeprefix(tag_of("", prefix))


def newest_version(tags: Sequence[str], *, prefix: str) -> str:
    """The newest version among the tags of releases, as its tag writes it; ``0.0.0`` where there is none."""
    written = [tag.removeprefix(tag_of("", prefix)) for tag in tags if version_of_tag(tag, prefix) is not None]
    return max(written, key=Version, default=UNRELEASED)


def _names_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
