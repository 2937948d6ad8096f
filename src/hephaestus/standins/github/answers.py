"""How the GitHub stand-in words its answers: JSON shapes, refusals, headers of the real API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hephaestus.standins.github.store import StoredAsset, StoredRelease
from hephaestus.standins.http import Response

__all__ = ["BODY_LIMIT", "Refusal", "Shapes", "answer", "validation_failed"]

BODY_LIMIT = 125_000
"""Characters of release notes (facts: github-actions, section 2)."""

_DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):
    """Raised to answer a request with an error status and GitHub's JSON body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        body: dict[str, Any] = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
        if errors:
            body["errors"] = errors
        self.response = answer(body, status=status, headers=headers)


def validation_failed(*errors: dict[str, str]) -> Refusal:
    """The 422 of a body or query the API does not take."""
    return Refusal(422, "Validation Failed", errors=list(errors))


def answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with the API's own headers."""
    return Response(
        status=status,
        body=b"" if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "Cache-Control": "private, max-age=60, s-maxage=60",
            **(headers or {}),
        },
    )


class Shapes:
    """The JSON of releases and assets, with every address built from how the client reached us."""

    def __init__(self, *, base: str, repository: str) -> None:
        self._web = f"{base}/{repository}"
        self._api = f"{base}/repos/{repository}"
        self._uploads = f"{base}/uploads/repos/{repository}"

    def release(self, release: StoredRelease) -> dict[str, Any]:
        """A release; a draft is addressed by its untagged name, as on the real site."""
        shown = f"untagged-{release.untagged}" if release.draft else release.tag
        return {
            "id": release.id,
            "node_id": f"RE_{release.id}",
            "url": f"{self._api}/releases/{release.id}",
            "html_url": f"{self._web}/releases/tag/{quote(shown)}",
            "assets_url": f"{self._api}/releases/{release.id}/assets",
            "upload_url": f"{self._uploads}/releases/{release.id}/assets{{?name,label}}",
            "tag_name": release.tag,
            "target_commitish": release.target,
            "name": release.name,
            "body": release.body,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "immutable": release.immutable,
            "created_at": moment(release.created),
            "published_at": None if release.published is None else moment(release.published),
            "assets": [self.asset(release, asset) for asset in release.assets],
        }

    def asset(self, release: StoredRelease, asset: StoredAsset) -> dict[str, Any]:
        """An asset; ``digest`` is left out when the stand-in was told to."""
        shown = f"untagged-{release.untagged}" if release.draft else release.tag
        body: dict[str, Any] = {
            "id": asset.id,
            "node_id": f"RA_{asset.id}",
            "url": f"{self._api}/releases/assets/{asset.id}",
            "name": asset.name,
            "label": asset.label,
            "content_type": asset.content_type,
            "state": asset.state,
            "size": asset.size,
            "download_count": 0,
            "created_at": moment(asset.created),
            "updated_at": moment(asset.created),
            "browser_download_url": f"{self._web}/releases/download/{quote(shown)}/{quote(asset.name)}",
        }
        if asset.digest:
            body["digest"] = asset.digest
        return body


def moment(seconds: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
