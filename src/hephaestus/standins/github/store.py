"""What the GitHub stand-in keeps on disk: one repository's refs, releases and assets."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hephaestus.standins.github.policy import Policy

__all__ = ["Repository", "Store", "StoredAsset", "StoredRelease", "tag_object_sha"]


@dataclass(kw_only=True)
class StoredAsset:
    """One asset. ``state`` is ``uploaded`` or, after a transfer that broke, ``starter``.

    ``key`` is the unguessable part of the download address: it stands for the signature of the real one.
    ``digest`` is empty when this answer is to leave the field out.
    """

    id: int
    name: str
    label: str | None
    content_type: str
    size: int
    digest: str
    state: str
    created: float
    key: str


@dataclass(kw_only=True)
class StoredRelease:
    """One release, draft or published. Times are seconds since the epoch."""

    id: int
    tag: str
    target: str
    name: str | None
    body: str | None
    draft: bool
    prerelease: bool
    created: float
    published: float | None = None
    immutable: bool = False
    untagged: str = field(default_factory=lambda: secrets.token_hex(10))
    assets: list[StoredAsset] = field(default_factory=list)

    def asset_named(self, name: str) -> StoredAsset | None:
        """The asset of that name, in whatever state."""
        return next((asset for asset in self.assets if asset.name == name), None)


@dataclass(kw_only=True)
class Repository:
    """The whole state. ``branches`` hold commits oldest first; ``tags`` map a name to its object.

    ``burned`` are the tag names that immutable releases have used up, for ever; ``workflow_commits`` change a workflow.
    """

    default_branch: str = "main"
    branches: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    immutable_releases: bool = False
    burned: list[str] = field(default_factory=list)
    workflow_commits: list[str] = field(default_factory=list)
    releases: list[StoredRelease] = field(default_factory=list)
    latest: int | None = None
    policy: Policy = field(default_factory=Policy)
    next_id: int = 1

    def new_id(self) -> int:
        """The next number for a release or an asset."""
        self.next_id += 1
        return self.next_id - 1

    def release(self, number: int) -> StoredRelease | None:
        """The release of that id."""
        return next((release for release in self.releases if release.id == number), None)

    def published(self, tag: str) -> StoredRelease | None:
        """The published release of that tag; there is at most one."""
        return next((found for found in self.releases if not found.draft and found.tag == tag), None)

    def asset(self, number: int) -> tuple[StoredRelease, StoredAsset] | None:
        """The asset of that id with the release it belongs to."""
        pairs = ((release, asset) for release, asset in self.assets() if asset.id == number)
        return next(pairs, None)

    def assets(self) -> Iterator[tuple[StoredRelease, StoredAsset]]:
        """Every asset with its release."""
        return ((release, asset) for release in self.releases for asset in release.assets)

    def commits(self) -> set[str]:
        """Every commit that was pushed."""
        return {commit for commits in self.branches.values() for commit in commits}


class Store:
    """The repository's folder: ``repository.json`` and one file an asset. Every save is atomic."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "repository.json"
        self._assets = folder / "assets"
        self._assets.mkdir(parents=True, exist_ok=True)
        self.repository = self._load()

    def asset_path(self, asset: StoredAsset) -> Path:
        """Where the asset's bytes are."""
        return self._assets / str(asset.id)

    def keep(self, asset: StoredAsset, content: bytes) -> None:
        """Write the asset's bytes; its record is kept by the next ``save``."""
        self._write(self.asset_path(asset), content)

    def forget(self, asset: StoredAsset) -> None:
        """Remove the asset's bytes, after its record is gone."""
        self.asset_path(asset).unlink(missing_ok=True)

    def save(self) -> None:
        """Write the repository's state."""
        self._write(self._file, json.dumps(asdict(self.repository), indent=1).encode())

    def restore(self) -> None:
        """Go back to what was saved last."""
        self.repository = self._load()

    def _load(self) -> Repository:
        if not self._file.exists():
            return Repository()
        data: dict[str, Any] = json.loads(self._file.read_bytes())
        releases = [
            StoredRelease(**{**release, "assets": [StoredAsset(**asset) for asset in release["assets"]]})
            for release in data.pop("releases")
        ]
        policy = Policy.read(data.pop("policy", {}))
        return Repository(**data, releases=releases, policy=policy)

    def _write(self, target: Path, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def tag_object_sha(name: str, commit: str) -> str:
    """The name of an annotated tag's own object: any 40 hex digits that differ from the commit's do."""
    return hashlib.sha1(f"tag {name} {commit}".encode(), usedforsecurity=False).hexdigest()
