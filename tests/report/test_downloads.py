"""Download counts as people, programs and browsers get them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.report.downloads import downloads_data, downloads_svg, render_downloads, weeks
from hephaestus.services.downloads import Downloads

SVG = "{http://www.w3.org/2000/svg}"
MONDAY = date(2026, 11, 2)


def counted(daily: dict[date, int], *, name: str = "tiny-thing") -> Downloads:
    """Counts with those days."""
    return Downloads(
        name=name, last_day=1, last_week=2, last_month=1234, daily=daily,
        by_python={"3": 90, "unknown": 10}, by_system={},
    )  # fmt: skip


def test_weeks_begin_on_monday_and_none_is_left_out() -> None:
    """Sunday belongs to the week before, and a week without a download is a zero, not a gap."""
    found = weeks({MONDAY: 1, MONDAY + timedelta(days=6): 2, MONDAY + timedelta(days=14): 4})
    assert found == {MONDAY: 3, MONDAY + timedelta(days=7): 0, MONDAY + timedelta(days=14): 4}
    assert weeks({}) == {}


def test_the_table_and_the_bars() -> None:
    """Counts, shares in percent, and bars in proportion to the largest week."""
    shown = render_downloads(counted({MONDAY: 200, MONDAY + timedelta(days=7): 50}), source="pypistats.org")
    assert "as pypistats.org counts them" in shown
    assert "  last month          1,234" in shown
    assert "3                    90   90.0 %" in shown
    assert shown.count("#") == 50
    assert f"{MONDAY}  {'#' * 40} 200" in shown


def test_nothing_counted_is_said() -> None:
    """No day at all draws no bar and divides by nothing."""
    shown = render_downloads(counted({}), source="x")
    assert shown.count("    none") == 2
    assert "#" not in shown


@given(st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 6, 30)), st.integers(0, 10**9), max_size=40))
def test_the_picture_is_whole_whatever_was_counted(daily: dict[date, int]) -> None:
    """Well-formed SVG, one bar a week, all within the picture; the same counts give the same bytes."""
    downloads = counted(daily)
    text = downloads_svg(downloads, source="pypistats.org")
    assert text == downloads_svg(downloads, source="pypistats.org")
    bars = ET.fromstring(text).findall(f"{SVG}rect")[1:]
    assert len(bars) == len(weeks(daily))
    for bar in bars:
        x, y, width, height = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= 720
        assert 0 <= y <= y + height <= 260.1
    assert sum(downloads_data(downloads, source="x")["daily"].values()) == downloads.total


def test_a_name_cannot_break_the_picture() -> None:
    """What stands in the title is escaped."""
    text = downloads_svg(counted({}, name="a<b>&c"), source='"x"')
    title = ET.fromstring(text).find(f"{SVG}title")
    assert title is not None
    assert title.text == 'a<b>&c: downloads a week, without mirrors ("x")'


@pytest.mark.parametrize("count", [1, 2, 60])
def test_at_most_half_a_year_of_bars(count: int) -> None:
    """The terminal shows the last 26 weeks; the picture shows all."""
    daily = {MONDAY + timedelta(weeks=number): 1 for number in range(count)}
    shown = render_downloads(counted(daily), source="x")
    assert sum("#" in line for line in shown.splitlines()) == min(count, 26)
