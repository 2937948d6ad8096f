"""Notes since the last stable version: from the changelog's sections, or from commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.release.changelog import read_changelog
from hephaestus.release.notes import Commit, changes_in, grouped, last_stable, shortened

LOG = """\
# Changelog

## [Unreleased]

- later

## [1.3.0] - 2026-03-03

### Fixed

- A last thing.
- Said twice.

## [1.3.0rc2] - 2026-02-02

Mind the [guide].

### Added

- A second thing
  of two lines.

### Fixed

- Said twice.

## [1.3.0rc1] - 2026-02-01

### Added

- A first thing:

  ```toml
  ### no = "group"
  ```

## [1.2.0] - 2026-01-01

- old

[guide]: https://example.org/guide
[1.2.0]: https://example.org/1.2.0
"""


def told(version: str, log: str = LOG) -> str:
    """What the changelog says of a version."""
    return changes_in(read_changelog(log), version)


def commits(*subjects: str) -> list[Commit]:
    """Commits with these first lines, newest first."""
    return [Commit(id=f"{number:040x}", subject=subject) for number, subject in enumerate(subjects)]


def test_a_final_version_tells_what_its_candidates_brought() -> None:
    """1.3.0 holds rc1, rc2 and its own, one group each, what is said twice once; nothing of 1.2.0 or later."""
    assert told("1.3.0") == (
        "### Fixed\n\n- A last thing.\n- Said twice.\n\n"
        "Mind the [guide].\n\n"
        "### Added\n\n- A second thing\n  of two lines.\n"
        '- A first thing:\n\n  ```toml\n  ### no = "group"\n  ```\n\n'
        "[guide]: https://example.org/guide"
    )


def test_a_candidate_tells_everything_since_the_last_stable_version() -> None:
    """1.3.0rc2 holds rc1 too; rc1 its own section, word for word."""
    assert "A first thing" in told("1.3.0rc2")
    assert "A last thing" not in told("1.3.0rc2")
    assert told("1.3.0rc1").startswith("### Added\n\n- A first thing:")
    assert "second" not in told("1.3.0rc1")


def test_one_section_is_told_word_for_word() -> None:
    """A version without candidates: its section as it is written, whatever groups it has."""
    text = "Words.\n\n### Anything\n\n1. one\n2. two\n\n> quoted\n\n    code"
    assert told("2.0", f"## [2.0]\n\n{text}\n\n## [1.0]\n") == text


@pytest.mark.parametrize("version", ["1.1.0", "1.3.1", "9"])
def test_a_version_without_a_section_is_told_nothing(version: str) -> None:
    """Unreleased lines, and those of other versions, are nobody's."""
    assert told(version) == ""


def test_an_older_series_is_told_its_own() -> None:
    """1.2.1, written above 1.3.0's candidates, holds none of them."""
    log = LOG.replace("## [1.3.0] -", "## [1.2.1]\n\n- mended\n\n## [1.3.0] -")
    assert told("1.2.1", log) == "- mended"


def test_a_final_version_without_a_section_still_tells_its_candidates() -> None:
    """Nothing was written since rc2: 1.3.0's own section is empty, the candidates' are told."""
    empty = LOG.replace("### Fixed\n\n- A last thing.\n- Said twice.\n\n## [1.3.0rc2]", "## [1.3.0rc2]")
    assert told("1.3.0", empty) == told("1.3.0rc2", empty)


@given(st.text(), st.sampled_from(["1.3.0", "1.3.0rc1", "2!1"]))
def test_any_changelog_is_read(text: str, version: str) -> None:
    """No text makes it fail, alone or joined with sections of candidates."""
    assert isinstance(told(version, text), str)
    told("1.3.0", f"## [1.3.0]\n\n{text}\n\n## [1.3.0rc1]\n\n{text}\n")


@given(st.lists(st.sampled_from(["1.0", "v1.1", "1.1rc1", "2.0.dev1", "v2.0rc1", "2.0", "latest", "v1.0.post1"])))
def test_the_last_stable_version_is_stable_and_before(known: list[str]) -> None:
    """Of any tags: the newest that is neither a candidate nor the version itself, as it is written."""
    found = last_stable("2.0", {word: None if word == "latest" else Version(word) for word in known})
    stable = [word for word in known if word in ("1.0", "v1.1", "v1.0.post1")]
    assert found in stable if stable else found == ""
    assert all(Version(found) >= Version(word) for word in stable)


def test_conventional_commits_are_grouped_and_developers_ones_left_out() -> None:
    """feat, fix and breaking ones under their headings, scopes kept, chores out, plain ones at the end."""
    text = grouped(
        [
            *commits("feat(api)!: rename all", "feat: a thing", "fix: that", "chore: tidy", "docs: say", "Plain words"),
            Commit(id="f" * 40, subject="fix: other", breaking=True),
        ],
        since="v1.2.0",
    )
    assert text == (
        "Commits since v1.2.0:\n\n"
        "### Breaking\n\n- **api**: rename all (0000000)\n- other (fffffff)\n\n"
        "### Added\n\n- a thing (0000000)\n\n### Fixed\n\n- that (0000000)\n\n"
        "### Documentation\n\n- say (0000000)\n\n### Other\n\n- Plain words (0000000)"
    )


def test_plain_commits_are_one_list_with_links() -> None:
    """Without conventions: one list, newest first; each with a link where the repository is known."""
    text = grouped(commits("One", "Two: a thing", "wip: three"), repository="o/r")
    assert text.splitlines()[0] == f"- One ([0000000](https://github.com/o/r/commit/{0:040x}))"
    assert [line.split(" (")[0] for line in text.splitlines()] == ["- One", "- Two: a thing", "- wip: three"]


def test_developers_commits_are_told_when_there_are_no_others() -> None:
    """A release of chores alone says so instead of nothing."""
    assert grouped(commits("ci: faster", "chore: tidy")) == "- faster (0000000)\n- tidy (0000000)"
    assert grouped([]) == ""


def test_a_subject_can_name_nobody_and_write_no_html() -> None:
    """`@name` would notify somebody, `<tag>` would vanish: both are made plain text."""
    line = grouped(commits("Thank @someone for <script>"))
    assert "@someone" not in line
    assert "<script>" not in line


@given(st.text(alphabet="ab`\n ", max_size=400), st.integers(80, 200))
def test_shortened_text_keeps_its_limit_and_says_where_the_rest_is(text: str, limit: int) -> None:
    """Never longer than allowed; whole when it fits; else with the link, outside of any code block."""
    short = shortened(text, limit=limit, link="https://x.org/rest")
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    else:
        assert short.endswith("https://x.org/rest")


def test_a_cut_code_block_is_closed() -> None:
    """The link below a cut code block is a link, not code."""
    short = shortened("intro\n\n```\n" + "code\n" * 100, limit=200, link="https://x.org/rest")
    assert short.count("```") == 2
    assert short.index("https://") > short.rindex("```")
