"""A wheelhouse out of a GitHub Release: fetched into a private place, held against every digest and its signature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from hephaestus.consumer.assets import Chosen
from hephaestus.consumer.cache import Unpacked, WheelhouseCache, storage_failures
from hephaestus.consumer.narration import Narrator
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.proofs import Proofs
from hephaestus.consumer.refusals import DigestsDisagree, WheelsUnfit
from hephaestus.consumer.trust import Claim
from hephaestus.consumer.wheels import Interpreter, fitting_wheel
from hephaestus.release.boundary import boundary
from hephaestus.release.extraction import ArchiveRefused, extract_archive
from hephaestus.release.manifest import SUMS, parse_sums
from hephaestus.services.errors import AnswerTooLarge
from hephaestus.services.github import GitHubClient
from hephaestus.services.releases import Asset

__all__ = ["Wheelhouse", "WheelhouseFetch"]

#: The most bytes a list of checksums or a bundle has.
_SMALL = 4 << 20
_REQUIREMENTS = "requirements.txt"
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})\b")


@dataclass(frozen=True, kw_only=True)
class Wheelhouse:
    """A verified archive and its verified wheels. ``reused`` says that the archive was in the cache already.

    ``others`` are the release's other archives.
    """

    archive: Path
    sha256: str
    size: int
    reused: bool
    unpacked: Unpacked
    others: tuple[str, ...] = ()

    def unfit(self, interpreter: Interpreter) -> WheelsUnfit | None:
        """The refusal when some distribution has no wheel for that Python on this platform."""
        files: dict[str, list[str]] = {}
        for file in self.unpacked.wheels:
            files.setdefault(str(parse_wheel_filename(file)[0]), []).append(file)
        unfit = {name: found for name, found in files.items() if fitting_wheel(found, interpreter) is None}
        if not unfit:
            return None
        return WheelsUnfit(archive=self.archive.name, python=interpreter.version, names=unfit, others=self.others)

    @property
    def names(self) -> tuple[str, ...]:
        """The distributions in it, normalized."""
        return tuple(sorted({str(parse_wheel_filename(file)[0]) for file in self.unpacked.wheels}))


@dataclass(frozen=True, kw_only=True)
class WheelhouseFetch:
    """Fetching one chosen wheelhouse into ``private``, a folder only we can write to."""

    options: InstallOptions
    client: GitHubClient
    cache: WheelhouseCache
    proofs: Proofs
    narrator: Narrator
    private: Path

    def run(self, chosen: Chosen) -> Wheelhouse:
        """Size, digests, signature, contents: in this order, each before the next.

        Raises Unsigned, NotVerified, DigestsDisagree, ArchiveRefused, PlaceTaken, PlaceUnwritable, ManifestError and
        the errors of services; then nothing of it is kept but what was in the cache before.
        """
        lists = {asset.name: self._sums(asset) for asset in chosen.manifests}
        expected = self._expected(chosen, lists)
        name = chosen.archive.name
        overwrite = self.options.overwrite
        kept = self.cache.kept_archive(name, sha256=expected, overwrite=overwrite, private=self.private)
        self.cache.check_unpacked(name, sha256=expected, overwrite=overwrite)
        if kept is None:
            archive = self.private / name
            sha256 = self._download(chosen.archive, archive, expected)
        else:
            archive, sha256 = kept, expected
            self.narrator.step(f"{name} is in {self.cache.folder} already, with the release's bytes")
        size = archive.stat().st_size
        self.proofs.holds(name, f"{size} bytes, sha256 {sha256}")
        self._signature(chosen, archive, sha256)
        # Also when its wheels lie there unpacked: only what comes out of the proven archive is proven.
        unpacked = self._unpack(archive, sha256)
        _consistent(unpacked, lists.get(SUMS, {}))
        assets = [asset.name for asset in chosen.release.assets]
        return Wheelhouse(
            archive=archive,
            sha256=sha256,
            size=size,
            reused=kept is not None,
            unpacked=unpacked,
            others=tuple(one for one in assets if one != name and f"{one}.sha256" in assets),
        )

    def _sums(self, asset: Asset) -> Mapping[str, str]:
        self._fetch(asset, limit=_SMALL)
        text = (self.private / asset.name).read_text(encoding="utf-8", errors="surrogateescape")
        return parse_sums(text, source=asset.name)

    def _expected(self, chosen: Chosen, lists: Mapping[str, Mapping[str, str]]) -> str:
        """The archive's SHA-256 (hex), stated alike by everybody who states it; empty when nobody does."""
        name = chosen.archive.name
        stated = {source: listed[name].removeprefix("sha256:") for source, listed in lists.items() if name in listed}
        if not stated:
            looked = ", ".join(lists) or f"{name}.sha256, {self.options.manifest_pattern} and {SUMS} among its assets"
            self.proofs.lacks(name, lacks="checksum", looked=looked)
        if chosen.archive.sha256 is not None:
            stated["GitHub"] = chosen.archive.sha256
        if len(set(stated.values())) > 1:
            raise DigestsDisagree(name=name, stated=stated)
        for source in stated:
            self.proofs.holds(f"{name} in {source}", f"sha256 {stated[source]}")
        return next(iter(stated.values()), "")

    def _download(self, asset: Asset, target: Path, expected: str) -> str:
        self.narrator.step(f"downloading {asset.name} ({asset.size} bytes)")
        boundary(f"download {asset.name}")
        got = self.client.download(
            asset,
            target,
            sha256=expected or None,
            rest=self.cache.rest(expected),
            progress=lambda done, total: self.narrator.progress(done, total, "bytes"),
        )
        boundary(f"downloaded {asset.name}")
        return got.sha256

    def _fetch(self, asset: Asset, *, limit: int) -> Path:
        target = self.private / asset.name
        if asset.size > limit:
            raise AnswerTooLarge(url=asset.url, limit=limit)
        self.client.download(asset, target)
        return target

    def _signature(self, chosen: Chosen, archive: Path, sha256: str) -> None:
        name = archive.name
        if chosen.bundle is None:
            self.proofs.lacks(name, lacks="Sigstore bundle", looked=chosen.looked_for_bundle)
            return
        bundle = self._fetch(chosen.bundle, limit=_SMALL)
        claim = Claim(file=archive, kind="bundle", proof=bundle, name=name, sha256=sha256)
        self.proofs.signed(name, [claim], tag=chosen.release.tag)

    def _unpack(self, archive: Path, sha256: str) -> Unpacked:
        self.narrator.step(f"unpacking {archive.name}")
        folder = self.private / "wheels"
        boundary(f"unpack {archive.name}")
        with storage_failures(self.cache.folder):
            members = extract_archive(archive, folder, sha256=sha256)
            unpacked = Unpacked.of(folder, archive.name, sha256, members)
        boundary(f"unpacked {archive.name}")
        return unpacked


