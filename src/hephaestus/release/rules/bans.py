"""Names under which no project can be made on PyPI: those of Python's own library, and those that are banned."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name

__all__ = ["is_banned", "is_stdlib"]

#: What people type who forget `pip install -r`. Administrators ban further names, and publish no list of them
#: (PyPI's predecessor had these in its source; today they are rows of its database).
_BANNED = frozenset({"requirements-txt", "rrequirements-txt"})


def is_banned(name: str) -> bool:
    """Whether a project of that name is one that PyPI is known to let nobody make."""
    return canonicalize_name(name) in _BANNED


def is_stdlib(name: str) -> bool:
    """Whether the name is, normalised, that of a module of Python's own library, past modules and inner ones included.

    PyPI compares with every module of every Python since 2.6: `os.path` bans `os-path`, `_thread` bans `thread`.
    """
    return canonicalize_name(name) in _stdlib()


@cache
def _stdlib() -> frozenset[str]:
    lines = (Path(__file__).parent / "stdlib_names.txt").read_text(encoding="utf-8").splitlines()
    known = {name for line in lines if not line.startswith("#") for name in line.split()}
    return frozenset(known | {canonicalize_name(name.strip("-_.")) for name in sys.stdlib_module_names})
