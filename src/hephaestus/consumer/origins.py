"""Where everything that was installed came from: pip's own report, held against what the index serves."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from packaging.utils import canonicalize_name

from hephaestus.consumer.pip_errors import Tampered
from hephaestus.release.errors import Finding, Severity

__all__ = ["Installed", "Served", "origin_of", "prove_origins", "read_lock_origins", "read_report", "yanked_findings"]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One distribution of an installation report: where it came from and what it is."""

    name: str
    version: str
    url: str
    sha256: str
    direct: bool
    yanked: bool


@dataclass(frozen=True, kw_only=True)
class Served:
    """The release's files as the index serves them: file name to address and SHA-256 (hex).

    ``trial``: the index is one for trying, like Test PyPI, where anyone may register any name.
    """

    urls: Mapping[str, str]
    digests: Mapping[str, str]
    simple_url: str
    index: str
    trial: bool = True

    def pinned(self, file: str) -> str:
        """The address of a file with its digest, as an installer takes it."""
        return f"{self.urls[file]}#sha256={self.digests[file]}"

    @property
    def origins(self) -> frozenset[tuple[str, str]]:
        """Scheme and authority of everything that belongs to this index."""
        return frozenset(origin_of(url) for url in (self.simple_url, *self.urls.values()))


def read_report(path: Path) -> list[Installed]:
    """Read the file that ``pip install --report`` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for entry in data["install"]:
        download = entry["download_info"]
        archive = download.get("archive_info") or {}
        found.append(
            Installed(
                name=canonicalize_name(entry["metadata"]["name"]),
                version=entry["metadata"]["version"],
                url=download["url"],
                sha256=(archive.get("hashes") or {}).get("sha256", ""),
                direct=bool(entry.get("is_direct")),
                yanked=bool(entry.get("is_yanked")),
            )
        )
    return found


def read_lock_origins(path: Path) -> list[Installed]:
    """Read a lock (PEP 751) the same way: where each package of it comes from."""
    found = []
    for package in tomllib.loads(path.read_text(encoding="utf-8")).get("packages", []):
        direct = package.get("archive")
        source = direct or next(iter(package.get("wheels", [])), None) or package.get("sdist") or {}
        found.append(
            Installed(
                name=canonicalize_name(package["name"]),
                version=str(package.get("version", "")),
                url=str(source.get("url", "")),
                sha256=str(source.get("hashes", {}).get("sha256", "")),
                direct=direct is not None,
                yanked=False,
            )
        )
    return found


def prove_origins(
    installed: Sequence[Installed],
    served: Served,
    *,
    file: str,
    name: str,
    origin: str,
    digest: str,
    place: str,
    there: bool = False,
) -> list[Finding]:
    """Ours (``name``) came from ``origin`` with ``digest``; nothing else came from an index that is for trying only.

    An empty ``digest`` is not compared (a wheel that was built here from the released sdist). ``there``: the version
    was installed before, so that ours may be left as it was. Raises Tampered.
    """
    findings = []
    ours = [one for one in installed if one.name == name]
    if there and not ours:
        pass
    elif [(urldefrag(one.url)[0], one.direct) for one in ours] != [(origin, True)]:
        found = ", ".join(one.url for one in ours) or "nothing"
        message = f"pip's report says it came from {found}, not from {origin}"
        findings.append(Finding(code="foreign-origin", subject=f"{name} on {place}", message=message))
    elif digest and ours[0].sha256 != digest:
        details = [f"released {digest}, installed {ours[0].sha256 or 'without a hash'}"]
        raise Tampered(subject=file, source=served.index, details=details)
    for one in installed:
        if served.trial and one.name != name and origin_of(one.url) in served.origins:
            message = f"came from {one.url}: anyone may register any name there, so this may be anybody's code"
            remedy = "take that index out of pip's configuration (index-url, extra-index-url)"
            subject = f"{one.name} {one.version} on {place}"
            findings.append(Finding(code="dependency-confusion", subject=subject, message=message, remedy=remedy))
    return findings


def yanked_findings(installed: Sequence[Installed], *, place: str) -> list[Finding]:
    """A warning for each distribution that its index has yanked."""
    return [
        Finding(
            code="yanked",
            subject=f"{one.name} {one.version} on {place}",
            message="has been yanked from its index; only the exact pin lets it in",
            remedy="widen the requirement",
            severity=Severity.WARNING,
        )
        for one in installed
        if one.yanked
    ]


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority of an address, without credentials."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()
