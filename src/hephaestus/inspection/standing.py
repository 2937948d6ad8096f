"""How a release stands: every file on every index, the days left to complete it, and its GitHub Release."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from hephaestus.inspection.manifest import Expected, sums_of
from hephaestus.inspection.places import Places
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.services.errors import ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.index import IndexClient, IndexFile, IndexProject, plan_upload
from hephaestus.services.plan import FileState
from hephaestus.services.private import IndexTokenRefused
from hephaestus.services.releases import AssetReport, Release
from hephaestus.services.settings import RepositorySettings
from hephaestus.worlds.private import PrivateTarget
from hephaestus.worlds.world import Policy, TestPyPIPolicy

__all__ = [
    "Asked",
    "FileStanding",
    "GitHubStanding",
    "Held",
    "IndexStanding",
    "ask",
    "immutable_releases",
    "wanted_indexes",
]


class Held(StrEnum):
    """How one file stands on an index."""

    MISSING = "missing"
    LAGGING = "published, not yet propagated"
    IDENTICAL = "identical"
    CONFLICT = "conflict"
    FOREIGN = "foreign"
    UNCOMPARED = "there, not compared"


@dataclass(frozen=True, kw_only=True)
class FileStanding:
    """One file on one index. ``yanked`` is None, or the reason given (perhaps empty)."""

    filename: str
    state: str
    reason: str = ""
    yanked: str | None = None


@dataclass(frozen=True, kw_only=True)
class IndexStanding:
    """A release on one index. ``status`` is the project's (PEP 792); ``trouble`` is why the index did not answer.

    ``deadline``: until then the release takes further files, None while it has none; ``days_left`` counts whole days
    begun, 0 when it is over.
    """

    index: str
    files: tuple[FileStanding, ...] = ()
    status: str = "active"
    reason: str = ""
    deadline: datetime | None = None
    days_left: int | None = None
    trouble: str = ""

    def having(self, *states: str) -> tuple[FileStanding, ...]:
        """The files in one of these states."""
        return tuple(file for file in self.files if file.state in states)

    @property
    def yanked(self) -> tuple[FileStanding, ...]:
        """The files that are yanked."""
        return tuple(file for file in self.files if file.yanked is not None)

    @property
    def present(self) -> tuple[FileStanding, ...]:
        """The files that the index has in any form."""
        return tuple(file for file in self.files if file.state not in (Held.MISSING,))

    @property
    def state(self) -> str:
        """In one word, the worst first."""
        if self.trouble:
            return "no answer"
        if self.status == "quarantined":
            return "quarantined"
        if self.having(Held.CONFLICT, Held.FOREIGN):
            return "conflict"
        if not self.present:
            return "absent"
        if self.having(Held.MISSING):
            return "partial"
        if self.having(Held.LAGGING):
            return "propagating"
        if self.yanked:
            return "yanked"
        return "served, not compared" if self.having(Held.UNCOMPARED) else "complete"


@dataclass(frozen=True, kw_only=True)
class GitHubStanding:
    """The GitHub Release. ``state`` is absent, draft, published or ``no answer`` (``trouble`` says why).

    ``hidden``: a draft could not have been seen, for lack of a token.
    """

    state: str
    url: str = ""
    immutable: bool = False
    prerelease: bool = False
    assets: int = 0
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    hidden: bool = False
    trouble: str = ""

    @property
    def complete(self) -> bool:
        """Whether every asset expected is there, byte for byte as far as GitHub tells digests."""
        return self.state in ("draft", "published") and not (self.missing or self.incomplete or self.different)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the services said at ``at``.

    ``manifest`` is where the digests come from that they were held against; ``wanted`` are the indexes without which
    the release is not complete. ``target`` is the private index of a release that goes there, ``github`` None: it is
    not announced on GitHub.
    """

    label: str
    at: datetime
    manifest: str
    wanted: tuple[str, ...] = ()
    indexes: Mapping[str, IndexStanding] = field(default_factory=dict)
    github: GitHubStanding | None = field(default_factory=lambda: GitHubStanding(state="absent"))
    target: PrivateTarget | None = None


def wanted_indexes(project: Project, policy: Policy) -> tuple[str, ...]:
    """The indexes without which this version is not complete, as the stages have it."""
    first = () if policy.testpypi is TestPyPIPolicy.OPTIONAL else ("testpypi",)
    promoted = not project.prerelease or policy.prerelease_to_pypi
    return (*first, "pypi") if promoted else first


def ask(project: Project, places: Places, expected: Expected, *, now: datetime) -> Asked:
    """Ask every service about this version; one that does not answer is a state, not an error."""
    if places.target is not None:
        return _ask_private(project, places, places.target, expected, now=now)
    with places.http() as http:
        client = places.releases(http)
        release, trouble = (None, places.unnamed) if places.unnamed else _release(client, project.tag)
        if not expected.source and release is not None:
            expected = _from_github(client, release) or expected
        indexes = {
            name: _index(places.index(name, http), name, project, expected, now=now, days=index.completion_days)
            for name, index in places.indexes.items()
        }
    hidden = not places.github.token and release is None
    github = GitHubStanding(state="no answer", trouble=trouble) if trouble else _github(release, expected)
    return Asked(
        label=places.label,
        at=now,
        manifest=expected.source,
        wanted=wanted_indexes(project, places.policy),
        indexes=indexes,
        github=replace(github, hidden=hidden and not trouble),
    )


