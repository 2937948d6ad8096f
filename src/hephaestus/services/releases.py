"""GitHub releases and their assets as data, read strictly from the API's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hephaestus.services.errors import AnswerInvalid
from hephaestus.services.refusals import AssetNameRefused, NotesTooLong

__all__ = ["NOTES_LIMIT", "Asset", "AssetReport", "Release", "TagTarget", "check_asset", "check_notes", "field"]

NOTES_LIMIT = 125_000
"""Characters of release notes GitHub takes (facts: github-actions, section 2)."""

#: What GitHub keeps as it is: `~` becomes a dot, `+` does not (softprops/action-gh-release#159, azure-pipelines-tasks
#: #14275); of `@` reports differ, so none is sent.
_ASSET = re.compile(r"[A-Za-z0-9_+-](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?\Z")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class TagTarget:
    """Where a tag leads: its ``commit``, and whether it is ``annotated``, with an object of its own on the way."""

    commit: str
    annotated: bool


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One asset. ``sha256`` is None where the API gives no digest; ``uploaded`` is False for a broken transfer's."""

    id: int
    name: str
    size: int
    uploaded: bool
    sha256: str | None
    url: str

    @classmethod
    def read(cls, data: Any, *, url: str) -> Asset:
        """Read the API's JSON; raises AnswerInvalid naming the field."""
        digest = data.get("digest") if isinstance(data, dict) else None
        match = _DIGEST.match(digest) if isinstance(digest, str) else None
        if digest is not None and match is None and str(digest).startswith("sha256:"):
            raise AnswerInvalid(url=url, defect=f"asset field 'digest' is {digest!r}")
        return cls(
            id=field(data, "id", int, url=url),
            name=field(data, "name", str, url=url),
            size=field(data, "size", int, url=url),
            uploaded=field(data, "state", str, url=url) == "uploaded",
            sha256=match[1] if match else None,
            url=field(data, "browser_download_url", str, url=url),
        )


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release. ``url`` is its page; ``immutable`` says that its assets can never change again.

    ``published`` is None for drafts.
    """

    id: int
    tag: str
    name: str
    notes: str
    draft: bool
    prerelease: bool
    immutable: bool
    url: str
    assets: tuple[Asset, ...]
    published: datetime | None = None

    @classmethod
    def read(cls, data: Any, *, url: str) -> Release:
        """Read the API's JSON; raises AnswerInvalid naming the field."""
        assets = field(data, "assets", list, url=url)
        return cls(
            id=field(data, "id", int, url=url),
            tag=field(data, "tag_name", str, url=url),
            name=data.get("name") or "",
            notes=data.get("body") or "",
            draft=field(data, "draft", bool, url=url),
            prerelease=field(data, "prerelease", bool, url=url),
            immutable=data.get("immutable") is True,
            url=field(data, "html_url", str, url=url),
            assets=tuple(Asset.read(asset, url=url) for asset in assets),
            published=_moment(data.get("published_at"), url=url),
        )

    def asset(self, name: str) -> Asset | None:
        """The asset of that name."""
        return next((asset for asset in self.assets if asset.name == name), None)


@dataclass(frozen=True, kw_only=True)
class AssetReport:
    """What a release holds against what it is to hold.

    ``different`` maps a name to its digest (expected, found); ``incomplete`` are rests of broken transfers;
    ``foreign`` are assets nobody asked for.
    """

    matching: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    different: Mapping[str, tuple[str, str]]
    foreign: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every asset is there with the right bytes; foreign ones do not count against it."""
        return not (self.missing or self.incomplete or self.different)

    @classmethod
    def compare(cls, found: Mapping[str, str | None], expected: Mapping[str, str]) -> AssetReport:
        """Compare digests by name; ``found`` gives None for an incomplete asset."""
        there: Sequence[str] = [name for name in expected if name in found]
        return cls(
            matching=tuple(name for name in there if found[name] == expected[name]),
            missing=tuple(name for name in expected if name not in found),
            incomplete=tuple(name for name in there if found[name] is None),
            different={
                name: (expected[name], digest)
                for name in there
                if (digest := found[name]) is not None and digest != expected[name]
            },
            foreign=tuple(name for name in found if name not in expected),
        )


def field(data: Any, name: str, kind: type[_Value], *, url: str) -> _Value:
    """The field ``name`` of a JSON object, of just that type; raises AnswerInvalid."""
    if not isinstance(data, dict):
        raise AnswerInvalid(url=url, defect=f"a JSON object was expected, not {type(data).__name__}")
    value = data.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise AnswerInvalid(url=url, defect=f"field {name!r} is {type(value).__name__}, not {kind.__name__}")
    return value


def _moment(value: Any, *, url: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise AnswerInvalid(url=url, defect=f"field 'published_at' is {value!r}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def check_notes(notes: str) -> None:
    """Raise NotesTooLong for notes that GitHub would refuse."""
    if len(notes) > NOTES_LIMIT:
        raise NotesTooLong(length=len(notes), limit=NOTES_LIMIT)


def check_asset(path: Path, *, unique: bool) -> None:
    """Raise AssetNameRefused for a file that cannot be an asset under its own name."""
    if not unique:
        raise AssetNameRefused(name=path.name, reason="two files have that name")
    if not _ASSET.match(path.name):
        raise AssetNameRefused(name=path.name, reason="it has characters that GitHub changes")
    if path.is_symlink() or not path.is_file() or path.stat().st_size == 0:
        raise AssetNameRefused(name=path.name, reason="it is not a regular file with content")
