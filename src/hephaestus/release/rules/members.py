"""What the members of any archive must keep to: safe names, a sane ratio, nothing private packed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from hephaestus.release.metadata import CoreMetadata
from hephaestus.release.rules.judgement import Judgement

__all__ = [
    "BOMB_RATIO",
    "BOMB_SIZE",
    "bomb_judgement",
    "layout_judgements",
    "license_file_judgements",
    "path_judgements",
    "private_judgements",
    "unsafe_reason",
]

BOMB_SIZE = 64 * 1024 * 1024
"""Unpacked bytes below which no ratio is suspicious."""

BOMB_RATIO = 50
"""Unpacked bytes per packed byte beyond which an archive is taken for a decompression bomb."""

_PATH_LENGTH = 255
_PRIVATE = re.compile(
    r"(?:^|/)(?:\.env(?!\.(?:example|sample|template|dist)(?:/|$))(?:\.[^/]*)?|\.git|\.hg|\.svn|\.venv|\.pypirc|"
    r"\.netrc|\.ssh|\.aws|id_rsa|id_ed25519)(?:/|$)"
)
_MACHINE = re.compile(r"(?:^|/)(?:\.DS_Store|Thumbs\.db|\.coverage|\.idea|\.vscode|__pycache__)(?:/|$)")
_STRAY = frozenset(
    {"tests", "test", "docs", "doc", "examples", "example", "scripts", "build", "dist", "src", "tools"}
    | {"benchmarks", "node_modules", "__pycache__", "setup.py", "conftest.py", "noxfile.py"}
)


def unsafe_reason(name: str) -> str:
    """Why a member name must not be trusted, or the empty string (facts: failures, row 29)."""
    if not name or name.startswith("/"):
        return "is empty or absolute"
    if "\x00" in name or any(ord(character) < 32 for character in name):
        return "holds control characters"
    if "\\" in name or re.match(r"[A-Za-z]:", name):
        return "is a Windows path"
    if any(part in ("..", ".", "") for part in name.split("/")):
        return "leaves its folder or holds empty parts"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    return ""


def bomb_judgement(filename: str, *, packed: int, unpacked: int) -> Judgement | None:
    """Refuse what unpacks to more than 64 MiB and more than 50 times its size."""
    if unpacked <= BOMB_SIZE or unpacked <= BOMB_RATIO * max(packed, 1):
        return None
    return Judgement.refused(
        "compression-bomb",
        filename,
        f"it unpacks to at least {unpacked} bytes, more than {BOMB_RATIO} times its {packed} bytes",
        remedy="leave the generated or empty bulk out of the distribution",
        answer=f"Invalid distribution file. The archive exceeds the compression ratio of {BOMB_RATIO}.",
    )


def license_file_judgements(
    filename: str, metadata: CoreMetadata | None, names: Collection[str], *, prefix: str
) -> Iterable[Judgement]:
    """Every License-File is inside, below ``prefix`` (PEP 639; promised by metadata from 2.4 on only)."""
    if metadata is None or not _promises_license_files(metadata):
        return
    for license_file in metadata.all("license-file"):
        if f"{prefix}{license_file}" not in names:
            yield Judgement.refused(
                "license-file-missing",
                filename,
                f"License-File {license_file!r} is declared but not inside",
                remedy="add the file to the source tree, or correct `license-files` in pyproject.toml",
                answer=f"License-File {license_file} does not exist in distribution file {filename} "
                f"at {prefix}{license_file}.",
            )


def _promises_license_files(metadata: CoreMetadata) -> bool:
    major, _, minor = metadata.first("metadata-version").partition(".")
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= (2, 4)


def layout_judgements(filename: str, names: Sequence[str], *, ignore: Collection[str] = ()) -> Iterable[Judgement]:
    """What has no place in a wheel: .pth files, private files, stray top-level names. The index takes them."""
    top_level = sorted({name.split("/")[0] for name in names} - set(ignore))
    for name in names:
        if name.endswith(".pth") and (name.count("/") == 0 or ".data/" in name):
            yield Judgement.ours(
                "pth-file",
                filename,
                f"{name} runs code at every start of the interpreter",
                remedy="leave .pth files out of the wheel (an editable build is no release)",
            )
    yield from private_judgements(filename, names)
    for name in top_level:
        if name in _STRAY:
            yield Judgement.ours(
                "top-level-stray",
                filename,
                f"the top-level name {name!r} would land in site-packages beside everybody else's",
                remedy="name the packages to build in pyproject.toml so that only they are packed",
            )
    if not [name for name in top_level if not name.endswith(".data")]:
        yield Judgement.warned(
            "wheel-empty",
            filename,
            "no importable module or package is inside",
            remedy="check which packages the build backend was told to pack",
        )
    yield from path_judgements(filename, names)


def private_judgements(filename: str, names: Iterable[str]) -> Iterable[Judgement]:
    """Files that carry secrets (errors) or traces of a developer's machine (warnings); ours only."""
    for name in names:
        if _PRIVATE.search(name):
            yield Judgement.ours(
                "private-file",
                filename,
                f"{name} is packed: a private file",
                remedy="exclude it from the build; if it holds a secret, revoke that secret",
            )
        elif _MACHINE.search(name):
            yield Judgement.warned(
                "machine-file",
                filename,
                f"{name} is packed: a trace of the machine it was built on",
                remedy="exclude it from the build",
            )


def path_judgements(filename: str, names: Iterable[str]) -> Iterable[Judgement]:
    """Names that collide or fail on another system: case twins, paths beyond 255 characters."""
    twins: dict[str, str] = {}
    for name in names:
        other = twins.setdefault(name.casefold(), name)
        if other != name:
            yield Judgement.ours(
                "case-twins",
                filename,
                f"{other} and {name} are one file on Windows and macOS",
                remedy="rename one of the two",
            )
        if len(name) > _PATH_LENGTH:
            yield Judgement.warned(
                "path-length",
                filename,
                f"the path {name[:60]}... has {len(name)} characters",
                remedy=f"keep paths under {_PATH_LENGTH} characters",
            )
