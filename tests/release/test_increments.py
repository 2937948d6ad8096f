"""The arithmetic of versions: always newer, never a guess."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.release.increments import LEVELS, IncrementError, incremented, is_increment

RELEASES = st.lists(st.integers(0, 50), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
VERSIONS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "1!"]),
    RELEASES,
    st.sampled_from(["", "a1", "b2", "rc3"]),
    st.sampled_from(["", ".post1"]),
    st.sampled_from(["", ".dev4"]),
)
WORDS = st.sampled_from([[level] for level in LEVELS] + [[level, "rc"] for level in LEVELS] + [["rc"], ["final"]])


@pytest.mark.parametrize(
    ("version", "words", "expected"),
    [
        ("1.2.3", "major", "2.0.0"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "patch", "1.2.4"),
        ("1.2", "patch", "1.2.1"),
        ("1.2", "minor", "1.3"),
        ("2026.11", "minor", "2026.12"),
        ("5", "minor", "5.1"),
        ("1.2.3.4", "patch", "1.2.4.0"),
        ("1!1.2.3", "minor", "1!1.3.0"),
        ("1.2.3.post1", "patch", "1.2.4"),
        ("1.2.3", "minor rc", "1.3.0rc1"),
        ("1.2.3", "major rc", "2.0.0rc1"),
        ("1.2.3", "patch rc", "1.2.4rc1"),
        ("1.3.0rc1", "rc", "1.3.0rc2"),
        ("1.3.0rc9", "rc", "1.3.0rc10"),
        ("1.3.0.dev4", "rc", "1.3.0rc1"),
        ("1.3.0b2", "rc", "1.3.0rc1"),
        ("1.3.0rc2.dev1", "rc", "1.3.0rc2"),
        ("1.3.0rc2", "final", "1.3.0"),
        ("1.3.0.dev4", "final", "1.3.0"),
        ("1.3.0.post1.dev2", "final", "1.3.0.post1"),
        ("1.2.4rc1", "minor", "1.3.0"),
        ("1.3.0.post1.dev2", "minor", "1.4.0"),
        ("1.3.0.post1.dev2", "patch", "1.3.1"),
        ("1.3.0rc1.post1", "rc", "1.3.0rc2"),
        ("1.3.0rc1", "major", "2.0.0"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3.post1", "1.2.3.post1"),
        ("1.2.3", "2.0.0a1", "2.0.0a1"),
    ],
)
def test_each_word_means_one_version(version: str, words: str, expected: str) -> None:
    """Every word of the grammar, with epochs, short and long versions, candidates and development releases."""
    assert incremented(version, words.split()) == expected


@pytest.mark.parametrize(
    ("version", "words", "message", "next_step"),
    [
        ("1.2.3", "rc", "does not say of which version", "minor rc"),
        ("1.2.3.post1.dev2", "rc", "does not say of which version", "minor rc"),
        ("1.2.3", "final", "is final already", "patch"),
        ("1.3.0rc1", "minor", "could mean", "bump -- final (makes 1.3.0), or nox -s bump -- 1.4.0"),
        ("1.2.4rc1", "patch", "could mean", "1.2.5"),
        ("2.0.0.dev1", "major", "could mean", "3.0.0"),
        ("1.2.3", "1.2.2", "not newer", "patch"),
        ("1.2.3", "1.2.3rc1", "not newer", "patch"),
        ("1.2.0", "1.2", "not newer", "patch"),
        ("1.2.3", "v1.3.0", "not how PEP 440 writes", "bump -- 1.3.0"),
        ("1.2.3", "1.3.0-rc1", "not how PEP 440 writes", "bump -- 1.3.0rc1"),
        ("1.2.3", "1.3.0+local", "local version", "bump -- 1.3.0"),
        ("1.2.3", "next", "names no next version", "patch"),
        ("1.2.3", "rc minor", "names no next version", "patch"),
        ("1.2.3", "minor rc 2", "names no next version", "patch"),
        ("1.2.3", "", "no next version", "patch"),
    ],
)
def test_what_has_no_one_meaning_is_refused(version: str, words: str, message: str, next_step: str) -> None:
    """Words of no meaning, or of two, of older versions or other spellings: refused, with the command that works."""
    with pytest.raises(IncrementError) as refused:
        incremented(version, words.split())
    assert message in refused.value.what
    assert next_step in refused.value.next_step
    assert refused.value.why


@settings(max_examples=300)
@given(VERSIONS, WORDS)
def test_the_result_is_newer_and_normal_or_refused(version: str, words: list[str]) -> None:
    """Whatever the version: strictly newer, in normal form, of the kind asked for - or an IncrementError."""
    try:
        result = incremented(version, words)
    except IncrementError:
        return
    assert Version(result) > Version(version)
    assert str(Version(result)) == result
    assert Version(result).is_prerelease == (words[-1] == "rc")


def test_every_kind_of_version_and_every_word_together() -> None:
    """All of it once: epochs, short and long releases, candidates, posts and developments, under every word."""
    made = 0
    parts = (
        ["", "1!"], ["0", "1", "1.2", "1.2.0", "1.2.3", "0.0.0", "1.2.3.4", "2.0.0"], ["", "a1", "b2", "rc3"],
        ["", ".post1"], ["", ".dev4"],
    )  # fmt: skip
    words = [[level] for level in LEVELS] + [[level, "rc"] for level in LEVELS] + [["rc"], ["final"]]
    for version, asked in itertools.product(map("".join, itertools.product(*parts)), words):
        with contextlib.suppress(IncrementError):
            result = incremented(version, asked)
            assert Version(result) > Version(version), (version, asked)
            assert str(Version(result)) == result
            assert Version(result).is_prerelease == (asked[-1] == "rc")
            made += 1
    assert made > 1000


@given(RELEASES, st.sampled_from(LEVELS), st.integers(1, 12))
def test_a_chain_of_candidates_ends_in_the_version_it_began_for(version: str, level: str, length: int) -> None:
    """`<level> rc`, any number of `rc`, `final`: each newer than the one before, the end what `<level>` alone makes."""
    chain = [version, incremented(version, [level, "rc"])]
    for _ in range(length):
        chain.append(incremented(chain[-1], ["rc"]))
    chain.append(incremented(chain[-1], ["final"]))
    assert chain == sorted(chain, key=Version)
    assert len(set(chain)) == len(chain)
    assert chain[-2].endswith(f"rc{length + 1}")
    assert Version(chain[-1]) == Version(incremented(version, [level]))


@given(VERSIONS, st.lists(st.text(), max_size=3))
def test_any_words_are_answered(version: str, words: list[str]) -> None:
    """No words make it fail otherwise than by its own error."""
    if not is_increment(words):
        with pytest.raises(IncrementError):
            incremented(version, words)