def _consistent(unpacked: Unpacked, sums: Mapping[str, str]) -> None:
    """Hold the wheels against each list that names them: the archive's own and the release's SHA256SUMS."""
    archive = unpacked.archive
    if not unpacked.wheels:
        raise ArchiveRefused(archive=archive, code="missing", problem="it holds no wheel")
    for file, digest in unpacked.wheels.items():
        try:
            parse_wheel_filename(file)
        except InvalidWheelFilename as error:
            raise ArchiveRefused(archive=archive, code="name", problem=f"{file} is named like no wheel") from error
        if sums.get(file, digest) != digest:
            raise DigestsDisagree(name=file, stated={archive: digest, SUMS: sums[file]})
    if _REQUIREMENTS in unpacked.members:
        listed = set(_HASH.findall((unpacked.folder / _REQUIREMENTS).read_text(encoding="utf-8", errors="replace")))
        held = set(unpacked.wheels.values())
        for file, digest in unpacked.wheels.items():
            if digest not in listed:
                raise ArchiveRefused(
                    archive=archive, code="digest", problem=f"{file} has {digest}, not in its own list"
                )
        if listed - held:
            problem = f"its own list names {', '.join(sorted(listed - held))}, which no wheel in it has"
            raise ArchiveRefused(archive=archive, code="missing", problem=problem)
