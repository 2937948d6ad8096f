"""Receipts: the JSON a stage leaves when it is done - what it took in, what it put out, the evidence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hephaestus.release.errors import ReleaseError
from hephaestus.release.manifest import case_twins, is_digest, unsafe_path

__all__ = ["SCHEMA", "Receipt", "ReceiptError", "key_of"]

#: The schema number this code writes and the only one it reads.
SCHEMA = 1
_DIGEST = "digest"


class ReceiptError(ReleaseError):
    """Raised when a receipt is empty, truncated, not JSON, contradictory or of another schema."""

    def __init__(self, *, source: str, problem: str) -> None:
        super().__init__(
            what=f"{source}: {problem}",
            why="a receipt that cannot be read proves nothing, so the stage counts as not done",
            next_step=f"remove {source} and run the stage again: it will find what is already true",
        )


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What one stage did. ``inputs`` and ``outputs`` map release-directory paths to ``sha256:<hex>``.

    ``started`` is RFC 3339 in UTC; ``seconds`` is wall time; ``commands`` are argument lists with every address
    and folder of this machine replaced by its stable name; ``evidence`` belongs to the stage.
    """

    stage: str
    world: str
    project: str
    version: str
    commit: str
    dirty: bool
    key: str
    started: str
    seconds: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[Sequence[str]] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def render(self) -> str:
        """The JSON text: indented, LF, keys in the order of the design, last a digest over all the others.

        The digest is no signature: it tells a receipt that was damaged or edited, as a file's digest does.
        """
        data = asdict(self)
        plain = json.loads(json.dumps({"schema": data.pop("schema"), **data}))
        return json.dumps({**plain, _DIGEST: key_of(**plain)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str, *, source: str) -> Receipt:
        """Read what ``render`` wrote; every doubt raises ReceiptError."""
        try:
            data = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise ReceiptError(source=source, problem=f"is not a receipt ({error})") from error
        if not isinstance(data, dict):
            raise ReceiptError(source=source, problem="is not a JSON object")
        if data.get("schema") != SCHEMA:
            problem = f"has schema {data.get('schema')!r}, this version reads {SCHEMA}"
            raise ReceiptError(source=source, problem=problem)
        if problem := _shape(data):
            raise ReceiptError(source=source, problem=problem)
        if data.pop(_DIGEST) != key_of(**data):
            raise ReceiptError(source=source, problem="is not as it was written: its digest does not fit")
        return cls(**data)


def key_of(**inputs: Any) -> str:
    """``sha256:<hex>`` over a stage's inputs in canonical JSON: same inputs, same key, on any machine."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "schema": int,
    "stage": str,
    "world": str,
    "project": str,
    "version": str,
    "commit": str,
    "dirty": bool,
    "key": str,
    "started": str,
    "seconds": (int, float),
    "inputs": dict,
    "outputs": dict,
    "tools": dict,
    "commands": list,
    "evidence": dict,
    _DIGEST: str,
}


def _shape(data: Mapping[str, Any]) -> str:
    if missing := sorted(set(_TYPES) - set(data)):
        return f"lacks {', '.join(missing)}"
    if unknown := sorted(set(data) - set(_TYPES)):
        return f"has unknown fields {', '.join(unknown)}"
    for name, kind in _TYPES.items():
        if not isinstance(data[name], kind) or (kind is not bool and isinstance(data[name], bool)):
            return f"field {name} is not of the right type"
    if not all(isinstance(version, str) for version in data["tools"].values()):
        return "field tools holds something that is no version"
    commands = data["commands"]
    if not all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in commands):
        return "field commands holds something that is no command"
    if not is_digest(data["key"]):
        return "field key is not sha256:<64 hex>"
    for table in ("inputs", "outputs"):
        for path, digest in data[table].items():
            if reason := unsafe_path(path):
                return f"{table}: the path {path!r} {reason}"
            if not is_digest(digest):
                return f"{table}: the digest of {path} is not sha256:<64 hex>"
        if twins := case_twins(data[table]):
            return f"{table}: names that differ only in case: {', '.join(twins)}"
    return ""


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} stands twice")
        found[name] = value
    return found
