"""Yank, post-release or nothing: the decision table, from pages as indexes show them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.inspection.withdrawal import (
    Category,
    Decision,
    FixUnknownError,
    Reason,
    VersionRefusedError,
    Way,
    decide,
    shelves,
    version_given,
)
from hephaestus.services.project import IndexFile, IndexProject


def page(*versions: str, status: str = "active") -> IndexProject:
    """Two files a version; ``!`` before one yanks both, ``?`` one of them."""
    files = []
    for one in versions:
        bare = one.lstrip("!?")
        yanked = "why" if one[0] == "!" else False
        files.append(IndexFile(filename=f"x-{bare}-py3-none-any.whl", url="u", sha256=None, yanked=yanked))
        half = "why" if one[0] in "!?" else False
        files.append(IndexFile(filename=f"x-{bare}.tar.gz", url="u", sha256=None, yanked=half))
    return IndexProject(name="x", files=tuple(files), status=status)


def decided(
    version: str, reason: str, pypi: Sequence[str], testpypi: Sequence[str] | None = None, *, fixed: str = ""
) -> Decision:
    """The decision from what PyPI and Test PyPI (the same, unless given) have."""
    pages = {"testpypi": page(*(pypi if testpypi is None else testpypi)), "pypi": page(*pypi) if pypi else None}
    return decide("x", Version(version), Reason.read(reason), pages, fixed=fixed)


@pytest.mark.parametrize(
    ("version", "reason", "pypi", "way", "instead", "exists", "fix_first"),
    [
        # broken: the newest goes at once where something is left, else after the fix
        ("1.1", "broken", ["1.0", "1.1"], Way.YANK, "1.2", False, False),
        ("1.0", "broken", ["1.0"], Way.YANK, "1.1", False, True),
        ("1.1", "broken", ["!1.0", "1.1"], Way.YANK, "1.2", False, True),
        ("1.1", "broken", ["1.0", "1.1", "1.2"], Way.YANK, "1.2", True, False),
        ("1.1", "broken", ["1.0", "1.1", "!1.2"], Way.YANK, "1.3", False, False),
        ("1.1.post1", "broken", ["1.0", "1.1.post1"], Way.YANK, "1.2", False, False),
        ("2.0rc1", "broken", ["1.0", "2.0rc1"], Way.YANK, "2.0rc2", False, False),
        # free text is of no category: it is taken back like something broken
        ("1.1", "eats data", ["1.0", "1.1"], Way.YANK, "1.2", False, False),
        # security never waits for the fix
        ("1.0", "security", ["1.0"], Way.YANK, "1.1", False, False),
        ("1.0", "compromised", ["1.0"], Way.YANK, "1.1", False, False),
        # what was released by mistake needs no fix where something good is there
        ("1.1", "mistake", ["1.0", "1.1"], Way.YANK, "1.0", True, False),
        ("1.0", "mistake", ["1.0"], Way.YANK, "1.1", False, True),
        # metadata alone: same code, right metadata
        ("1.1", "metadata", ["1.0", "1.1"], Way.POST_RELEASE, "1.1.post1", False, False),
        ("1.1.post1", "metadata", ["1.1", "1.1.post1"], Way.POST_RELEASE, "1.1.post2", False, False),
        ("1.1rc1", "metadata", ["1.0", "1.1rc1"], Way.POST_RELEASE, "1.1rc2", False, False),
        ("1.1", "metadata", ["1.1", "1.2"], Way.NOTHING, "1.2", True, False),
        ("1.1", "documentation", ["1.0", "1.1"], Way.NOTHING, "1.2", False, False),
        # nothing is left to be done
        ("1.1", "broken", ["1.0", "!1.1"], Way.NOTHING, "1.2", False, False),
        ("9.9", "broken", ["1.0"], Way.NOTHING, "9.10", False, False),
    ],
)  # fmt: skip
def test_the_decision_table(
    version: str, reason: str, pypi: list[str], way: Way, instead: str, exists: bool, fix_first: bool
) -> None:
    """By reason, what else is there, and what installers would be left with; never without saying why."""
    found = decided(version, reason, pypi)
    assert (found.way, found.instead, found.exists, found.fix_first) == (way, instead, exists, fix_first)
    assert found.why
    assert all(found.why)


def test_a_new_version_is_one_that_no_index_has_seen() -> None:
    """A file name is used up on every index by itself: what Test PyPI has is not proposed either."""
    assert decided("1.0", "broken", ["1.0"], ["1.0", "1.1", "1.2"]).instead == "1.3"
    assert decided("1.0", "metadata", ["1.0"], ["1.0", "1.0.post1"]).instead == "1.0.post2"


def test_what_never_reached_pypi_is_left_alone() -> None:
    """Nobody installs from Test PyPI: the fix is released and this version is not; unless it is dangerous."""
    assert decided("1.0", "broken", ["0.9"], ["1.0"]).way is Way.NOTHING
    found = decided("1.0", "compromised", ["0.9"], ["1.0"])
    assert (found.way, found.on) == (Way.YANK, ("testpypi",))


def test_only_the_index_without_the_yank_is_left_to_do() -> None:
    """Yanked on PyPI and not on Test PyPI: one page is left."""
    found = decided("1.1", "broken", ["1.0", "!1.1"], ["1.0", "1.1"])
    assert (found.way, found.on) == (Way.YANK, ("testpypi",))


def test_half_a_yank_is_none() -> None:
    """A release of which one file is free is not yanked, and the reason says so."""
    found = decided("1.1", "broken", ["1.0", "?1.1"])
    assert found.way is Way.YANK
    assert any("only some of its files are yanked on" in why for why in found.why)


def test_a_quarantined_project_is_not_for_us_to_decide() -> None:
    """PyPI's quarantine shows no files: neither absence nor a yank is concluded from it; Test PyPI's is no matter."""
    pages = {"testpypi": page("1.0"), "pypi": page(status="quarantined")}
    found = decide("x", Version("1.0"), Reason.read("broken"), pages)
    assert found.way is Way.NOTHING
    assert "quarantined on PyPI" in found.why[0]
    there = {"testpypi": page(status="quarantined"), "pypi": page("0.9", "1.0")}
    assert decide("x", Version("1.0"), Reason.read("broken"), there).way is Way.YANK


def test_the_consequences_are_told_beforehand() -> None:
    """After the yank: the name falls back, the pin still works with a warning, the compatible range finds nothing."""
    found = decided("1.1", "broken", ["1.0", "1.1"])
    assert [(one.requirement, one.version, one.yanked) for one in found.after["pypi"]] == [
        ("x", "1.0", False), ("x==1.1", "1.1", True), ("x~=1.1", None, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("fixed", "problem"), [("1.1", "is that version"), ("3.0", "not on PyPI"), ("1.2", "yanked")])
def test_a_fix_that_is_none_is_refused(fixed: str, problem: str) -> None:
    """The version that people are sent to must be there, free, and another one."""
    with pytest.raises(FixUnknownError, match=problem):
        decided("1.1", "broken", ["1.0", "1.1", "!1.2"], fixed=fixed)
    assert decided("1.1", "broken", ["1.0", "1.1"], fixed="v1.0").instead == "1.0"


@pytest.mark.parametrize("given", ["", "latest", "1..2", "v", "1.0 or so", "../1.0"])
def test_what_is_no_version_is_refused(given: str) -> None:
    """Nothing is asked of an index for a version that cannot be one."""
    with pytest.raises(VersionRefusedError, match="no PEP 440 version"):
        version_given(given)


@pytest.mark.parametrize(
    ("given", "category", "text"),
    [
        ("broken", Category.BROKEN, "This version does not work as it should. Use 2.0 instead."),
        ("Security: CVE-2026-1 in the parser.", Category.SECURITY, "CVE-2026-1 in the parser. Use 2.0 instead."),
        ("eats data!", Category.OTHER, "eats data. Use 2.0 instead."),
        ("broken:", Category.BROKEN, "This version does not work as it should. Use 2.0 instead."),
        ("two\nlines\x1b[31m", Category.OTHER, "two lines [31m. Use 2.0 instead."),
        ("note: it is odd", Category.OTHER, "note: it is odd. Use 2.0 instead."),
    ],
)  # fmt: skip
def test_the_words_for_the_page(given: str, category: Category, text: str) -> None:
    """A category, a category with words, or free text: one printable line that names the version to use."""
    reason = Reason.read(given)
    assert (reason.category, reason.text("2.0")) == (category, text)


_VERSIONS = st.lists(
    st.sampled_from(["0.9", "1.0", "1.1", "1.1.post1", "1.2", "2.0rc1", "2.0", "1!0.1"]), max_size=6, unique=True
).flatmap(lambda found: st.tuples(*(st.sampled_from([f"{sign}{one}" for sign in ("", "!", "?")]) for one in found)))


@given(
    _VERSIONS, _VERSIONS, st.sampled_from(["1.0", "1.1", "2.0rc1", "3"]),
    st.sampled_from(list(Category)), st.sampled_from(["active", "archived", "quarantined"]),
)  # fmt: skip
def test_any_pages_lead_to_a_decision_that_holds(
    pypi: tuple[str, ...], testpypi: tuple[str, ...], version: str, category: Category, status: str
) -> None:
    """Whatever is served: a yank is only asked for where a file is free, and no one is sent to this very version."""
    pages = {"testpypi": page(*testpypi), "pypi": page(*pypi, status=status)}
    found = decide("x", Version(version), Reason(category=category), pages)
    for index in found.on:
        shelf = shelves(pages)[index]
        assert shelf.versions.get(Version(version), "absent") is None or index == "pypi"
    if found.way is Way.YANK:
        assert found.on
        assert Version(found.instead) != Version(version)
        assert all(one.version != version or one.yanked for resolved in found.after.values() for one in resolved)
    if found.exists:
        assert shelves(pages)["pypi"].versions[Version(found.instead)] is None
