"""Which of a release's assets are the wheelhouse, its checksums and its bundle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.version import Version

from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.refusals import AssetMissing, ReleaseMissing
from hephaestus.consumer.wanted import Wanted
from hephaestus.release.extraction import ArchiveRefused
from hephaestus.release.manifest import SUMS
from hephaestus.release.names import unfit_member_name
from hephaestus.release.tags import meant_by_tag, read_tag, tag_of
from hephaestus.release.targets import Target, read_targets
from hephaestus.services.github import GitHubClient
from hephaestus.services.releases import Asset, Release

__all__ = ["Chosen", "choose", "find_release"]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The assets of one release: the archive, every list its digest may stand in, its bundle if there is one.

    ``targets`` are those that have an archive named after them; ``named`` whether this is one of these.
    """

    release: Release
    archive: Asset
    manifests: tuple[Asset, ...]
    bundle: Asset | None
    looked_for_bundle: str
    targets: tuple[str, ...] = ()
    named: bool = False


def find_release(client: GitHubClient, options: InstallOptions) -> Release:
    """The release of the tag asked for, else the latest stable one; raises ReleaseMissing.

    GitHub's word for the latest is not enough: a pre-release published without its flag must not pass for stable.
    """
    place = options.repository
    if options.tag:
        release = client.find_release(options.tag)
        if release is None:
            # Tags are v + version (facts: consumers, C6); a version alone is what people type.
            bare = meant_by_tag(options.tag) is not None and options.tag[0] != "v"
            spelled = tag_of(options.tag) if bare else ""
            hint = f"its releases are called like {spelled}" if spelled else ""
            next_step = f"name it with `--tag {spelled}`" if spelled else ""
            raise ReleaseMissing(wanted=f"release {options.tag}", place=place, hint=hint, next_step=next_step)
        if release.draft:
            raise ReleaseMissing(wanted=f"published release {options.tag}", place=place, hint="it is still a draft")
        return release
    # GitHub's latest release is one of the whole repository, whatever package it is of.
    latest = client.latest_release() if not options.tag_prefix else None
    if latest is not None and not _trial(latest) and not _prefix(latest):
        return latest
    releases = list(client.releases())
    versions = {release.id: meant_by_tag(release.tag, options.tag_prefix) for release in releases}
    found = [release for release in releases if not _trial(release) and versions[release.id]]
    if not found:
        raise _no_stable(releases, options)
    return max(found, key=lambda release: versions[release.id] or Version("0"))


def choose(release: Release, options: InstallOptions, *, wanted: Wanted) -> Chosen:
    """Choose by pattern, first in the order of the API; raises AssetMissing, ArchiveRefused.

    Without a pattern of the user's own, the archive of a target that covers what is wanted goes before the default.
    """
    assets = [asset for asset in release.assets if asset.uploaded]
    archive = _first(assets, options.asset_pattern)
    if archive is None:
        raise AssetMissing(
            kind="wheelhouse",
            pattern=options.asset_pattern,
            release=release.tag,
            available=[asset.name for asset in assets],
            option="--asset-pattern",
        )
    made = _by_target(assets, archive) if options.asset_pattern == type(options).asset_pattern else {}
    near = {target: far for target in made if (far := wanted.distance(target)) is not None}
    if near:
        archive = made[min(near, key=lambda target: near[target])]
    problem = unfit_member_name(archive.name)
    if not problem and not archive.name.endswith(".tar.gz"):
        problem = "is no .tar.gz"
    if problem:
        raise ArchiveRefused(archive=repr(archive.name), code="name", problem=f"it {problem}")
    listed = release.asset(f"{archive.name}.sha256")
    manifest = listed if listed in assets else _first(assets, options.manifest_pattern)
    sums = release.asset(SUMS)
    bundle_names = (f"{archive.name}.sigstore.json", f"{archive.name}.sigstore")
    bundle = None
    if not options.patterns_given:
        bundle = next((asset for name in bundle_names for asset in assets if asset.name == name), None)
    patterns = (f"{options.sigstore_pattern}.json", options.sigstore_pattern)
    bundle = bundle or next((found for pattern in patterns if (found := _first(assets, pattern))), None)
    manifests = tuple(asset for asset in (manifest, sums) if asset is not None and asset.uploaded)
    for asset in (*manifests, *([bundle] if bundle is not None else [])):
        # They are fetched under their names: a pattern lets any path through, and names come from outside.
        if problem := unfit_member_name(asset.name):
            raise ArchiveRefused(archive=repr(asset.name), code="name", problem=f"it {problem}")
    return Chosen(
        release=release,
        archive=archive,
        manifests=manifests,
        bundle=bundle,
        looked_for_bundle=f"{' or '.join(bundle_names)} among its assets",
        targets=tuple(sorted(target.name for target in made)),
        named=bool(near),
    )


def _first(assets: Iterable[Asset], pattern: str) -> Asset | None:
    return next((asset for asset in assets if fnmatchcase(asset.name, pattern)), None)


def _by_target(assets: Iterable[Asset], default: Asset) -> dict[Target, Asset]:
    """The archives beside the default one (docs/wheelhouse.md), by the target each is named after."""
    stem, known, _ = default.name.partition("-wheelhouse.tar.gz")
    if not known:
        return {}
    found: dict[Target, Asset] = {}
    for asset in assets:
        name = asset.name.removeprefix(f"{stem}-wheels-").removesuffix(".tar.gz")
        if asset.name == f"{stem}-wheels-{name}.tar.gz":
            found |= dict.fromkeys(read_targets([name])[0], asset)
    return found


def _no_stable(releases: Iterable[Release], options: InstallOptions) -> ReleaseMissing:
    """Nothing to choose from; where the releases are those of packages with tags of their own, which there are."""
    prefixes = sorted({_prefix(release) for release in releases if not release.draft} - {"", options.tag_prefix})
    wanted = f"stable release {tag_of('*', options.tag_prefix)}" if options.tag_prefix else "stable release"
    if not prefixes:
        return ReleaseMissing(wanted=wanted, place=options.repository)
    return ReleaseMissing(
        wanted=wanted,
        place=options.repository,
        hint=f"there are those of packages whose tags begin with {', '.join(prefixes)}",
        next_step=f"name the package's, like `--tag-prefix {prefixes[0]}`, or one release with `--tag`",
    )


def _prefix(release: Release) -> str:
    """What the tags of the package begin with that a release is of; empty where its tag is none of a version."""
    read = read_tag(release.tag)
    return read[0] if read is not None else ""


def _trial(release: Release) -> bool:
    """A draft, or a pre-release by its flag or by its version."""
    version = meant_by_tag(release.tag, _prefix(release))
    return release.draft or release.prerelease or (version is not None and version.is_prerelease)
