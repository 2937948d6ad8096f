"""The client of GitHub Releases: draft, assets, read back, publish last."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hephaestus.services.access import RepositoryAccess
from hephaestus.services.address import Address
from hephaestus.services.errors import AnswerInvalid, ServiceDown, UnexpectedStatus, Unreachable
from hephaestus.services.http import Answer, HttpClient, Redirects
from hephaestus.services.refusals import (
    AssetExists,
    AssetIncomplete,
    AssetMismatch,
    AssetNameRefused,
    DraftsAmbiguous,
    PermissionMissing,
    PublicationFailed,
    ReleaseImmutable,
    translated,
)
from hephaestus.services.releases import Asset, AssetReport, Release, TagTarget, check_asset, check_notes, field
from hephaestus.services.transfer import Downloaded, FileBody, Progress, Rest, sha256_of

__all__ = ["AssetProgress", "GitHubClient"]

AssetProgress = Callable[[str, int, int], None]
"""Called with an asset's name, the bytes sent so far and its size."""

_PAGES = 100
_PER_PAGE = 100


class GitHubClient:
    """Talks to one repository's releases.

    ``api_url`` and ``uploads_url`` are the two hosts of the API (``https://api.github.com``,
    ``https://uploads.github.com``); the token goes to these two and nowhere else: addresses inside answers are
    never used, and the storage that downloads redirect to gets no credential. ``token`` may be None for reading
    public releases. Raises the errors of ``services.errors`` and ``services.refusals`` only.
    """

    def __init__(self, api_url: str, uploads_url: str, repository: str, token: str | None, *, http: HttpClient) -> None:
        self._access = RepositoryAccess.of(api_url, repository, token)
        self._api = self._access.api
        self._uploads = f"{Address.parse(uploads_url).url.rstrip('/')}/repos/{repository}"
        self._http = http

    # reading

    def find_release(self, tag: str) -> Release | None:
        """The release of ``tag``: the published one, else the draft (seen only with a writing token), else None.

        Raises DraftsAmbiguous when several drafts have the tag.
        """
        answer = self._ask(f"/releases/tags/{quote(tag, safe='')}", tag=tag, missing_ok=True)
        if answer.status == 200:
            release = Release.read(answer.json(), url=answer.url)
            if release.tag != tag:
                raise AnswerInvalid(url=answer.url, defect=f"it is about release {release.tag!r}, not {tag!r}")
            return release
        found = [release for release in self.releases() if release.tag == tag]
        published = [release for release in found if not release.draft]
        if len(found) > 1 and not published:
            raise DraftsAmbiguous(url=self._api, tag=tag, drafts=[release.url for release in found])
        return next(iter(published or found), None)

    def release(self, number: int) -> Release:
        """The release of that id, as it is now."""
        answer = self._ask(f"/releases/{number}")
        return Release.read(answer.json(), url=answer.url)

    def latest_release(self) -> Release | None:
        """The release GitHub calls the latest; None when there is none."""
        answer = self._ask("/releases/latest", missing_ok=True)
        return Release.read(answer.json(), url=answer.url) if answer.status == 200 else None

    def releases(self) -> Iterator[Release]:
        """Every release, newest first; drafts among them only with a writing token."""
        for page in range(1, _PAGES + 1):
            answer = self._ask(f"/releases?per_page={_PER_PAGE}&page={page}")
            rows = answer.json()
            if not isinstance(rows, list):
                raise AnswerInvalid(url=answer.url, defect="a list of releases was expected")
            yield from (Release.read(row, url=answer.url) for row in rows)
            # The address in the Link header is not followed: the token goes to the configured host only.
            # Drafts are why we look here; without a token there are none to be seen.
            if self._access.token is None or 'rel="next"' not in answer.headers.get("link", ""):
                return

    def immutable_releases(self) -> bool | None:
        """Whether what is published becomes immutable; None when this token may not ask."""
        try:
            answer = self._ask("/immutable-releases", missing_ok=True)
        except PermissionMissing:
            return None
        return answer.status == 200 and field(answer.json(), "enabled", bool, url=answer.url)

    def tag_target(self, tag: str) -> TagTarget | None:
        """What ``tag`` stands for, through annotated tags; None when there is no such tag."""
        answer = self._ask(f"/git/ref/tags/{quote(tag, safe='/')}", tag=tag, missing_ok=True)
        for depth in range(5):
            if answer.status == 404:
                return None
            target = field(answer.json(), "object", dict, url=answer.url)
            sha = field(target, "sha", str, url=answer.url)
            if field(target, "type", str, url=answer.url) == "commit":
                return TagTarget(commit=sha, annotated=depth > 0)
            answer = self._ask(f"/git/tags/{quote(sha, safe='')}", tag=tag)
        raise AnswerInvalid(url=answer.url, defect=f"tag {tag} does not end at a commit")

    def default_branch(self) -> str:
        """The name of the repository's default branch."""
        answer = self._ask("")
        return field(answer.json(), "default_branch", str, url=answer.url)

    def contains(self, branch: str, commit: str) -> bool:
        """Whether ``commit`` is on ``branch``; False too when either does not exist."""
        answer = self._ask(f"/compare/{quote(commit, safe='')}...{quote(branch, safe='/')}", missing_ok=True)
        if answer.status == 404:
            return False
        return field(answer.json(), "status", str, url=answer.url) in ("ahead", "identical")

    def download(
        self,
        asset: Asset,
        target: Path,
        *,
        sha256: str | None = None,
        progress: Progress | None = None,
        rest: Rest | None = None,
    ) -> Downloaded:
        """Download an asset; size and digest are checked (``sha256``, else what the API says). See HttpClient."""
        try:
            return self._http.download(
                f"{self._api}/releases/assets/{asset.id}",
                target,
                headers=self._access.headers(accept="application/octet-stream"),
                sha256=sha256 or asset.sha256,
                size=asset.size,
                progress=progress,
                redirects=Redirects.ANONYMOUS,
                rest=rest,
            )
        except UnexpectedStatus as error:
            action = f"download {asset.name}"
            raise translated(
                error, repository=self._access.repository, action=action, tag="", name=asset.name
            ) from error

    def read_back(self, release: Release, expected: Mapping[str, str]) -> AssetReport:
        """Compare what the release holds now with ``expected`` (name to sha256, hex).

        An asset for which the API gives no digest is downloaded and hashed.
        """
        return self._report(self.release(release.id), expected)

    # writing

    def create_draft(self, *, tag: str, name: str, notes: str, prerelease: bool) -> Release:
        """Make a draft for a tag, which must be there when it is published.

        No commit is named: of one that changes a workflow file GitHub takes it with ``workflows: write`` only, which
        no job can have (changelog of 2023-11-02; cli/cli#9514). When the answer is lost, the draft is looked for before
        it is made again. Raises NotesTooLong, ReleaseExists, TagBurned.
        """
        body = {"tag_name": tag, "name": name, "body": notes, "draft": True, "prerelease": prerelease}
        check_notes(notes)
        attempt = 1
        while True:
            try:
                answer = self._send("POST", "/releases", body, action="create a draft", tag=tag, expect=(201,))
                return Release.read(answer.json(), url=answer.url)
            except (Unreachable, ServiceDown):
                found = self.find_release(tag)
                if found is not None:
                    return found
                if not self._http.pause(attempt):
                    raise
                attempt += 1

    def edit_notes(self, release: Release, notes: str) -> Release:
        """Replace a release's notes; allowed on immutable ones, too."""
        check_notes(notes)
        return self._patch(release, {"body": notes}, action="edit the notes")

    def upload_assets(
        self,
        release: Release,
        files: Sequence[Path],
        *,
        replaceable: Collection[str] = (),
        progress: AssetProgress | None = None,
    ) -> Release:
        """Send the files that the release lacks, under their own names; the release as it is afterwards.

        Same digest: kept. Other bytes under one of the names: AssetMismatch before anything is sent, but for those of
        a draft that are ``replaceable``. The rest of a broken transfer is removed from a draft and sent again.
        Raises ReleaseImmutable for a frozen release.
        """
        local = {path.name: path for path in files}
        for path in files:
            check_asset(path, unique=local[path.name] is path)
        expected = {name: sha256_of(path) for name, path in local.items()}
        fresh = self.release(release.id)
        report = self._report(fresh, expected)
        if not (fresh.draft and set(report.different) <= set(replaceable)) and report.different:
            raise AssetMismatch(url=fresh.url, tag=fresh.tag, different=report.different)
        for asset in [asset for asset in fresh.assets if asset.name in report.different]:
            self._remove(fresh, asset)
        wanting = [name for name in expected if name in (*report.missing, *report.incomplete, *report.different)]
        if wanting and fresh.immutable:
            raise ReleaseImmutable(url=fresh.url, tag=fresh.tag, missing=wanting)
        if report.different:
            fresh = self.release(release.id)
        for name in wanting:
            self._upload(fresh, local[name], expected[name], progress)
        return self.release(release.id)

    def publish(self, release: Release, *, prerelease: bool, latest: bool = True) -> Release:
        """Make the draft public, as the last act; nothing happens when it is public already.

        Raises PublicationFailed when tag or pre-release flag read back otherwise.
        """
        fresh = self.release(release.id)
        if fresh.draft:
            make_latest = "true" if latest and not prerelease else "false"
            body = {"draft": False, "prerelease": prerelease, "tag_name": release.tag, "make_latest": make_latest}
            self._patch(fresh, body, action="publish the release")
            fresh = self.release(release.id)
        for defect, wrong in (
            ("it is still a draft", fresh.draft),
            (f"its tag is {fresh.tag}", fresh.tag != release.tag),
            (f"its pre-release flag is {fresh.prerelease}", fresh.prerelease != prerelease),
        ):
            if wrong:
                raise PublicationFailed(url=fresh.url, tag=release.tag, defect=defect)
        return fresh

    def delete_draft(self, release: Release) -> None:
        """Delete a draft; raises PublicationFailed when it has been published meanwhile."""
        fresh = self.release(release.id)
        if not fresh.draft:
            raise PublicationFailed(url=fresh.url, tag=fresh.tag, defect="it is no draft any more, and stays")
        self._send("DELETE", f"/releases/{fresh.id}", None, action="delete the draft", tag=fresh.tag, expect=(204, 404))

    # inside

    def _upload(self, release: Release, path: Path, sha256: str, progress: AssetProgress | None) -> None:
        """Send one asset; after every unclear answer look what is there before sending it again."""
        name, attempt = path.name, 1
        while True:
            present = self.release(release.id).asset(name) if attempt > 1 else release.asset(name)
            if present is not None and present.uploaded:
                theirs = self._digest(present)
                if theirs != sha256:
                    raise AssetMismatch(url=release.url, tag=release.tag, different={name: (sha256, theirs)})
                return None
            if present is not None:
                self._remove(release, present)
            try:
                return self._post_asset(release, path, sha256, progress)
            except (Unreachable, ServiceDown, AssetExists):
                if not self._http.pause(attempt):
                    raise
                attempt += 1

    def _post_asset(self, release: Release, path: Path, sha256: str, progress: AssetProgress | None) -> None:
        name = path.name
        told = None if progress is None else lambda done, total: progress(name, done, total)
        answer = self._send(
            "POST",
            f"/releases/{release.id}/assets?name={quote(name, safe='')}",
            FileBody(path=path, progress=told),
            action=f"upload {name}",
            tag=release.tag,
            name=name,
            expect=(201,),
        )
        asset = Asset.read(answer.json(), url=answer.url)
        if asset.name != name:
            raise AssetNameRefused(name=name, reason=f"GitHub stored it as {asset.name!r}")
        if not asset.uploaded:
            raise AssetIncomplete(url=release.url, tag=release.tag, name=name)
        if asset.sha256 not in (None, sha256):
            raise AssetMismatch(url=release.url, tag=release.tag, different={name: (sha256, str(asset.sha256))})

    def _remove(self, release: Release, asset: Asset) -> None:
        if not self.release(release.id).draft:
            raise AssetIncomplete(url=release.url, tag=release.tag, name=asset.name)
        action = f"remove {asset.name} from the draft"
        self._send("DELETE", f"/releases/assets/{asset.id}", None, action=action, tag=release.tag, expect=(204, 404))

    def _report(self, release: Release, expected: Mapping[str, str]) -> AssetReport:
        found = {
            asset.name: (self._digest(asset) if asset.name in expected else asset.sha256 or "")
            if asset.uploaded
            else None
            for asset in release.assets
        }
        return AssetReport.compare(found, expected)

    def _digest(self, asset: Asset) -> str:
        if asset.sha256 is not None:
            return asset.sha256
        with tempfile.TemporaryDirectory(prefix="hephaestus-asset-") as folder:
            return self.download(asset, Path(folder) / "asset").sha256

    def _patch(self, release: Release, body: Mapping[str, Any], *, action: str) -> Release:
        answer = self._send("PATCH", f"/releases/{release.id}", body, action=action, tag=release.tag, expect=(200,))
        return Release.read(answer.json(), url=answer.url)

    def _ask(self, path: str, *, tag: str = "", missing_ok: bool = False) -> Answer:
        expect = (200, 404) if missing_ok else (200,)
        return self._send("GET", path, None, action="read", tag=tag, expect=expect)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | FileBody | None,
        *,
        action: str,
        tag: str,
        expect: Collection[int],
        name: str = "",
    ) -> Answer:
        upload = isinstance(body, FileBody)
        headers = self._access.headers(accept="application/vnd.github+json")
        if body is not None:
            headers["Content-Type"] = "application/octet-stream" if upload else "application/json"
        try:
            return self._http.request(
                method,
                (self._uploads if upload else self._api) + path,
                headers=headers,
                body=body if isinstance(body, FileBody) or body is None else json.dumps(body).encode(),
                expect=expect,
                redirects=Redirects.SAME_ORIGIN if method == "GET" else Redirects.REFUSE,
            )
        except UnexpectedStatus as error:
            raise translated(error, repository=self._access.repository, action=action, tag=tag, name=name) from error
