"""Verification for people: every fact about a release that can be looked at, one verdict each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from hephaestus.consumer.dossier import Dossier
from hephaestus.consumer.expectation import Pinned, release_of
from hephaestus.consumer.identity import Identity
from hephaestus.consumer.indexed import BY_MANIFEST, absent, compare_trial, fetch_release, unanswered
from hephaestus.consumer.served import asset_verdicts, release_verdict
from hephaestus.consumer.services import Services
from hephaestus.consumer.trust import Claim, Trust
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.manifest import SUMS, ManifestError, parse_sums
from hephaestus.release.names import unfit_member_name
from hephaestus.release.receipts import ReceiptError
from hephaestus.release.tags import meant_by_tag, read_tag, tag_of
from hephaestus.services.errors import DownloadMismatch, ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient
from hephaestus.services.releases import Asset, Release
from hephaestus.services.transfer import Progress

__all__ = ["Verification"]

Announce = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Looks at releases under one identity. ``announce`` is told what takes long, ``progress`` the bytes that came."""

    identity: Identity
    trust: Trust
    services: Services = field(default_factory=Services)
    announce: Announce = lambda _text: None
    progress: Progress | None = None

    def folder(self, folder: Path) -> list[Verdict]:
        """A release directory with its receipts, a GitHub Release's assets, a wheelhouse folder."""
        return [*_receipts(folder), *self.dossier(Dossier.of_folder(folder))]

    def files(self, files: Sequence[Path], *, bundle: Path | None = None) -> list[Verdict]:
        """Files, with what lies beside each of them; ``bundle`` is that of the one file there is."""
        verdicts: list[Verdict] = []
        for folder in dict.fromkeys(path.parent for path in files):
            here = [path for path in files if path.parent == folder]
            verdicts += self.dossier(Dossier.of_files(here, bundle=bundle))
        return verdicts

    def dossier(self, dossier: Dossier, *, more: Sequence[Claim] = ()) -> list[Verdict]:
        """Checksums first, then every signature (``more`` come from elsewhere), then what nobody vouches for."""
        verdicts, right = dossier.checked()
        claims = [*dossier.claims(), *more]
        self.announce(f"verifying {len(claims)} signatures")
        proven = self.trust.verify(self.identity, claims)
        signed = {claim.name for claim, verdict in zip(claims, proven, strict=True) if verdict.state is State.PASS}
        lacking = dossier.unproven(signed, right)
        verdicts += [replace(verdict, place="signature") for verdict in (*proven, *lacking)]
        return [*verdicts, *dossier.copies(), *dossier.oddities]

    def release(self, tag: str) -> list[Verdict]:
        """A whole GitHub Release: every asset is downloaded, then judged like a folder."""
        with tempfile.TemporaryDirectory(prefix="hephaestus-verify-") as work, self.services.http() as http:
            folder = Path(work)
            client = self.services.github(self.identity.repository, http)
            try:
                release = client.find_release(tag)
                verdicts = [_release(release, tag)]
                if release is None:
                    return verdicts
                verdicts += self._assets(client, release.assets, folder)
            except ServiceError as error:
                return [unanswered("github", "releases", error)]
            return [*verdicts, *self.folder(folder)]

    def project(self, pinned: Pinned) -> list[Verdict]:
        """PyPI, Test PyPI and the GitHub Release of a version, held against the signed manifest of that release."""
        with tempfile.TemporaryDirectory(prefix="hephaestus-verify-") as work, self.services.http() as http:
            folder = Path(work)
            github, expected, dossier = self._github(pinned, http, folder / "github")
            pypi = fetch_release(
                IndexClient(self.services.index_url, http=http), pinned, expected, folder / "pypi",
                announce=self.announce, progress=self.progress,
            )  # fmt: skip
            test = IndexClient(self.services.test_index_url, http=http)
            tried = compare_trial(test, pinned, expected or pypi.digests, manifest=bool(expected))
            held = replace(dossier, subjects=pypi.files)
            return [*pypi.verdicts, *tried, *github, *self.dossier(held, more=pypi.claims)]

    def _github(self, pinned: Pinned, http: HttpClient, folder: Path) -> tuple[list[Verdict], dict[str, str], Dossier]:
        """The release's manifest with its signatures, fetched, and its assets held against it."""
        ref = self.identity.ref
        tag = ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else tag_of(pinned.version)
        client = self.services.github(self.identity.repository, http)
        folder.mkdir()
        expected: dict[str, str] = {}
        try:
            release = client.find_release(tag)
            verdicts = [_release(release, tag)]
            if release is None:
                return verdicts, {}, Dossier(subjects={})
            wanted = {SUMS, f"{SUMS}.sigstore.json"}
            verdicts += self._assets(client, [asset for asset in release.assets if asset.name in wanted], folder)
            expected = _listed(folder / SUMS)
            bundles = {f"{name}.sigstore.json" for name in expected}
            verdicts += self._assets(client, [asset for asset in release.assets if asset.name in bundles], folder)
            for verdict in asset_verdicts(client.read_back(release, expected)):
                said = {State.PASS: BY_MANIFEST, State.ABSENT: "it is not there"}
                verdicts.append(replace(verdict, reason=verdict.reason or said[verdict.state]))
        except ServiceError as error:
            return [unanswered("github", "releases", error)], {}, Dossier(subjects={})
        found = Dossier.of_folder(folder)
        ours = {name: digest for name, digest in expected.items() if _is_of(name, pinned)}
        return verdicts, ours, found

    def _assets(self, client: GitHubClient, assets: Iterable[Asset], folder: Path) -> list[Verdict]:
        """Download assets; a verdict for each that did not arrive as GitHub says it is."""
        verdicts: list[Verdict | None] = []
        seen: dict[str, str] = {}
        for asset in assets:
            if twin := seen.get(asset.name.casefold()):
                # Where case makes no difference, one would take the other's place and never be looked at.
                reason = f"there is also {twin}: they could be taken for one another"
                verdicts.append(Verdict(state=State.FAIL, place="github", subject=asset.name, reason=reason))
                continue
            seen[asset.name.casefold()] = asset.name
            verdicts.append(self._asset(client, asset, folder))
        return [verdict for verdict in verdicts if verdict is not None]

    def _asset(self, client: GitHubClient, asset: Asset, folder: Path) -> Verdict | None:
        if problem := unfit_member_name(asset.name):
            return Verdict(state=State.FAIL, place="github", subject=asset.name, reason=f"it {problem}")
        if not asset.uploaded:
            return absent("github", asset.name, "its upload was never finished")
        self.announce(f"downloading {asset.name} ({asset.size} bytes)")
        try:
            client.download(asset, folder / asset.name, progress=self.progress)
        except DownloadMismatch as error:
            return Verdict(state=State.FAIL, place="github", subject=asset.name, reason=error.what)
        return None


