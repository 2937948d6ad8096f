"""Verification for people: every fact about a release that can be looked at, one verdict each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hephaestus.consumer.dossier import SUMS, Dossier
from hephaestus.consumer.expectation import Pinned, release_of
from hephaestus.consumer.identity import Identity
from hephaestus.consumer.served import (
    asset_verdicts,
    attestations_in,
    fetched,
    index_verdicts,
    release_verdict,
)
from hephaestus.consumer.trust import Claim, Trust
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.manifest import ManifestError, parse_sums
from hephaestus.release.names import unfit_member_name
from hephaestus.release.receipts import ReceiptError
from hephaestus.services import USER_AGENT
from hephaestus.services.address import Address
from hephaestus.services.errors import DownloadMismatch, ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient, IndexFile, IndexProject, plan_upload
from hephaestus.services.patience import Patience
from hephaestus.services.releases import Asset, Release
from hephaestus.services.transfer import Progress

__all__ = ["Services", "Verification"]

_MANIFEST = f"its SHA-256 is that of {SUMS}"

Announce = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Where a release is served; raises AddressRefused for what is no address of a service.

    ``timeout`` is in seconds, of connecting and of silence; the token never shows.
    """

    index_url: str = "https://pypi.org/simple/"
    test_index_url: str = "https://test.pypi.org/simple/"
    github_url: str = "https://api.github.com"
    token: str | None = field(default=None, repr=False)
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for url in (self.index_url, self.test_index_url, self.github_url):
            Address.parse(url)

    @contextmanager
    def http(self) -> Iterator[HttpClient]:
        """A client with this patience."""
        patience = Patience(connect_seconds=self.timeout, silence_seconds=self.timeout)
        with HttpClient(user_agent=USER_AGENT, patience=patience) as http:
            yield http

    def github(self, repository: str, http: HttpClient) -> GitHubClient:
        """A client of the repository's releases; the token goes to this one host only."""
        return GitHubClient(self.github_url, self.github_url, repository, self.token, http=http)


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
                names = [asset.name for asset in release.assets] if release is not None else []
                verdicts += self._assets(client, release, names, folder)
            except ServiceError as error:
                return [_unanswered("github", "releases", error)]
            return [*verdicts, *self.folder(folder)] if any(folder.iterdir()) else verdicts

    def project(self, pinned: Pinned) -> list[Verdict]:
        """PyPI, Test PyPI and the GitHub Release of a version, held against the signed manifest of that release."""
        with tempfile.TemporaryDirectory(prefix="hephaestus-verify-") as work, self.services.http() as http:
            folder = Path(work)
            github, expected, dossier = self._github(pinned, http, folder / "github")
            pypi, served, claims = self._pypi(pinned, expected, http, folder / "pypi")
            against = _MANIFEST if expected else "the same as on PyPI"
            test = self._test_pypi(pinned, expected or served.digests, http, against=against)
            held = replace(dossier, subjects=served.files)
            return [*pypi, *test, *github, *self.dossier(held, more=claims)]

    def _github(self, pinned: Pinned, http: HttpClient, folder: Path) -> tuple[list[Verdict], dict[str, str], Dossier]:
        """The release's manifest with its signatures, fetched, and its assets held against it."""
        ref = self.identity.ref
        tag = ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else f"v{pinned.version}"
        client = self.services.github(self.identity.repository, http)
        folder.mkdir()
        expected: dict[str, str] = {}
        try:
            release = client.find_release(tag)
            verdicts = [_release(release, tag)]
            if release is None:
                return verdicts, {}, Dossier(subjects={})
            names = {asset.name for asset in release.assets}
            wanted = [SUMS, f"{SUMS}.sigstore.json"]
            verdicts += self._assets(client, release, [name for name in wanted if name in names], folder)
            expected = _listed(folder / SUMS)
            bundles = [f"{name}.sigstore.json" for name in expected]
            verdicts += self._assets(client, release, [name for name in bundles if name in names], folder)
            for verdict in asset_verdicts(client.read_back(release, expected)):
                said = {State.PASS: _MANIFEST, State.ABSENT: "it is not there"}
                verdicts.append(replace(verdict, reason=verdict.reason or said[verdict.state]))
        except ServiceError as error:
            return [_unanswered("github", "releases", error)], {}, Dossier(subjects={})
        found = Dossier.of_folder(folder)
        ours = {name: digest for name, digest in expected.items() if _is_of(name, pinned)}
        return verdicts, ours, found

    def _assets(
        self, client: GitHubClient, release: Release | None, names: Sequence[str], folder: Path
    ) -> list[Verdict]:
        """Download assets by name; a verdict for each that did not arrive as GitHub says it is."""
        verdicts = []
        for name in names:
            asset = release.asset(name) if release is not None else None
            if asset is None:
                continue
            verdict = self._asset(client, asset, folder)
            verdicts += [verdict] if verdict is not None else []
        return verdicts

    def _asset(self, client: GitHubClient, asset: Asset, folder: Path) -> Verdict | None:
        if problem := unfit_member_name(asset.name):
            return Verdict(state=State.FAIL, place="github", subject=asset.name, reason=f"it {problem}")
        if not asset.uploaded:
            return _absent("github", asset.name, "its upload was never finished")
        self.announce(f"downloading {asset.name} ({asset.size} bytes)")
        try:
            client.download(asset, folder / asset.name, progress=self.progress)
        except DownloadMismatch as error:
            return Verdict(state=State.FAIL, place="github", subject=asset.name, reason=error.what)
        return None

    def _pypi(
        self, pinned: Pinned, expected: Mapping[str, str], http: HttpClient, folder: Path
    ) -> tuple[list[Verdict], _Served, list[Claim]]:
        client = IndexClient(self.services.index_url, http=http)
        nothing = _Served()
        try:
            project = client.project(pinned.name)
            there = project.release_files(pinned.version) if project is not None else ()
            if project is None or not there:
                reason = f"the index has no such {'version' if project is not None else 'project'}"
                status = [_status(project, "pypi")] if project is not None else []
                return [_absent("pypi", pinned.text, reason), *status], nothing, []
            digests = {file.filename: file.sha256 or "" for file in there}
            against = _MANIFEST if expected else "no manifest to hold it against"
            verdicts = _compared("pypi", project, pinned, expected or digests, against=against)
            verdicts.append(_status(project, "pypi"))
            files: dict[str, Path] = {}
            claims: list[Claim] = []
            for file in there:
                self.announce(f"downloading {file.filename} ({file.size or '?'} bytes)")
                target = folder / file.filename
                wrong = fetched(client, file, target, place="pypi", progress=self.progress)
                if wrong is not None:
                    verdicts.append(wrong)
                    continue
                files[file.filename] = target
                found, attested = _attested(client, file, target)
                verdicts += found
                claims += attested
        except ServiceError as error:
            return [_unanswered("pypi", "index", error)], nothing, []
        return verdicts, _Served(files=files, digests=digests), claims

    def _test_pypi(
        self, pinned: Pinned, expected: Mapping[str, str], http: HttpClient, *, against: str
    ) -> list[Verdict]:
        """Test PyPI is where releases are tried: nothing need be there, but what is there must be the same."""
        client = IndexClient(self.services.test_index_url, http=http)
        try:
            project = client.project(pinned.name)
        except ServiceError as error:
            return [replace(_unanswered("testpypi", "index", error), required=False)]
        if project is None or not project.release_files(pinned.version):
            return [replace(_absent("testpypi", pinned.text, "it is not on Test PyPI"), required=False)]
        compared = _compared("testpypi", project, pinned, expected, against=against)
        unchecked = _absent("testpypi", "attestations", "not looked at: those of PyPI are of the same files")
        verdicts = [*compared, _status(project, "testpypi"), unchecked]
        return [replace(verdict, required=False) for verdict in verdicts]


