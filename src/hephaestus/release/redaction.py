"""The shapes of secrets, and their removal from text that is shown or kept."""

from __future__ import annotations

import re

__all__ = ["STRUCK", "without_secrets"]

STRUCK = "***"
"""What stands where a secret stood."""

#: Facts: github-actions, section 13 lists the kinds. A token of PyPI's holds a digit or a capital; that tells one from
#: a name such as ``pypi-attestations-of-something``.
_SHAPES = (
    r"pypi-(?=[A-Za-z0-9_-]{0,99}[A-Z0-9])[A-Za-z0-9_-]{16,}",
    # A JSON Web Token, with what it is glued to: three parts, five when encrypted; a header alone is no secret, a
    # cut-off token may be one. That a dot follows is looked at first, or hostile text would take for ever.
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]{8,}+\.)[A-Za-z0-9_-]*?eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*){1,4}",
    r"gh[oprsu]_[A-Za-z0-9_]{6,}(?:\.[A-Za-z0-9_-]{8,})*",
    r"github_pat_[A-Za-z0-9_]{16,}",
    # Base64 of `__token__:...`, `pypi-...` and `eyJ...`: what Basic headers and encoded dumps hold.
    r"(?<![A-Za-z0-9+/])(?:X190b2tlbl9fO|cHlwaS[0-3]|ZXlK)[A-Za-z0-9+/_-]{12,}={0,2}",
    # User and password of an address, also percent-encoded as a whole; the user of git over ssh is no secret.
    r"(?<=://)(?!git@)[^/\s\"<>]+(?=@)",
    r"(?i:(?<=%3a%2f%2f))[^/\s&\"<>]{1,999}?(?i:(?=%40))",
    # The schemes of the Authorization header, wherever they stand: English words are left alone.
    r"(?i:(?<=\bbearer )|(?<=\bbasic ))(?=[A-Za-z0-9._~+/=-]*(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{8,}",
    # What a tool tells GitHub Actions to mask stands in clear in the very line that says so.
    r"(?<=::add-mask::)\S+",
)
_SECRETS = re.compile("|".join(_SHAPES))
_HEADER = re.compile(r"(?i:(\bauthorization[\"']?\s*[:=]\s*b?[\"']?(?:basic|bearer|token)\s+))[^\s\"']+")


def without_secrets(text: str) -> str:
    """``text`` without what looks like a token, a JWT, a password in an address or an Authorization header."""
    return _HEADER.sub(rf"\g<1>{STRUCK}", _SECRETS.sub(STRUCK, text))
