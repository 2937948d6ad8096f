"""Where a publish finds its services: the public ones, or - to rehearse the workflow itself - stand-ins.

The workflow can only be tried whole before the first tag if its very jobs, with the checks of a publish, can be led to
stand-ins. ``HEPHAESTUS_SERVICES`` names a JSON file for that; nothing but this machine's loopback is accepted in it,
so it can send a release nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hephaestus.release.errors import ReleaseError
from hephaestus.worlds.children import LOOPBACK

__all__ = [
    "GITHUB_API_URL",
    "GITHUB_UPLOADS_URL",
    "PUBLIC",
    "PYPI_URL",
    "SERVICES_VARIABLE",
    "TEST_PYPI_URL",
    "Addresses",
    "AddressesRefusedError",
    "read_addresses",
]

PYPI_URL = "https://pypi.org"
TEST_PYPI_URL = "https://test.pypi.org"
GITHUB_API_URL = "https://api.github.com"
GITHUB_UPLOADS_URL = "https://uploads.github.com"

SERVICES_VARIABLE = "HEPHAESTUS_SERVICES"


class AddressesRefusedError(ReleaseError):
    """Raised when the file of HEPHAESTUS_SERVICES cannot be read, or leads off this machine."""

    def __init__(self, *, path: Path, problems: list[str]) -> None:
        super().__init__(
            what=f"{SERVICES_VARIABLE}={path}: cannot be used",
            why="it leads a publish to stand-ins on this machine, and nowhere else",
            details=problems,
            next_step=f"unset {SERVICES_VARIABLE} to publish; in a test, let the stand-ins write the file",
        )


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The services of a publish.

    ``indexes``: base address per index, without a trailing slash. ``trust_config``: Sigstore's, None for the public
    instance through TUF. ``authority`` (a PEM file) and ``proxy`` are what stand-ins of the indexes need: twine's
    Trusted Publishing knows two host names only, so they answer under these behind a proxy (facts: pypi, section 12).
    ``propagation_seconds`` and ``poll_seconds``: how patiently the indexes are asked for what was sent.
    """

    indexes: Mapping[str, str]
    github_api: str
    github_uploads: str
    trust_config: Path | None = None
    authority: Path | None = None
    proxy: str = ""
    propagation_seconds: float = 1800.0
    poll_seconds: float = 5.0

    @property
    def public(self) -> bool:
        """Whether these are the public services."""
        return self.trust_config is None


PUBLIC = Addresses(
    indexes={"testpypi": TEST_PYPI_URL, "pypi": PYPI_URL}, github_api=GITHUB_API_URL, github_uploads=GITHUB_UPLOADS_URL
)


def read_addresses(environ: Mapping[str, str]) -> Addresses:
    """The public services, or those of the file ``HEPHAESTUS_SERVICES`` names; raises AddressesRefusedError.

    The file: ``{"schema": 1, "indexes": {"testpypi": URL, "pypi": URL}, "github": {"api": URL, "uploads": URL},
    "trust_config": PATH, "authority": PATH, "proxy": URL}``, everything on the loopback.
    """
    given = environ.get(SERVICES_VARIABLE, "")
    if not given:
        return PUBLIC
    path = Path(given)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AddressesRefusedError(path=path, problems=[f"cannot be read: {error}"]) from error
    if problems := list(_problems(told)):
        raise AddressesRefusedError(path=path, problems=problems)
    return Addresses(
        indexes={name: told["indexes"][name].rstrip("/") for name in PUBLIC.indexes},
        github_api=told["github"]["api"].rstrip("/"),
        github_uploads=told["github"]["uploads"].rstrip("/"),
        trust_config=Path(told["trust_config"]),
        authority=Path(told["authority"]),
        proxy=told["proxy"],
        # Stand-ins are asked as a rehearsal asks them: what they do not show within a minute never comes.
        propagation_seconds=60.0,
        poll_seconds=0.1,
    )


def _problems(told: Any) -> Iterator[str]:
    if not isinstance(told, dict) or told.get("schema") != 1:
        yield "is not a JSON object of schema 1"
        return
    wanted = {
        **{f"indexes.{name}": _at(told, "indexes", name) for name in PUBLIC.indexes},
        "github.api": _at(told, "github", "api"),
        "github.uploads": _at(told, "github", "uploads"),
        "proxy": told.get("proxy"),
    }
    for name, value in wanted.items():
        if not isinstance(value, str) or not _on_loopback(value):
            yield f"{name} is {value!r}, which is not on this machine's loopback"
    for name in ("trust_config", "authority"):
        if not isinstance(told.get(name), str) or not Path(told[name]).is_file():
            yield f"{name} names no file"
    yield from _signing_elsewhere(told)


def _signing_elsewhere(told: Mapping[str, Any]) -> Iterator[str]:
    from hephaestus.worlds.rehearsal import trust_off_loopback

    if isinstance(told.get("trust_config"), str):
        yield from trust_off_loopback(Path(told["trust_config"]))


def _at(told: Mapping[str, Any], *names: str) -> Any:
    value: Any = told
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _on_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname in LOOPBACK and parts.username is None
