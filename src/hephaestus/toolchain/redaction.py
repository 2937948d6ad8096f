"""Redaction: secrets travel in environments only, and are taken out of whatever is shown or kept all the same."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

from hephaestus.release.redaction import STRUCK, without_secrets

__all__ = ["redact", "shown"]

#: Names of variables whose value is a secret, whatever it looks like.
_NAMES = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASS|SECRET|CREDENTIALS?|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY|PAT)\Z",
    re.IGNORECASE,
)
#: Control signs (C0 without line end and tab, C1), separators of lines, marks of direction, lone surrogates.
_MOVING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
#: A shorter value may be a word of any text: GitHub Actions masks such too, and makes logs unreadable by it.
_SHORTEST = 8


def redact(text: str, *, environ: Mapping[str, str] | None = None) -> str:
    """``text`` with every secret replaced by asterisks: by its shape, and by its value where we hold it.

    The values are those of the variables of this process, and of ``environ``, that are named as secrets are
    (``*_TOKEN``, ``*_PASSWORD`` ...), and the passwords of addresses in any variable; as they are, percent-encoded,
    escaped, and in base64 of anything that holds them.
    """
    for form in _forms_of(frozenset((*_values(os.environ), *_values(environ or {})))):
        text = text.replace(form, STRUCK)
    return without_secrets(text)


def shown(text: str) -> str:
    """``redact``, for a terminal: no sign that moves it, hides text or turns its direction, but line ends and tabs."""
    return _MOVING.sub("\N{REPLACEMENT CHARACTER}", redact(text).replace("\r\n", "\n"))


def _values(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if _NAMES.search(name):
            # A key of several lines is printed line by line.
            yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST)
        elif "://" in value and "@" in value:
            yield from (password for word in value.split() for password in _passwords(word))


def _passwords(address: str) -> Iterator[str]:
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return
    yield from {one for one in (password, unquote(password)) if len(one) >= _SHORTEST}


@functools.lru_cache(maxsize=8)
def _forms_of(values: frozenset[str]) -> tuple[str, ...]:
    """Every form of every value, the longest first."""
    return tuple(sorted({form for value in values for form in _forms(value)}, key=len, reverse=True))


def _forms(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogateescape")
    yield from (value, quote(raw), quote(raw, safe=""), quote_plus(raw), json.dumps(value)[1:-1], repr(value)[1:-1])
    for before in range(3):
        # The characters of base64 that these bytes alone decide, at each of the three places they can stand at.
        first, last = (before * 8 + 5) // 6, (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + raw).decode("ascii")[first:last]
