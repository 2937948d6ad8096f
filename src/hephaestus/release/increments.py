"""From one version to the next: what `major`, `minor`, `patch`, `rc`, `final` or an explicit version mean here.

PEP 440 throughout (packaging). The result is always newer than what it came from, but for an explicit version that
is the present one (the first release of a version already written). What two readings could mean is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import ReleaseError

__all__ = ["GRAMMAR", "LEVELS", "IncrementError", "incremented", "is_increment"]

#: The parts of a version that can be raised, by their place in it.
LEVELS = ("major", "minor", "patch")

#: Every way to ask, as messages show it.
GRAMMAR = "major | minor | patch | major rc | minor rc | patch rc | rc | final | X.Y.Z"


class IncrementError(ReleaseError):
    """Raised when the words name no next version, or could name two."""

    def __init__(self, *, problem: str, why: str, next_step: str) -> None:
        super().__init__(what=problem, why=why, next_step=next_step)


def is_increment(words: Sequence[str]) -> bool:
    """Whether the words are of the grammar at all, whatever version they are applied to."""
    if len(words) == 2:
        return words[0] in LEVELS and words[1] == "rc"
    return len(words) == 1 and (words[0] in (*LEVELS, "rc", "final") or _explicit(words[0]) is not None)


def incremented(version: str, words: Sequence[str]) -> str:
    """The version that ``words`` make of ``version``, in PEP 440's normal form; raises IncrementError."""
    if not is_increment(words):
        raise IncrementError(
            problem=f"`{' '.join(words)}` names no next version" if words else "no next version was asked for",
            why=f"what can be asked for: {GRAMMAR}",
            next_step="nox -s bump -- patch --dry-run",
        )
    now = Version(version)
    word = words[0]
    if word == "final":
        return _final(now)
    if word == "rc":
        return _candidate(now)
    if word not in LEVELS:
        return _given(now, word)
    raised = _raised(now, word)
    return f"{raised}rc1" if len(words) == 2 else raised


def _given(now: Version, word: str) -> str:
    given = Version(word)
    if str(given) != word:
        raise IncrementError(
            problem=f"{word} is not how PEP 440 writes this version",
            why="indexes, file names and the tag would each spell it in their own way",
            next_step=f"nox -s bump -- {given}",
        )
    if given.local is not None:
        raise IncrementError(
            problem=f"{word} is a local version",
            why="no index takes one",
            next_step=f"nox -s bump -- {given.public}",
        )
    if given < now or (given == now and word != str(now)):
        raise IncrementError(
            problem=f"{word} is not newer than {now}",
            why="installers would go on choosing the newer one",
            next_step="nox -s bump -- patch --dry-run",
        )
    return word


def _raised(now: Version, level: str) -> str:
    place = LEVELS.index(level)
    parts = [*now.release, *[0] * (place + 1 - len(now.release))]
    if _on_its_way(now) and not any(parts[place + 1 :]):
        higher = ".".join(map(str, [*parts[:place], parts[place] + 1, *[0] * (len(parts) - place - 1)]))
        raise IncrementError(
            problem=f"{now} is on its way to {now.base_version}: `{level}` could mean that version, or the one after",
            why="which of the two is meant cannot be told from the word",
            next_step=f"nox -s bump -- final (makes {now.base_version}), or nox -s bump -- {_epoch(now)}{higher}",
        )
    parts[place] += 1
    return _epoch(now) + ".".join(map(str, [*parts[: place + 1], *[0] * (len(parts) - place - 1)]))


def _candidate(now: Version) -> str:
    if not _on_its_way(now):
        raise IncrementError(
            problem=f"{now} is no candidate: `rc` alone does not say of which version the candidate is",
            why="a candidate comes before a version, and three could be meant",
            next_step="nox -s bump -- minor rc (or major rc, or patch rc)",
        )
    letter, number = now.pre or ("", 0)
    # A development release comes before the candidate it leads to; a post-release after the one it mends.
    next_number = (number if now.dev is not None and now.post is None else number + 1) if letter == "rc" else 1
    return f"{_epoch(now)}{_release(now)}rc{next_number}"


def _final(now: Version) -> str:
    if not now.is_prerelease:
        raise IncrementError(
            problem=f"{now} is final already",
            why="`final` makes a version of a candidate",
            next_step="nox -s bump -- patch (or minor, or major)",
        )
    if now.post is not None and now.pre is None:
        return f"{_epoch(now)}{_release(now)}.post{now.post}"
    return f"{_epoch(now)}{_release(now)}"


def _on_its_way(version: Version) -> bool:
    """Whether a version comes before the final one of its numbers: 1.3.0rc1, 1.3.0.dev1, but not 1.3.0.post1.dev1."""
    return version.pre is not None or (version.dev is not None and version.post is None)


def _release(version: Version) -> str:
    return ".".join(map(str, version.release))


def _epoch(version: Version) -> str:
    return f"{version.epoch}!" if version.epoch else ""


def _explicit(word: str) -> Version | None:
    try:
        return Version(word)
    except InvalidVersion:
        return None
