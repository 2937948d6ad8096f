"""Taking a release back: whether a yank, a post-release or nothing is right, from what the indexes serve.

Pure: pages in, a decision out. Nothing here can yank: no index has an API for it (facts: pypi, section 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from hephaestus.inspection.places import index_title
from hephaestus.inspection.resolution import Resolved, by_rules, requirements_of
from hephaestus.release.errors import ReleaseError
from hephaestus.release.versions import next_version
from hephaestus.services.index import IndexProject

__all__ = [
    "Category",
    "Decision",
    "FixUnknownError",
    "Reason",
    "Shelf",
    "VersionRefusedError",
    "Way",
    "decide",
    "shelves",
    "version_given",
]


class Category(StrEnum):
    """Why a release is to be taken back."""

    BROKEN = "broken"
    SECURITY = "security"
    COMPROMISED = "compromised"
    MISTAKE = "mistake"
    METADATA = "metadata"
    DOCUMENTATION = "documentation"
    OTHER = "other"


class Way(StrEnum):
    """What is right to do about it."""

    YANK = "yank"
    POST_RELEASE = "post-release"
    NOTHING = "nothing"


#: What a category says on the index's page when nothing better was given.
_WORDS = {
    Category.BROKEN: "This version does not work as it should",
    Category.SECURITY: "This version has a security vulnerability",
    Category.COMPROMISED: "The files of this version are not to be trusted",
    Category.MISTAKE: "Released by mistake",
    Category.METADATA: "The metadata of this version is wrong",
    Category.DOCUMENTATION: "A page of this version is wrong",
    Category.OTHER: "",
}
_AT_ONCE = (Category.SECURITY, Category.COMPROMISED)


class VersionRefusedError(ReleaseError):
    """Raised when the version named is no PEP 440 version."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            what=f"{given[:80]!r} is no PEP 440 version",
            why="an index knows a release by its version alone",
            next_step="name it as the index's page does, for example `hephaestus release rollback 1.2.3`",
        )


class FixUnknownError(ReleaseError):
    """Raised when the version named as the fix is not one that installers could take instead."""

    def __init__(self, *, version: str, fixed: str, problem: str) -> None:
        super().__init__(
            what=f"--fixed {fixed} cannot stand in for {version}: it {problem}",
            why="the reason on the index's page sends people to that version",
            next_step="leave --fixed out, and the next free version is named; or release the fix first",
        )


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why: a category, and in one's own words."""

    category: Category
    words: str = ""

    @classmethod
    def read(cls, text: str) -> Reason:
        """``broken``, ``security: what it is``, or free text, which is of no category."""
        head, colon, rest = text.partition(":")
        known = {str(category) for category in Category}
        if head.strip().lower() in known:
            return cls(category=Category(head.strip().lower()), words=_line(rest if colon else ""))
        return cls(category=Category.OTHER, words=_line(text))

    def text(self, instead: str) -> str:
        """The sentence for the index's page; ``instead`` is the version to use, empty for none."""
        said = (self.words or _WORDS[self.category] or "This version is not to be used").rstrip(".!")
        return f"{said}. Use {instead} instead." if instead else f"{said}."


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """One index as the decision needs it: every version, and the yank's reason of those of which all files are."""

    index: str
    status: str = "active"
    versions: Mapping[Version, str | None] = field(default_factory=dict)
    half: frozenset[Version] = frozenset()
    files: Mapping[Version, int] = field(default_factory=dict)

    def free(self, *, prereleases: bool) -> list[Version]:
        """The versions that installers take unasked, lowest first."""
        return sorted(
            version
            for version, yanked in self.versions.items()
            if yanked is None and (prereleases or not version.is_prerelease)
        )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is right, and why.

    ``on`` are the indexes where something is left to be done. ``instead`` is the version to point to, ``exists``
    whether it is there already. ``fix_first``: release it before the yank, or nothing is left to install.
    ``after``: what requirements resolve to once it is done, by index.
    """

    version: Version
    way: Way
    why: tuple[str, ...]
    on: tuple[str, ...] = ()
    instead: str = ""
    exists: bool = False
    fix_first: bool = False
    after: Mapping[str, tuple[Resolved, ...]] = field(default_factory=dict)


def shelves(pages: Mapping[str, IndexProject | None]) -> dict[str, Shelf]:
    """The indexes' pages by what the decision needs of them."""
    found = {}
    for index, page in pages.items():
        yanks: dict[Version, list[str | None]] = {}
        for file in page.files if page is not None else ():
            if file.version is not None:
                yanks.setdefault(file.version, []).append(file.yank)
        found[index] = Shelf(
            index=index,
            status="active" if page is None else page.status,
            versions={version: None if None in reasons else reasons[0] for version, reasons in yanks.items()},
            half=frozenset(v for v, reasons in yanks.items() if None in reasons and set(reasons) != {None}),
            files={version: len(reasons) for version, reasons in yanks.items()},
        )
    return found


def version_given(text: str) -> Version:
    """The version somebody named; raises VersionRefusedError."""
    try:
        return Version(text)
    except InvalidVersion as error:
        raise VersionRefusedError(given=text) from error


