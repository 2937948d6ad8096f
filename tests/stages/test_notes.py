"""Release notes: the right section of a changelog, whatever it looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages.releases import VERSION
from stages.standins import Scene

from hephaestus.stages.notes import _section, release_notes


@pytest.mark.parametrize(
    "heading", ["## [1.2.3]", "## 1.2.3", "## [v1.2.3]", "## v1.2.3 - 2026-01-02", "## [1.2.3] - x"]
)
def test_a_section_is_found_however_its_version_is_written(heading: str) -> None:
    """With and without brackets, v and date; up to the next version, lower headings included."""
    text = f"# Changelog\n\n## [Unreleased]\n\n- later\n\n{heading}\n\n### Fixed\n\n- it\n\n## [1.2.2]\n\n- old\n"
    assert _section("1.2.3", text) == "### Fixed\n\n- it"


@pytest.mark.parametrize(
    "heading", ["## [1.2.30]", "## [11.2.3]", "## [1.2.3rc1]", "## [1x2x3]", "### [1.2.3]", "1.2.3"]
)
def test_another_version_is_not_taken_for_ours(heading: str) -> None:
    """A version that only begins or ends like ours, and a dot that is none, are other versions."""
    assert _section("1.2.3", f"{heading}\n\n- it\n") == ""


@given(st.text(), st.text(alphabet="0123456789.rc+!", min_size=1))
def test_any_changelog_is_read(changelog: str, version: str) -> None:
    """No changelog and no version makes it fail."""
    assert isinstance(_section(version, changelog), str)


@pytest.mark.parametrize("content", [None, b"", b"# Changelog\n", b"\xff\xfe broken"])
def test_without_a_section_the_notes_still_say_what_is_released(scene: Scene, content: bytes | None) -> None:
    """No changelog, an empty one, one without the version, one that is no UTF-8: the version and every digest."""
    path = scene.root / "CHANGELOG.md"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    notes = release_notes(scene.context("verify"))
    assert notes.startswith(f"Release {VERSION}.")
    assert all(digest in notes for digest in scene.digests.values())
