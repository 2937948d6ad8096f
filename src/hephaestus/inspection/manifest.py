"""What a release should consist of, from whoever can say: the receipts here, else SHA256SUMS on GitHub."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.manifest import SUMS, parse_sums
from hephaestus.services.github import GitHubClient
from hephaestus.services.releases import Release

__all__ = ["Expected", "expected_here", "sums_of"]

_LARGEST = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The manifest that something is held against; digests are plain hex.

    ``source`` says where it is from (empty: nobody could tell). ``assets`` maps an asset's name to its digest, or to
    an empty string where only the name is known.
    """

    source: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)


def expected_here(directory: ReleaseDirectory, *, tag: str, world: str = "") -> Expected:
    """What the receipts of ``directory`` say, only those of ``world`` where one is named; raises ReceiptError.

    Nothing built is an Expected without a source.
    """
    receipts = {stage: one for stage, one in directory.receipts().items() if not world or one.world == world}
    if "build" not in receipts:
        return Expected()
    outputs = {
        path: digest.removeprefix("sha256:")
        for stage in ("build", "sign", "wheelhouse", "sign-wheelhouse")
        if stage in receipts
        for path, digest in receipts[stage].outputs.items()
    }
    assets = {Path(path).name: digest for path, digest in outputs.items() if not path.startswith("attestations/")}
    released = receipts.get("github-release")
    if any(name.endswith(".sigstore.json") for name in assets):
        assets[f"sigstore-bundles-{tag}.tar.gz"] = ""
    return Expected(
        source="the receipts here",
        files={Path(path).name: digest for path, digest in outputs.items() if path.startswith("dist/")},
        assets=assets if released is None else {**assets, **dict(released.evidence.get("assets", {}))},
    )


def sums_of(client: GitHubClient, release: Release) -> dict[str, str] | None:
    """The digests (hex) in a GitHub Release's SHA256SUMS by file name; None when it has no such asset.

    Raises ServiceError, and ManifestError for one that cannot be read as a manifest.
    """
    asset = release.asset(SUMS)
    if asset is None or not asset.uploaded or asset.size > _LARGEST:
        return None
    with tempfile.TemporaryDirectory(prefix="hephaestus-sums-") as folder:
        target = Path(folder) / SUMS
        client.download(asset, target)
        sums = parse_sums(target.read_text(encoding="utf-8", errors="replace"), source=f"{SUMS} of {release.tag}")
    return {name: digest.removeprefix("sha256:") for name, digest in sums.items()}
