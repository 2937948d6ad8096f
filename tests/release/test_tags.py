"""Tags of versions: written and read in one place, one package's never another's."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.release.tags import (
    meant_by_tag,
    prefix_problem,
    read_tag,
    tag_of,
    tag_pattern,
    tags_alone,
    version_of_tag,
)

VERSIONS = st.builds(
    lambda release, ending: ".".join(map(str, release)) + ending,
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.sampled_from(["", "rc1", "a2.dev3", ".post4", ".dev0", "+local.1"]),
)
PREFIXES = st.one_of(
    st.just(""), st.from_regex(r"[A-Za-z0-9v][a-z0-9v._-]{0,8}-\Z").filter(lambda text: not prefix_problem(text))
)


@given(version=VERSIONS, prefix=PREFIXES)
def test_a_tag_reads_as_what_it_was_written_from(version: str, prefix: str) -> None:
    """Version and prefix come back from the tag."""
    tag = tag_of(version, prefix)
    assert version_of_tag(tag, prefix) == Version(version)
    assert read_tag(tag) == (prefix, Version(version))
    assert meant_by_tag(tag, prefix) == Version(version)


@given(version=VERSIONS, prefix=PREFIXES, other=PREFIXES)
def test_a_tag_is_of_one_package_only(version: str, prefix: str, other: str) -> None:
    """No tag reads under another prefix, nor is it matched by the pattern another's rules are written with."""
    if prefix != other:
        tag = tag_of(version, prefix)
        assert version_of_tag(tag, other) is None
        assert not fnmatchcase(tag, tag_pattern(other))


@given(tag=st.text(max_size=12), prefix=PREFIXES)
def test_any_text_is_a_tag_or_none(tag: str, prefix: str) -> None:
    """Whatever stands in a repository, reading it raises nothing, and both ways of reading agree."""
    read, version = read_tag(tag), version_of_tag(tag, prefix)
    assert (version is not None) is (read is not None and read[0] == prefix)
    assert version is None or meant_by_tag(tag, prefix) == version


@pytest.mark.parametrize("tag", ["1.2.3", "vv1.2.3", "V1.2.3", "v", "core-", "core-1.2.3", "v1.2.3.x", "core-v", ""])
def test_what_is_no_tag_of_a_version(tag: str) -> None:
    """Other words are tags of no version, under no prefix."""
    assert version_of_tag(tag) is None
    assert version_of_tag(tag, "core-") is None
    assert read_tag(tag) is None


@pytest.mark.parametrize(
    ("tag", "prefix", "meant"),
    [
        ("1.2.3", "", "1.2.3"),
        ("V1.2.3", "", "1.2.3"),
        ("release-1.2.3", "", "1.2.3"),
        ("release/v1.2.3", "", "1.2.3"),
        ("core-1.2.3", "core-", "1.2.3"),
        ("core-1.2.3", "", None),
        ("v1.2.3", "core-", None),
        ("nightly", "", None),
    ],
)
def test_what_a_tag_was_meant_for(tag: str, prefix: str, meant: str | None) -> None:
    """Spellings that projects had before are known for what they are, of the same prefix alone."""
    assert meant_by_tag(tag, prefix) == (Version(meant) if meant else None)


@pytest.mark.parametrize(
    ("pattern", "alone"),
    [("v*", True), ("v[0-9]*", True), ("core-v*", True), ("*", False), ("core-*", False), ("main", False), ("", False)],
)
def test_patterns_of_tags(pattern: str, alone: bool) -> None:
    """What a ruleset or an environment lets through is tags of versions, or it is more."""
    assert tags_alone(pattern) is alone


@pytest.mark.parametrize("prefix", ["", "core-", "my.viewer-", "a_b-c-", "2nd-"])
def test_a_prefix_that_is_taken(prefix: str) -> None:
    """Letters, digits, dots, underscores and hyphens, with a hyphen at the end."""
    assert prefix_problem(prefix) == ""


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("core", "ends in"),
        ("core/", "ends in"),
        ("core_", "ends in"),
        ("-core-", "letters"),
        (".core-", "letters"),
        ("co re-", "letters"),
        ("co..re-", "letters"),
        ("core*-", "letters"),
        ("core-\n", "letters"),
        ("körner-", "letters"),
        ("v-", "begin with"),
        ("viewer-", "begin with"),
        ("core-v2-", "begin with"),
    ],
)
def test_a_prefix_that_is_not_taken(prefix: str, words: str) -> None:
    """What git, GitHub or a pattern would take otherwise than it is meant is refused."""
    assert words in prefix_problem(prefix)
