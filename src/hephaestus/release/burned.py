"""Names that an index has refused for ever: the only thing about a release that an index can be asked by trying alone.

No page of an index tells that a file was there and has been deleted. What it answered once is kept beside the
receipts, so that nothing is sent again to be refused again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hephaestus.release.directory import BURNED, ReleaseDirectory
from hephaestus.release.files import write_text

__all__ = ["burned_names", "remember_burned"]


def burned_names(directory: ReleaseDirectory, index: str) -> dict[str, str]:
    """The file names that ``index`` has refused as used before, with the day it said so.

    A note that is missing or cannot be read says nothing: then the index says it again.
    """
    return _read(directory).get(index, {})


def remember_burned(directory: ReleaseDirectory, index: str, filename: str, *, now: datetime) -> None:
    """Keep what ``index`` answered at ``now``. Raises NotWritableError."""
    known = _read(directory)
    day = now.astimezone(UTC).date().isoformat()
    data = {"schema": 1, "burned": {**known, index: {**known.get(index, {}), filename: day}}}
    write_text(directory.path / BURNED, json.dumps(data, indent=1, sort_keys=True) + "\n")


def _read(directory: ReleaseDirectory) -> dict[str, dict[str, str]]:
    try:
        data = json.loads((directory.path / BURNED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    burned = data.get("burned") if isinstance(data, dict) and data.get("schema") == 1 else None
    if not isinstance(burned, dict):
        return {}
    return {
        index: {name: day for name, day in names.items() if isinstance(day, str)}
        for index, names in burned.items()
        if isinstance(names, dict)
    }
