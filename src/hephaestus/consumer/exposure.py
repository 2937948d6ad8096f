"""Who else can change what lies in a folder: what was proven there would no longer be what is installed."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["exposed", "exposure_of", "ours"]


def exposed(path: Path) -> str:
    """Why others than this user could exchange what lies in the folder ``path``; empty when nobody can.

    Always empty on Windows, where modes say nothing. Raises OSError.
    """
    told, why = path.stat(), ""
    if sys.platform != "win32":
        why = exposure_of(told, user=os.geteuid(), alone=_alone)
    return why


def exposure_of(told: os.stat_result, *, user: int, alone: Callable[[int], bool]) -> str:
    """The same, of a folder's owner and mode; ``alone`` is whether a group (its id) has no member but this user.

    Who can write to a folder can rename what is in it, private folders included, unless it is sticky. Its owner and
    the administrator always can.
    """
    if told.st_uid not in (user, 0):
        return "belongs to another user"
    if told.st_mode & stat.S_ISVTX:
        return ""
    if told.st_mode & stat.S_IWOTH:
        return "can be written to by every user"
    if told.st_mode & stat.S_IWGRP and not alone(told.st_gid):
        return "can be written to by other users of its group"
    return ""


def ours(path: Path) -> bool:
    """Whether this user made what lies there, links taken for themselves; always on Windows. Raises OSError."""
    return sys.platform == "win32" or path.lstat().st_uid == os.geteuid()


def _alone(group: int) -> bool:
    """Whether it is the user's private group, as many systems make one for each user, with umask 002."""
    alone = False
    if sys.platform != "win32":
        import grp
        import pwd

        with contextlib.suppress(KeyError):
            found, name = grp.getgrgid(group), pwd.getpwuid(os.geteuid()).pw_name
            alone = found.gr_name == name and set(found.gr_mem) <= {name}
    return alone
