"""Names of files that must mean the same on every system: members of archives, assets of a release."""

from __future__ import annotations

import re

__all__ = ["unfit_member_name"]

#: What wheels, lists and checksums are named with; leaves no room for folders, streams, shells or look-alikes.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*\Z")
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)")
_LONGEST = 255


def unfit_member_name(name: str) -> str | None:
    """Why ``name`` may not be a flat member's, ready to follow "it"; None when it may."""
    if "/" in name or "\\" in name or name in ("", ".", ".."):
        return "is not a plain file name"
    if len(name) > _LONGEST:
        return f"has a name of more than {_LONGEST} characters"
    if not _PLAIN.match(name) or name.endswith("."):
        return "has a name with characters that do not mean the same on every system"
    if _DEVICE.match(name):
        return "is named like a device of Windows"
    return None
