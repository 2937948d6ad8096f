"""Prebuilt wheels: a folder of wheels that were built elsewhere (one per platform) and are adopted as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.errors import Finding
from hephaestus.release.manifest import SUMS, ManifestError, digest_of, parse_sums

__all__ = ["Prebuilt", "read_prebuilt"]


@dataclass(frozen=True, kw_only=True)
class Prebuilt:
    """Wheels of one folder, by file name and digest, sorted; ``findings`` is everything that speaks against them."""

    folder: Path
    digests: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_prebuilt(folder: Path) -> Prebuilt:
    """Read the wheels of ``folder``: those its ``SHA256SUMS`` names, or without one every regular ``*.whl`` file.

    Never raises for what is in the folder; every doubt is a finding.
    """
    if not folder.is_dir():
        return Prebuilt(folder=folder, findings=(_finding("prebuilt-missing", str(folder), "is no folder"),))
    manifest = folder / SUMS
    if manifest.is_file() and not manifest.is_symlink():
        return _by_manifest(folder, manifest)
    digests: dict[str, str] = {}
    findings = []
    for path in sorted(folder.iterdir()):
        if path.suffix != ".whl":
            continue
        if found := _irregular(path):
            findings.append(found)
        else:
            digests[path.name] = digest_of(path)
    if not digests and not findings:
        findings.append(_finding("prebuilt-empty", str(folder), "holds no wheel"))
    return Prebuilt(folder=folder, digests=digests, findings=tuple(findings))


def _by_manifest(folder: Path, manifest: Path) -> Prebuilt:
    try:
        named = parse_sums(manifest.read_text(encoding="utf-8"), source=SUMS)
    except ManifestError as error:
        return Prebuilt(folder=folder, findings=(_finding("prebuilt-manifest", SUMS, error.what),))
    except (OSError, UnicodeDecodeError) as error:
        return Prebuilt(folder=folder, findings=(_finding("prebuilt-manifest", SUMS, f"cannot be read: {error}"),))
    digests: dict[str, str] = {}
    findings = []
    for name, digest in sorted(named.items()):
        path = folder / name
        if "/" in name or not name.endswith(".whl"):
            findings.append(_finding("prebuilt-no-wheel", name, f"stands in {SUMS}, but is no wheel beside it"))
        elif found := _irregular(path):
            findings.append(found)
        elif (actual := digest_of(path)) != digest:
            findings.append(_finding("prebuilt-changed", name, f"has {actual}, {SUMS} says {digest}"))
        else:
            digests[name] = digest
    return Prebuilt(folder=folder, digests=digests, findings=tuple(findings))


def _irregular(path: Path) -> Finding | None:
    if path.is_symlink():
        return _finding("prebuilt-linked", path.name, "is a link, not a file: what it leads to may change")
    if not path.exists():
        return _finding("prebuilt-missing", path.name, "is not there")
    return None if path.is_file() else _finding("prebuilt-linked", path.name, "is no regular file")


def _finding(code: str, subject: str, message: str) -> Finding:
    remedy = "`-- --from DIR` takes a folder of finished wheels; collect them there again"
    return Finding(code=code, subject=subject, message=message, remedy=remedy)
