"""Where this suite keeps what it can make or fetch again: the user's cache, as each platform has it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["named_folder", "user_cache"]


def user_cache(environ: Mapping[str, str]) -> Path:
    """The platform's place for it (facts: consumers, section 3); a relative XDG_CACHE_HOME is none, as XDG has it."""
    if sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        given = Path(environ.get("XDG_CACHE_HOME", ""))
        base = given if given.is_absolute() else Path.home() / ".cache"
    return base / "hephaestus"


def named_folder(environ: Mapping[str, str], variable: str) -> Path | None:
    """The folder that ``variable`` names, absolute, ``~`` being the user's; None where it names none."""
    given = environ.get(variable)
    return Path(given).expanduser().absolute() if given else None
