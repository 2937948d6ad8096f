"""``[tool.hephaestus.release.indexes.NAME]``: a private index that a project may be published to, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["PUBLIC_INDEXES", "IndexConfig", "index_problems"]

#: The public indexes a release goes to, in its order, as people call them.
PUBLIC_INDEXES: Mapping[str, str] = {"testpypi": "Test PyPI", "pypi": "PyPI"}

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")
#: So that the variable is withheld from every child and its value struck from all output (toolchain/redaction.py).
_TOKEN_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_(?:TOKEN|PASSWORD)\Z")
#: The variables of other services: their values are for these services alone.
_OTHERS = ("GH_TOKEN", "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "PYPI_ID_TOKEN", "TESTPYPI_ID_TOKEN",
           "SIGSTORE_ID_TOKEN")  # fmt: skip
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """One private index.

    ``upload_url`` is what twine is told as ``--repository-url``; ``simple_url`` is the root of the pages that
    installers read (PEP 503, PEP 691). ``username`` goes with the token, which stands in the environment variable
    ``token_variable`` and nowhere else.
    """

    upload_url: str = ""
    simple_url: str = ""
    username: str = "__token__"
    token_variable: str = "HEPHAESTUS_INDEX_TOKEN"  # noqa: S105 - the name of a variable


def index_problems(name: str, index: IndexConfig) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with an index of that name: its key (empty: the table itself), and the problem."""
    if name in PUBLIC_INDEXES:
        yield "", "has the name of a public index; that one is published to by the workflow, without any token"
    elif not _NAME.match(name):
        yield "", "must be named in lower case: a letter, then letters, digits and hyphens, 40 at most"
    for key, url in (("upload-url", index.upload_url), ("simple-url", index.simple_url)):
        if problem := _address_problem(url):
            yield key, problem
    if not re.fullmatch(r"[!-9;-~]+", index.username):
        yield "username", "must be printable ASCII without white space and without a colon"
    if not _TOKEN_VARIABLE.match(index.token_variable):
        yield "token-variable", "must be upper case and end in _TOKEN or _PASSWORD, so that its value is never shown"
    elif index.token_variable in _OTHERS:
        yield "token-variable", "is the variable of another service, whose credential must not be sent to this index"


def _address_problem(url: str) -> str:
    """What keeps ``url`` from being an index's address, or an empty string; a password in it is not repeated."""
    if not url:
        return "is missing"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no address"
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        return "holds white space or control characters"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password; the token is taken from the environment alone"
    if not host or parts.scheme not in ("https", "http"):
        return "must be an address, https://HOST/..."
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "must be https; http is taken on this machine's loopback only"
    if parts.query or parts.fragment:
        return "must be an address without a query and without a fragment"
    name = host.rstrip(".").lower()
    if name == "pypi.org" or name.endswith((".pypi.org", ".python.org")):
        return "is a public index; that one is published to by the workflow, without any token"
    return ""