def _receipts(folder: Path) -> Iterator[Verdict]:
    """Whether a release directory holds what its receipts say; elsewhere there are none, and nothing is said."""
    if not (folder / "receipts").is_dir():
        return
    try:
        damage = ReleaseDirectory(path=folder).damage()
    except ReceiptError as error:
        yield Verdict(state=State.FAIL, place="receipts", subject="receipts", reason=error.what)
        return
    for finding in damage:
        state = State.ABSENT if finding.code == "missing" else State.FAIL
        yield Verdict(state=state, place="receipts", subject=finding.subject, reason=finding.message)
    if not damage:
        yield Verdict(state=State.PASS, place="receipts", subject="every file", reason="as its receipt says")


def _release(release: Release | None, tag: str) -> Verdict:
    version = read[1] if (read := read_tag(tag)) is not None else meant_by_tag(tag)
    said = release is not None and release.prerelease
    prerelease = version.is_prerelease if version is not None else said
    verdict = release_verdict(release, tag, prerelease=prerelease)
    if release is None or verdict.state is not State.PASS:
        return verdict if verdict.reason else replace(verdict, reason="there is no such release")
    lasting = "immutable" if release.immutable else "not immutable: its assets can still be replaced"
    return replace(verdict, reason=f"published; {lasting}")


def _is_of(filename: str, pinned: Pinned) -> bool:
    """Whether a file is a distribution of that very version."""
    release = release_of(filename)
    return release is not None and (canonicalize_name(release.name), release.version) == (
        canonicalize_name(pinned.name),
        pinned.version,
    )


def _listed(manifest: Path) -> dict[str, str]:
    """Names and digests (hex) of a manifest; none where it is not there or cannot be read (a verdict says so)."""
    try:
        listed = parse_sums(manifest.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ManifestError):
        return {}
    return {name: digest.removeprefix("sha256:") for name, digest in listed.items()}
