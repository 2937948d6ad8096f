"""uv.lock: the one line in which it repeats the version of the project itself."""

from __future__ import annotations

import re

__all__ = ["with_own_version"]


def with_own_version(content: bytes, *, name: str, former: str, version: str) -> bytes:
    """The lock with ``version`` for the package ``name`` that is the project itself; as it is where there is none.

    The project itself is the entry whose source is its own folder (``editable`` or ``virtual``, at ``.``): a package
    of the same name from an index keeps its version.
    """
    own = re.compile(
        rb'(^\[\[package\]\]\r?\nname = "%s"\r?\nversion = ")%s(?="\r?\nsource = \{ (?:editable|virtual) = "\." \})'
        % (re.escape(name.encode()), re.escape(former.encode())),
        re.MULTILINE,
    )
    return own.sub(lambda match: match[1] + version.encode(), content)
