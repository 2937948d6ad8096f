"""The answers all parts of the stand-in Sigstore give in the same form."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from hephaestus.standins.http import Response

__all__ = ["RefusedError", "answer_json", "decoded", "read_json", "refusal"]


class RefusedError(ValueError):
    """Raised when a request is refused: the HTTP ``status`` and what is wrong with it."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def answer_json(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=json.dumps(content, separators=(",", ":")).encode(),
    )


def refusal(error: RefusedError) -> Response:
    """The error document of Fulcio's and Rekor's gateways: ``code`` and ``message``."""
    return answer_json({"code": error.status, "message": error.message}, status=error.status)


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object a request carries; raises RefusedError."""
    try:
        content = json.loads(body)
        # JSON can spell half a surrogate pair, which no text holds that is to be hashed or recorded.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RefusedError("the body is not JSON") from error
    if not isinstance(content, dict):
        raise RefusedError("the body is not a JSON object")
    return content


def decoded(text: object, name: str) -> bytes:
    """The bytes that field ``name`` holds in base64; raises RefusedError."""
    if not isinstance(text, str):
        raise RefusedError(f"{name} is missing")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RefusedError(f"{name} is not base64") from error
