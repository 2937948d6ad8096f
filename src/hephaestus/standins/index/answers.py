"""Answers and refusals in the index's own manner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hephaestus.standins.http import Request, Response

__all__ = ["Refused", "cached", "json_answer", "moment", "plain", "redirect"]


class Refused(Exception):
    """Raised when the index refuses a request: HTTP ``status`` and ``message``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def plain(status: int, message: str = "", *, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of the upload endpoint: the message stands in the HTTP reason too, where twine looks for it."""
    reason = " ".join(message.split()).encode("latin-1", "replace").decode("latin-1") or None
    body = f"<html>\n <head>\n  <title>{status} {reason}</title>\n </head>\n</html>\n" if message else ""
    kind = "text/html; charset=UTF-8" if body else "text/plain; charset=UTF-8"
    return Response(status=status, body=body.encode(), headers={"Content-Type": kind, **(headers or {})}, reason=reason)


def json_answer(status: int, value: Any, *, kind: str = "application/json") -> Response:
    """A JSON answer that nobody may cache."""
    return Response(
        status=status,
        body=json.dumps(value).encode(),
        headers={"Content-Type": kind, "Cache-Control": "no-store"},
    )


def redirect(location: str) -> Response:
    """A permanent redirect."""
    return Response(status=301, headers={"Location": location, "Content-Type": "text/plain"})


def cached(request: Request, body: bytes, *, kind: str, seconds: int, serial: int | None = None) -> Response:
    """A page with ETag, serial and browser cache time as PyPI sends them; 304 when the client has it."""
    etag = f'"{hashlib.sha256(kind.encode() + body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": kind,
        "ETag": etag,
        "Cache-Control": f"max-age={seconds}, public",
        "Vary": "Accept, Accept-Encoding",
    }
    if serial is not None:
        headers["X-PyPI-Last-Serial"] = str(serial)
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status=304, headers=headers)
    return Response(status=200, body=body, headers=headers)


def moment(seconds: float) -> str:
    """A time as the index writes it: UTC, microseconds, ``Z``."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
