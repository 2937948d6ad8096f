"""Changelogs kept by hand: where their sections are, what an edit moves, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.changelog import Comparison, read_changelog, unreleased_findings, with_release

LOG = """\
# Changelog

About this file.

## [Unreleased]

### Added

- A thing:

  ```toml
  ## [9.9.9] is no heading
  ```

<!--
## [8.8.8] is none either
-->

## [1.2.0] - 2026-01-01

### Fixed

- old

[Unreleased]: https://github.com/o/r/compare/v1.2.0...HEAD
[1.2.0]: https://github.com/o/r/releases/tag/v1.2.0
"""

BASE = "https://github.com/o/r/compare/"
COMPARE = Comparison(base=BASE, since="v1.2.0")

#: Pieces of which changelogs, good and broken, are made.
PIECES = st.sampled_from(
    ["# Changelog\n", "## [Unreleased]\n", "## Unreleased", "## [1.2.0] - 2026-01-01\n", "## [1.3.0]\r\n", "- x\n",
     "\n", "\r", "\r\n", "### Added\n", "```\n", "<!--\n", "-->\n", "[Unreleased]: x/compare/a...HEAD\n", "text",
     "1.0\n---\n", "> ## [7.0.0]\n", "[1.2.0]: y\n", "\ufeff"]
)  # fmt: skip


def released(text: str, version: str = "1.3.0", compare: Comparison | None = COMPARE) -> str:
    """The text after a release of that version."""
    return with_release(read_changelog(text), version=version, date="2026-11-22", compare=compare)


def codes(text: str, version: str = "1.3.0", present: str = "1.2.0") -> list[str]:
    """The codes of what is wrong."""
    return [finding.code for finding in unreleased_findings(read_changelog(text), version=version, present=present)]


def test_sections_are_headings_of_the_page_and_nothing_else() -> None:
    """What stands in code and in comments is no section; a section ends before the next, the last before the links."""
    log = read_changelog(LOG)
    assert [section.name for section in log.sections] == ["Unreleased", "1.2.0"]
    assert log.text(log.versions[0]) == "### Fixed\n\n- old"
    assert "9.9.9" in log.text(log.unreleased[0])


@pytest.mark.parametrize(
    ("heading", "name"),
    [("## [1.2.3]", "1.2.3"), ("## 1.2.3", "1.2.3"), ("## [v1.2.3]", "1.2.3"), ("## v1.2.3 - 2026-01-02", "1.2.3"),
     ("1.2.3\n-----", "1.2.3"), ("##   [1.2.3rc1] - x ##", "1.2.3rc1"), ("## [UNRELEASED]", "UNRELEASED")],
)  # fmt: skip
def test_a_heading_is_found_however_it_is_written(heading: str, name: str) -> None:
    """With and without brackets, v, date, closing marks; underlined, too."""
    log = read_changelog(f"# C\n\n{heading}\n\n- it\n\n## [0.1]\n\n- old\n")
    assert log.sections[0].name == name
    assert log.text(log.sections[0]) == "- it"


def test_the_unreleased_becomes_the_version_and_the_links_follow() -> None:
    """Two lines and one link are added, one link is changed; everything else stays as it is."""
    before, after = LOG.splitlines(), released(LOG).splitlines()
    added = [line for line in after if line not in before]
    assert added == [
        "## [1.3.0] - 2026-11-22",
        "[Unreleased]: https://github.com/o/r/compare/v1.3.0...HEAD",
        "[1.3.0]: https://github.com/o/r/compare/v1.2.0...v1.3.0",
    ]
    assert [line for line in before if line not in after] == [before[-2]]
    log = read_changelog(released(LOG))
    assert [section.name for section in log.sections] == ["Unreleased", "1.3.0", "1.2.0"]
    assert log.text(log.unreleased[0]) == ""
    assert log.text(log.versions[0]) == read_changelog(LOG).text(read_changelog(LOG).unreleased[0])


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_mark_stay(end: str, bom: str) -> None:
    """CRLF, CR and a byte-order mark are kept, and what is added is written likewise."""
    assert released(bom + LOG.replace("\n", end)) == bom + released(LOG).replace("\n", end)


@pytest.mark.parametrize(
    ("text", "compare", "expected"),
    [
        ("## [Unreleased]\n- x", COMPARE, f"[Unreleased]: {BASE}v1.3.0...HEAD\n[1.3.0]: {BASE}v1.2.0...v1.3.0\n"),
        ("## [Unreleased]\n\n- x\n", Comparison(base=BASE), "[1.3.0]: https://github.com/o/r/releases/tag/v1.3.0\n"),
        (
            "## [Unreleased]\n\n- x\n\n[1.2.0]: y\n[a]: b\n",
            COMPARE,
            f"[Unreleased]: {BASE}v1.3.0...HEAD\n[1.3.0]: {BASE}v1.2.0...v1.3.0\n[1.2.0]: y\n[a]: b\n",
        ),
        (
            "## [Unreleased]\n- x [a]\n\n[a]: b",
            COMPARE,
            f"[a]: b\n[Unreleased]: {BASE}v1.3.0...HEAD\n[1.3.0]: {BASE}v1.2.0...v1.3.0\n",
        ),
        (
            "[a]: b\n\n## [Unreleased]\n- x",
            COMPARE,
            f"- x\n\n[Unreleased]: {BASE}v1.3.0...HEAD\n[1.3.0]: {BASE}v1.2.0...v1.3.0\n",
        ),
        (
            "## [Unreleased]\n\n- x\n\n[unreleased]: https://x.org/a/-/compare/v1.2.0..HEAD\n",
            COMPARE,
            "[unreleased]: https://x.org/a/-/compare/v1.3.0..HEAD\n[1.3.0]: https://x.org/a/-/compare/v1.2.0..v1.3.0\n",
        ),
    ],
)
def test_links_are_written_where_and_as_the_page_has_them(text: str, compare: Comparison, expected: str) -> None:
    """None yet, other definitions, other hosts and dots, a last line without an end: links that are links."""
    after = released(text, compare=compare)
    assert after.endswith(expected)
    assert {"unreleased", "1.3.0"} <= set(read_changelog(after).links)


@pytest.mark.parametrize(
    ("text", "compare"),
    [
        ("## [Unreleased]\n\n- x\n", Comparison()),
        ("## Unreleased\n\n- x\n", COMPARE),
        ("## [Unreleased]\n\n- x\n\n[Unreleased]: https://x.org/changes\n", COMPARE),
        ("## [Unreleased]\n\n- x\n", None),
    ],
)
def test_no_link_is_guessed(text: str, compare: Comparison | None) -> None:
    """No known repository, headings without brackets, a link of another kind: the heading alone is added."""
    added = [line for line in released(text, compare=compare).splitlines() if line not in text.splitlines()]
    assert added in (["## [1.3.0] - 2026-11-22"], ["## 1.3.0 - 2026-11-22"])


def test_a_heading_follows_the_manner_of_the_last_one() -> None:
    """Where versions are headed with a v, the new one is."""
    assert "## [v1.3.0] - 2026-11-22" in released("## [Unreleased]\n\n- x\n\n## [v1.2.0]\n\n- y\n")


def test_a_candidate_of_which_nothing_is_written_gets_no_section() -> None:
    """1.3.0rc2 without a line about it: the changelog stays as it is; with one it gets its section."""
    empty = "## [Unreleased]\n\n## [1.3.0rc1] - 2026-01-01\n\n- x\n"
    assert released(empty, version="1.3.0rc2") == empty
    assert codes(empty, version="1.3.0rc2", present="1.3.0rc1") == []
    filled = empty.replace("\n\n##", "\n\n- y\n\n##", 1)
    assert "## [1.3.0rc2] - 2026-11-22\n\n- y\n" in released(filled, version="1.3.0rc2")


def test_a_version_already_written_gets_its_date() -> None:
    """The first release of a version that has its section: the date is added, nothing else; a date stays."""
    text = "## [Unreleased]\n\n## [0.2.5]\n\n- all\n"
    assert released(text, version="0.2.5") == text.replace("[0.2.5]", "[0.2.5] - 2026-11-22")
    dated = text.replace("[0.2.5]", "[0.2.5] - 2020-01-01")
    assert released(dated, version="0.2.5") == dated
    assert codes(text, version="0.2.5", present="0.2.5") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "changelog-shape"),
        ("# Changelog\n\nNothing here.\n", "changelog-shape"),
        ("```\n## [Unreleased]\n- x\n```\n", "changelog-shape"),
        ("## [1.2.0]\n\n- x\n", "changelog-unreleased"),
        ("## [Unreleased]\n\n## [1.2.0]\n\n- x\n", "changelog-empty"),
        ("## [Unreleased]\n\n### Added\n\n<!-- - x -->\n\n## [1.2.0]\n\n- x\n", "changelog-empty"),
        ("## [Unreleased]\n- x\n## [Unreleased]\n- y\n", "changelog-double"),
        ("## [Unreleased]\n- x\n## [1.3.0]\n- y\n", "changelog-taken"),
        ("## [Unreleased]\n## [1.3.0]\n- y\n", "changelog-taken"),
        ("## [1.3.0]\n- x\n## [1.3]\n- y\n", "changelog-double"),
        ("## [Unreleased]\n- x\n```\n## [1.2.0]\n", "changelog-open"),
        ("## [Unreleased]\n- x\n\n<!--\n## [1.2.0]\n", "changelog-open"),
    ],
)
def test_what_cannot_become_a_section_is_refused(text: str, code: str) -> None:
    """No shape, no Unreleased, an empty, a double, a taken one, a code block or comment without an end."""
    assert codes(text)[:1] == [code]


def test_a_final_version_may_rest_on_its_candidates() -> None:
    """With sections of 1.3.0rc1 an empty Unreleased is enough for 1.3.0; sections of other candidates are not."""
    text = "## [Unreleased]\n\n## [1.3.0rc1]\n\n- x\n\n## [1.2.0]\n"
    assert codes(text, present="1.3.0rc1") == []
    assert codes(text.replace("1.3.0rc1", "1.2.9rc1"), present="1.2.9rc1") == ["changelog-empty"]


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_any_text_is_read_and_every_line_kept(text: str) -> None:
    """No text makes reading fail; its lines together are the text, its sections lie in it one after the other."""
    log = read_changelog(text)
    assert "".join(log.lines) == text
    at = 0
    for section in log.sections:
        assert at <= section.start < section.body <= section.end
        at = section.end
    assert at <= len(log.lines)


@given(st.lists(PIECES, min_size=1).map("".join), st.sampled_from(["1.3.0", "1.3.0rc1"]))
def test_an_edit_that_is_not_refused_moves_lines_and_loses_none(text: str, version: str) -> None:
    """Whatever was accepted: every former line is there in its order (but for links), the section holds its text."""
    before = read_changelog(text)
    if unreleased_findings(before, version=version, present="1.2.0"):
        return
    after = read_changelog(released(text, version=version))
    if not before.filled(before.unreleased[0]):
        assert len(after.of(version)) <= 1
        return
    (made,) = after.of(version)
    texts = [after.text(made), before.text(before.unreleased[0])]
    told = [[line for line in text.splitlines() if "compare" not in line] for text in texts]
    assert told[0] == told[1]
    left = iter([line.rstrip("\r\n") for line in after.lines])
    kept = [line.rstrip("\r\n") for line in before.lines if "compare" not in line]
    assert all(any(line == other for other in left) for line in kept if line.strip())
