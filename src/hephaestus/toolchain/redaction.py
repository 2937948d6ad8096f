"""Redaction: secrets travel in environments only, and are taken out of whatever is shown or kept all the same."""

from __future__ import annotations

import re

__all__ = ["redact"]

# The shapes that facts/github-actions.md (section 13) lists: PyPI tokens, JWTs, GitHub tokens, URL userinfo.
_SECRETS = re.compile(
    r"pypi-[A-Za-z0-9_-]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|(?i:(?<=bearer )|(?<=authorization: basic ))[A-Za-z0-9._~+/=-]{12,}"
)


def redact(text: str) -> str:
    """``text`` with everything that looks like a token, a JWT or a password in a URL replaced by asterisks."""
    return _SECRETS.sub("***", text)