@dataclass(frozen=True, kw_only=True)
class _Served:
    """What PyPI serves of a version: files that arrived, and digests (hex) by name."""

    files: Mapping[str, Path] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


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
    try:
        prerelease = Version(tag.removeprefix("v")).is_prerelease
    except InvalidVersion:
        prerelease = release.prerelease if release is not None else False
    verdict = release_verdict(release, tag, prerelease=prerelease)
    if release is None or verdict.state is not State.PASS:
        return verdict if verdict.reason else replace(verdict, reason="there is no such release")
    lasting = "immutable" if release.immutable else "not immutable: its assets can still be replaced"
    return replace(verdict, reason=f"published; {lasting}")


def _compared(
    place: str, project: IndexProject, pinned: Pinned, expected: Mapping[str, str], *, against: str
) -> list[Verdict]:
    files = project.release_files(pinned.version)
    # A release that is yanked from where it was tried is none the worse for its users.
    yanked = [file.filename for file in files if file.yanked is not False and place != "testpypi"]
    plan = plan_upload(
        {name: digest.removeprefix("sha256:") for name, digest in expected.items()}, project, pinned.version
    )
    compared = index_verdicts(place, plan, yanked=yanked, status="active")
    why = {file.filename: f": {file.yanked}" for file in files if file.yanked and file.filename in yanked}
    said = {State.PASS: against, State.ABSENT: "it is not there"}
    return [
        replace(verdict, reason=f"{verdict.reason or said[verdict.state]}{why.get(verdict.subject, '')}")
        for verdict in compared
    ]


def _status(project: IndexProject, place: str) -> Verdict:
    state = State.FAIL if project.status == "quarantined" else State.PASS
    reason = f"it is {project.status}{f': {project.reason}' if project.reason else ''}"
    return Verdict(state=state, place=place, subject=f"project {project.name}", reason=reason)


def _attested(client: IndexClient, file: IndexFile, target: Path) -> tuple[list[Verdict], list[Claim]]:
    """The attestations that the index serves for a file, written beside it; at least one there must be."""
    subject = f"attestation of {file.filename}"
    provenance = client.provenance(file)
    if provenance is None:
        return [_absent("pypi", subject, "the index has none; none can be added to it any more")], []
    found = attestations_in(provenance)
    if not found:
        reason = "the provenance is empty: it holds no attestation"
        return [Verdict(state=State.FAIL, place="pypi", subject=subject, reason=reason)], []
    claims = []
    for number, attestation in enumerate(found):
        path = target.parent / f"{target.name}.{number}.attestation"
        path.write_text(json.dumps(attestation), encoding="utf-8")
        claims.append(Claim(file=target, kind="attestation", proof=path, name=file.filename))
    return [], claims


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


def _absent(place: str, subject: str, reason: str) -> Verdict:
    return Verdict(state=State.ABSENT, place=place, subject=subject, reason=reason)


def _unanswered(place: str, subject: str, error: ServiceError) -> Verdict:
    return _absent(place, subject, f"not looked at: {error.what}")
