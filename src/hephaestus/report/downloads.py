"""Download counts as a table, as bars in a terminal, as JSON, and as an SVG picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from xml.sax.saxutils import escape

from hephaestus.services.downloads import Downloads

__all__ = ["downloads_data", "downloads_svg", "render_downloads", "weeks"]

_BAR = 40
_WEEKS = 26
_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 40, 36


def weeks(daily: Mapping[date, int]) -> dict[date, int]:
    """Whole calendar weeks by their Monday, oldest first, those without a download too; the last may be unfinished."""
    found: dict[date, int] = {}
    for day, count in daily.items():
        monday = day - timedelta(days=day.weekday())
        found[monday] = found.get(monday, 0) + count
    if not found:
        return {}
    first, last = min(found), max(found)
    mondays = (first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1))
    return {monday: found.get(monday, 0) for monday in mondays}


def render_downloads(downloads: Downloads, *, source: str) -> str:
    """The table and a bar a week."""
    lines = ["", f"{downloads.name}   downloads without mirrors, as {source} counts them", ""]
    for label, count in (
        ("last day", downloads.last_day),
        ("last week", downloads.last_week),
        ("last month", downloads.last_month),
        (f"{len(downloads.daily)} days", downloads.total),
    ):
        lines.append(f"  {label:12} {count:>12,}")
    for label, shares in (("by Python", downloads.by_python), ("by system", downloads.by_system)):
        lines += ["", f"  {label}", *_shares(shares)]
    lines += ["", "  by week, from Monday", *_bars(weeks(downloads.daily))]
    return "\n".join([*lines, ""])


def _shares(shares: Mapping[str, int]) -> Iterator[str]:
    total = sum(shares.values())
    if not total:
        yield "    none"
    for name, count in shares.items() if total else ():
        yield f"    {name:10} {count:>12,}  {100 * count / total:5.1f} %"


def _bars(counts: Mapping[date, int]) -> Iterator[str]:
    most = max(counts.values(), default=0)
    if not most:
        yield "    none"
    for monday, count in list(counts.items())[-_WEEKS:] if most else ():
        bar = "#" * (-(-count * _BAR // most))
        yield f"    {monday}  {bar:{_BAR}} {count:,}".rstrip()


def downloads_data(downloads: Downloads, *, source: str) -> dict[str, Any]:
    """The same as JSON data, days by their ISO date."""
    return {
        "schema": 1,
        "project": downloads.name,
        "source": source,
        "mirrors": False,
        "last_day": downloads.last_day,
        "last_week": downloads.last_week,
        "last_month": downloads.last_month,
        "total": downloads.total,
        "daily": {day.isoformat(): count for day, count in downloads.daily.items()},
        "by_python": dict(downloads.by_python),
        "by_system": dict(downloads.by_system),
    }


def downloads_svg(downloads: Downloads, *, source: str) -> str:
    """A bar a week as an SVG picture that needs nothing else; the same counts give the same text."""
    counts = weeks(downloads.daily)
    most = max(counts.values(), default=0)
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    title = escape(f"{downloads.name}: downloads a week, without mirrors ({source})")
    base = _TOP + high
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" fill="#1f2328">{title}</text>',
    ]
    for share in (0.0, 0.5, 1.0) if most else (0.0,):
        y = base - high * share
        lines.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#d0d7de"/>')
        lines.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#59636e">{round(most * share):,}</text>'
        )
    step = wide / len(counts) if counts else 0.0
    for number, (monday, count) in enumerate(counts.items()):
        tall = high * count / most if most else 0.0
        lines.append(
            f'<rect x="{_LEFT + number * step + step * 0.1:.1f}" y="{base - tall:.1f}" width="{step * 0.8:.1f}" '
            f'height="{tall:.1f}" fill="#3572a5"><title>{monday}: {count:,}</title></rect>'
        )
    for monday, anchor, x in _ends(list(counts), wide):
        lines.append(f'<text x="{x}" y="{base + 20}" text-anchor="{anchor}" fill="#59636e">{monday}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _ends(mondays: list[date], wide: int) -> Iterator[tuple[date, str, int]]:
    if mondays:
        yield mondays[0], "start", _LEFT
    if len(mondays) > 1:
        yield mondays[-1], "end", _LEFT + wide
