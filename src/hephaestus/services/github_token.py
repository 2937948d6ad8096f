"""Where GitHub's token is read from: the two variables that GitHub's own tools read."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["GITHUB_TOKENS", "github_token"]

#: The first that is set counts: a workflow's own token is given as the first, ``gh`` reads both.
GITHUB_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")


def github_token(environ: Mapping[str, str]) -> str:
    """The token in ``environ``, as it stands there: a blank one is for the client to refuse. ``""`` without one."""
    return next((environ[name] for name in GITHUB_TOKENS if environ.get(name)), "")
