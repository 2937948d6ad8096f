"""Planted secrets, and the search for them: in whatever is said or kept, in every form they could hide in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["PLANTED", "URL_PASSWORD", "found", "found_below", "minted"]

URL_PASSWORD = "Planted+Pass/Word-of-URL"

#: What a person's or a job's environment may hold; every value is there to be found.
PLANTED: Mapping[str, str] = {
    "TWINE_USERNAME": "__token__",
    "TWINE_PASSWORD": "pypi-AgEIcHlwaS5vcmcCJGUyMDE5planted1",
    "PYPI_TOKEN": "pypi-AgEIcHlwaS5vcmcCJGUyMDE5planted2",
    "UV_PUBLISH_TOKEN": "pypi-AgENdGVzdC5weXBpLm9yZwIkplanted3",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "eyJhbGciOiJub25lIn0.eyJwbGFudGVkIjo0fQ.planted4planted4",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://planted5.invalid/token",
    "ACTIONS_RUNTIME_TOKEN": "eyJhbGciOiJub25lIn0.eyJwbGFudGVkIjo2fQ.planted6planted6",
    "GITHUB_TOKEN": "ghs_planted7planted7planted7planted7planted7",
    "GH_TOKEN": "github_pat_11PLANTED8_planted8planted8planted8planted8",
    "AWS_SECRET_ACCESS_KEY": "planted9/planted9+planted9",
    "MY_OWN_API_KEY": "planted 10 & planted 10",
    "SIGSTORE_ID_TOKEN": "eyJhbGciOiJub25lIn0.eyJwbGFudGVkIjoxMX0.planted11planted11",
}

#: Tokens as indexes mint them, identity tokens as issuers sign them, and the header that carries a token.
_MINTED = re.compile(
    rb"pypi-Ag[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|X190b2tlbl9fO[A-Za-z0-9+/]{8,}"
)


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield from {raw, quote(raw).encode(), quote(raw, safe="").encode(), quote_plus(raw).encode()}
    yield json.dumps(secret)[1:-1].encode()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The outer characters also depend on what stands beside the secret.
            yield encode(b"\0" * before + raw + b"\0" * 3)[4 * bool(before) : -8]


def found(content: bytes, secrets: Iterable[str]) -> list[str]:
    """Those of ``secrets`` that ``content`` holds in any form."""
    return [secret for secret in secrets if any(form in content for form in _forms(secret))]


def found_below(folder: Path, secrets: Iterable[str]) -> dict[str, list[str]]:
    """Every file below ``folder`` that holds any of ``secrets``, in its content or its name."""
    wanted = list(secrets)
    files = (path for path in folder.rglob("*") if path.is_file())
    held = {str(path): found(path.read_bytes() + path.name.encode(), wanted) for path in files}
    return {path: names for path, names in held.items() if names}


def minted(content: bytes) -> list[bytes]:
    """Whatever in ``content`` looks like a token that an index minted or an issuer signed."""
    return _MINTED.findall(content)
