"""The upload form: multipart/form-data (RFC 7578), read whole. The standard library's cgi is gone since 3.13."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["MalformedForm", "UploadForm"]

_PARAMETER = re.compile(rb';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_FILE_FIELD = "content"


class MalformedForm(ValueError):
    """Raised when a body is not the multipart form its Content-Type promises."""


@dataclass(frozen=True, kw_only=True)
class UploadForm:
    """An upload as sent: every field's values in order, and the file with the name it was sent under."""

    fields: Mapping[str, tuple[str, ...]]
    filename: str = ""
    content: bytes | None = field(default=None, repr=False)

    def first(self, name: str) -> str:
        """The field's first value without surrounding spaces, or the empty string."""
        values = self.fields.get(name, ())
        return values[0].strip() if values else ""

    @classmethod
    def parse(cls, content_type: str, body: bytes) -> UploadForm:
        """Read a form; raises MalformedForm."""
        fields: dict[str, list[str]] = {}
        filename, content = "", None
        for name, sent_name, value in _parts(_boundary(content_type), body):
            if name == _FILE_FIELD and sent_name is not None:
                if content is not None:
                    raise MalformedForm("two files in one form")
                filename, content = sent_name, value
                continue
            try:
                fields.setdefault(name, []).append(value.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise MalformedForm(f"the field {name!r} is not UTF-8") from error
        return cls(
            fields={name: tuple(values) for name, values in fields.items()},
            filename=filename,
            content=content,
        )


def _boundary(content_type: str) -> bytes:
    kind, _, _ = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise MalformedForm(f"not a multipart form but {kind.strip() or 'nothing'!r}")
    boundary = _parameters(content_type.encode("latin-1", "replace")).get("boundary", "")
    if not 1 <= len(boundary) <= 200:
        raise MalformedForm("the form names no boundary")
    return boundary.encode("latin-1", "replace")


def _parts(boundary: bytes, body: bytes) -> list[tuple[str, str | None, bytes]]:
    """Name, file name (or None) and value of each part."""
    delimiter = b"\r\n--" + boundary
    # The delimiter's CRLF belongs to it, except before the first one, which may open the body.
    at = 0 if body.startswith(delimiter[2:]) else body.find(delimiter) + 2
    if at == 1:
        raise MalformedForm("the form's boundary does not occur in it")
    at += len(delimiter) - 2
    parts = []
    while body[at : at + 2] != b"--":
        start = body.find(b"\r\n", at)
        if start < 0 or body[at:start].strip():
            raise MalformedForm("a boundary line is broken")
        end = body.find(delimiter, start)
        if end < 0:
            raise MalformedForm("the form ends before its last boundary")
        head, blank, value = body[start + 2 : end].partition(b"\r\n\r\n")
        if not blank:
            raise MalformedForm("a part has no blank line after its headers")
        parts.append((*_disposition(head), value))
        at = end + len(delimiter)
    return parts


def _disposition(head: bytes) -> tuple[str, str | None]:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            parameters = _parameters(value)
            if "name" in parameters:
                return parameters["name"], parameters.get("filename")
    raise MalformedForm("a part has no name")


def _parameters(value: bytes) -> dict[str, str]:
    found = {}
    for match in _PARAMETER.finditer(value):
        text = match[3] if match[2] is None else re.sub(rb"\\(.)", rb"\1", match[2])
        found[match[1].decode("ascii").lower()] = text.decode("utf-8", "replace")
    return found
