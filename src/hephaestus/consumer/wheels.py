"""Wheels and the Pythons they fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from hephaestus.release.targets import preferred_wheel

__all__ = ["Interpreter", "fitting_wheel", "pinned_requirements", "same_version"]


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python of this machine: ``wanted`` is how it was asked for, ``version`` X.Y.Z."""

    wanted: str
    executable: str
    version: str
    name: str


def fitting_wheel(files: Iterable[str], interpreter: Interpreter) -> str | None:
    """The wheel among ``files`` that ``interpreter`` prefers on this platform, or None."""
    python = tuple(int(part) for part in interpreter.version.split(".")[:2])
    if interpreter.name != "CPython":
        return preferred_wheel(files, compatible_tags(python_version=python))
    short = f"cp{python[0]}{python[1]}"
    order = [*cpython_tags(python_version=python), *compatible_tags(python_version=python, interpreter=short)]
    return preferred_wheel(files, order)


def pinned_requirements(digests: Mapping[str, str]) -> str:
    """A requirements file for ``--require-hashes``: each distribution by version, with the digests of its wheels.

    ``digests`` maps a wheel's file name to ``sha256:<hex>``. Raises packaging's InvalidWheelFilename.
    """
    hashes: dict[tuple[str, str], list[str]] = {}
    for file in sorted(digests):
        name, version, _build, _tags = parse_wheel_filename(file)
        hashes.setdefault((str(canonicalize_name(name)), str(version)), []).append(f" --hash={digests[file]}")
    return "".join(f"{name}=={version}{''.join(found)}\n" for (name, version), found in sorted(hashes.items()))


def same_version(one: str, other: str) -> bool:
    """Whether two versions are equal by PEP 440; what is no version equals nothing."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False