def _ask_private(
    project: Project, places: Places, target: PrivateTarget, expected: Expected, *, now: datetime
) -> Asked:
    """The private index alone: there is no GitHub Release that could say more."""
    with places.http() as http:
        client = places.index(target.name, http)
        standing = _index(client, target.name, project, expected, now=now, days=None)
    return Asked(
        label=places.label,
        at=now,
        manifest=expected.source,
        wanted=(target.name,),
        indexes={target.name: standing},
        github=None,
        target=target,
    )


def immutable_releases(places: Places) -> bool | None:
    """Whether GitHub freezes what is published here; None where nobody tells us.

    The setting is shown to administrators only; to all others a frozen latest release shows it.
    """
    if places.target is not None:
        return None
    github = places.github
    with places.http() as http:
        settings = RepositorySettings(github.api_url, github.repository, github.token or None, http=http)
        try:
            return settings.immutable_releases(administrator=settings.facts().administrator)
        except ServiceError:
            pass  # hidden from this token, or not told: the second question remains
        try:
            latest = places.releases(http).latest_release()
        except ServiceError:
            return None
    return True if latest is not None and latest.immutable else None


def _release(client: GitHubClient, tag: str) -> tuple[Release | None, str]:
    try:
        return client.find_release(tag), ""
    except ServiceError as error:
        return None, error.what


def _from_github(client: GitHubClient, release: Release) -> Expected | None:
    try:
        sums = sums_of(client, release)
    except ReleaseError:
        return None
    if not sums:
        return None
    return Expected(source=f"SHA256SUMS of the GitHub Release {release.tag}", files=sums, assets=sums)


def _github(release: Release | None, expected: Expected) -> GitHubStanding:
    if release is None:
        return GitHubStanding(state="absent")
    found = {
        asset.name: (asset.sha256 or expected.assets.get(asset.name, "")) if asset.uploaded else None
        for asset in release.assets
    }
    # An empty digest stands for "whatever is there": only the name is known.
    wanted = {name: digest or found.get(name) or "" for name, digest in expected.assets.items()}
    report = AssetReport.compare(found, wanted)
    return GitHubStanding(
        state="draft" if release.draft else "published",
        url=release.url,
        immutable=release.immutable,
        prerelease=release.prerelease,
        assets=len(release.assets),
        missing=report.missing,
        incomplete=report.incomplete,
        different=tuple(report.different),
    )


def _index(
    client: IndexClient, name: str, project: Project, expected: Expected, *, now: datetime, days: int | None
) -> IndexStanding:
    try:
        page = client.project(project.normalized)
        files = _files(client, page, project, expected)
    except IndexTokenRefused as error:
        return IndexStanding(index=name, trouble=f"{error.what}; {error.next_step}")
    except ServiceError as error:
        return IndexStanding(index=name, trouble=error.what)
    deadline = plan_upload(expected.files, page, project.version, days=days).deadline
    return IndexStanding(
        index=name,
        files=files,
        status="active" if page is None else page.status,
        reason="" if page is None else page.reason,
        deadline=deadline,
        days_left=None if deadline is None else max(0, math.ceil((deadline - now).total_seconds() / 86_400)),
    )


def _files(
    client: IndexClient, page: IndexProject | None, project: Project, expected: Expected
) -> tuple[FileStanding, ...]:
    there = {} if page is None else {file.filename: file for file in page.release_files(project.version)}
    if not expected.source:
        return tuple(_standing(file, Held.UNCOMPARED) for file in there.values())
    plan = plan_upload(expected.files, page, project.version)
    known = client.json_api(project.normalized, project.version) or {} if page is not None and plan.missing else {}
    states = {FileState.IDENTICAL: Held.IDENTICAL, FileState.CONFLICT: Held.CONFLICT, FileState.MISSING: Held.MISSING}
    rows = []
    for file in plan.files:
        if file.state is FileState.MISSING and known.get(file.filename) == file.sha256:
            rows.append(FileStanding(filename=file.filename, state=Held.LAGGING))
        else:
            rows.append(_standing(there.get(file.filename), states[file.state], file.filename, file.reason))
    return (
        *rows,
        *(_standing(file, Held.FOREIGN, reason=f"none of ours (sha256 {file.sha256})") for file in plan.foreign),
    )


def _standing(file: IndexFile | None, state: Held, filename: str = "", reason: str = "") -> FileStanding:
    yanked = None if file is None else file.yank
    return FileStanding(filename=filename or (file.filename if file else ""), state=state, reason=reason, yanked=yanked)
