"""Distinguished Encoding Rules (ITU-T X.690), as much of them as time stamps and SCTs need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "DERError",
    "element",
    "elements",
    "explicit",
    "generalized_time",
    "integer",
    "object_identifier",
    "octets",
    "only_element",
    "sequence",
    "set_of",
    "to_integer",
    "utc_time",
    "utf8",
]

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
_UTF8_STRING = 0x0C
_SET = 0x31
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18


class DERError(ValueError):
    """Raised when bytes are not the DER they should be."""


def element(tag: int, content: bytes) -> bytes:
    """One element: tag, length in its shortest form, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of encoded elements."""
    return element(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes], *, tag: int = _SET) -> bytes:
    """SET OF encoded elements, sorted as DER demands; ``tag`` for an implicitly tagged one."""
    return element(tag, b"".join(sorted(parts)))


def explicit(number: int, content: bytes) -> bytes:
    """``[number] EXPLICIT`` (or an implicitly tagged constructed type): context class, constructed."""
    return element(0xA0 | number, content)


def integer(value: int) -> bytes:
    """INTEGER in two's complement, shortest form."""
    return element(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def octets(content: bytes) -> bytes:
    """OCTET STRING."""
    return element(OCTET_STRING, content)


def utf8(text: str) -> bytes:
    """UTF8String."""
    return element(_UTF8_STRING, text.encode())


def object_identifier(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return element(OBJECT_IDENTIFIER, bytes(content))


def generalized_time(moment: float) -> bytes:
    """GeneralizedTime in whole seconds, UTC."""
    return element(_GENERALIZED_TIME, f"{datetime.fromtimestamp(int(moment), UTC):%Y%m%d%H%M%SZ}".encode())


def utc_time(moment: float) -> bytes:
    """UTCTime in whole seconds."""
    return element(_UTC_TIME, f"{datetime.fromtimestamp(int(moment), UTC):%y%m%d%H%M%SZ}".encode())


def to_integer(content: bytes) -> int:
    """The value of an INTEGER's content; raises DERError."""
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}):
        raise DERError("INTEGER is not in its shortest form")
    return int.from_bytes(content, "big", signed=True)


def elements(encoded: bytes) -> list[tuple[int, bytes, bytes]]:
    """The elements that ``encoded`` is made of, each as tag, content and its own encoding; raises DERError."""
    found: list[tuple[int, bytes, bytes]] = []
    place = 0
    while place < len(encoded):
        start, tag = place, encoded[place]
        if tag & 0x1F == 0x1F:
            raise DERError("tags beyond one byte are not used here")
        size, place = _length(encoded, place + 1)
        if place + size > len(encoded):
            raise DERError("an element is longer than what holds it")
        found.append((tag, encoded[place : place + size], encoded[start : place + size]))
        place += size
    return found


def only_element(encoded: bytes, tag: int) -> bytes:
    """The content of the one element that ``encoded`` is; raises DERError for anything else."""
    match elements(encoded):
        case [(found, content, _)] if found == tag:
            return content
    raise DERError(f"expected exactly one element with tag {tag:#04x}")


def _length(encoded: bytes, place: int) -> tuple[int, int]:
    if place >= len(encoded):
        raise DERError("an element ends before its length")
    first = encoded[place]
    if first < 0x80:
        return first, place + 1
    count = first & 0x7F
    digits = encoded[place + 1 : place + 1 + count]
    size = int.from_bytes(digits, "big")
    if not 1 <= count <= 4 or len(digits) != count or digits[0] == 0 or size < 0x80:
        raise DERError("a length is not in its shortest form")
    return size, place + 1 + count