def decide(
    name: str,
    version: Version,
    reason: Reason,
    pages: Mapping[str, IndexProject | None],
    *,
    fixed: str = "",
    main_index: str = "pypi",
) -> Decision:
    """Decide from the pages (index to page, None for no such project). Raises FixUnknownError, VersionRefusedError.

    ``main_index`` is the one that installers ask.
    """
    known = shelves(pages)
    main = known.get(main_index, Shelf(index=main_index))
    holding = [index for index, shelf in known.items() if version in shelf.versions]
    open_ = tuple(index for index in holding if known[index].versions[version] is None)
    instead, exists = _instead(version, reason, known, main, fixed)

    def nothing(*why: str, on: tuple[str, ...] = ()) -> Decision:
        return Decision(version=version, way=Way.NOTHING, why=why, on=on, instead=instead, exists=exists)

    if main.status == "quarantined":
        return nothing(
            f"the project is quarantined on {index_title(main.index)}: it shows no files, and installers get none",
            "the index's administrators decide now; answer their e-mail to the project's owners",
        )
    if not holding:
        return nothing("no index has a file of it: nobody can install it")
    if not open_:
        return nothing(f"it is yanked on {', '.join(holding)} already")
    if reason.category is Category.DOCUMENTATION:
        return nothing(
            "installing it does no harm, and what a release says on its page can never be changed",
            "the next release brings the right page",
        )
    if main.index not in holding and reason.category not in _AT_ONCE:
        return nothing("it is on Test PyPI only, from where nobody installs", "do not promote it: release the fix")
    if reason.category is Category.METADATA:
        if exists:
            return nothing(f"{instead} is there and is what installers take")
        return Decision(
            version=version,
            way=Way.POST_RELEASE,
            why=(
                "the code works, so pins on it must go on working: a yank would warn everybody for nothing",
                f"PEP 440 has post-releases for exactly this: {instead} is the same code with right metadata, "
                f"and every installer prefers it to {version} unless {version} is pinned",
                "if the wrong metadata lets it be installed where it cannot work, it is `broken`: say --reason broken",
            ),
            on=(main.index,),
            instead=instead,
        )
    return _yank(name, version, reason, pages, known, main, open_, instead=instead, exists=exists)


def _yank(
    name: str,
    version: Version,
    reason: Reason,
    pages: Mapping[str, IndexProject | None],
    known: Mapping[str, Shelf],
    main: Shelf,
    open_: tuple[str, ...],
    *,
    instead: str,
    exists: bool,
) -> Decision:
    after = {
        index: tuple(by_rules(_without(pages[index], version), one) for one in requirements_of(name, version))
        for index in open_
    }
    newest = main.free(prereleases=version.is_prerelease)
    left = after[main.index][0].version if main.index in after else None
    why = ["pins on it go on working, and show the reason; everybody else gets another version"]
    if newest and newest[-1] == version:
        why.append("it is the newest version: every installation without a pin takes it until it is yanked")
    elif newest and newest[-1] > version:
        why.append(f"{newest[-1]} is newer: only pins and ranges still lead to {version}")
    if half := [index for index in open_ if version in known[index].half]:
        why.append(f"only some of its files are yanked on {', '.join(half)}")
    fix_first = main.index in after and left is None and not exists and reason.category not in _AT_ONCE
    if fix_first:
        why.append(f"nothing else could be installed after the yank: release {instead} first")
    elif left is None and main.index in after:
        why.append("nothing can be installed without a pin after the yank; that is better than this version")
    if not exists and reason.category is not Category.MISTAKE:
        why.append(f"the fix changes code, so it is a new version ({instead}) and no post-release")
    return Decision(
        version=version,
        way=Way.YANK,
        why=tuple(why),
        on=open_,
        instead=instead,
        exists=exists,
        fix_first=fix_first,
        after=after,
    )


def _instead(version: Version, reason: Reason, known: Mapping[str, Shelf], main: Shelf, fixed: str) -> tuple[str, bool]:
    """The version to point to, and whether it is there: the one named, a newer one, the one before, a new one."""
    free = main.free(prereleases=version.is_prerelease)
    if fixed:
        wanted = version_given(fixed)
        if wanted == version:
            raise FixUnknownError(version=str(version), fixed=fixed, problem="is that version")
        if wanted not in main.versions:
            raise FixUnknownError(version=str(version), fixed=fixed, problem=f"is not on {index_title(main.index)}")
        if main.versions[wanted] is not None:
            raise FixUnknownError(version=str(version), fixed=fixed, problem="is yanked itself")
        return str(wanted), True
    if free and free[-1] > version:
        return str(free[-1]), True
    if reason.category is Category.MISTAKE and (former := [one for one in free if one < version]):
        return str(former[-1]), True
    taken = {one for shelf in known.values() for one in shelf.versions} | {version}
    if reason.category is Category.METADATA and not version.is_prerelease:
        number = (version.post or 0) + 1
        while Version(f"{_bare(version)}.post{number}") in taken:
            number += 1
        return f"{_bare(version)}.post{number}", False
    new = next_version(str(version) if version.is_prerelease else _bare(version))
    while Version(new) in taken:
        new = next_version(new)
    return new, False


def _bare(version: Version) -> str:
    """The version without post-release and local part."""
    return version.base_version


def _without(page: IndexProject | None, version: Version) -> IndexProject | None:
    """The page as it will be when ``version`` is yanked."""
    if page is None:
        return None
    files = tuple(replace(file, yanked="") if file.version == version else file for file in page.files)
    return replace(page, files=files)


def _line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
