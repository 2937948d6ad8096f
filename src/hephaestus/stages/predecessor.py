"""The last publication of a project, as an index shows it, and what this release changes against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.publication_diff import PublicationDifference, compare_wheels
from hephaestus.services import USER_AGENT
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexFile
from hephaestus.services.patience import Patience
from hephaestus.stages.indexes import index_client
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import Index

__all__ = ["Publication", "last_publication"]

#: A published wheel of more bytes than this is not downloaded only to be compared.
_LARGEST = 100 * 1024 * 1024

#: Nothing depends on the comparison, so an index that does not answer is not waited for.
_PATIENCE = Patience(connect_seconds=5.0, silence_seconds=30.0, attempts=1)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What was published last. ``state`` is ``first release``, ``compared`` or ``not compared``."""

    state: str
    version: str = ""
    difference: PublicationDifference | None = None
    warnings: tuple[Finding, ...] = ()

    def data(self) -> dict[str, Any]:
        """As JSON data, for the receipt."""
        difference = self.difference.data() if self.difference is not None else None
        return {"state": self.state, "version": self.version, "difference": difference}

    def lines(self) -> list[str]:
        """For people."""
        if self.difference is not None:
            return self.difference.lines()
        return [f"nothing to compare with: {self.state}"] if self.state == "first release" else []


def last_publication(context: Context, wheels: Iterable[Path], *, index: str = "pypi") -> Publication:
    """Compare this release's wheel with the last one on ``index``; whatever goes wrong is a warning."""
    ours = list(wheels)
    place = context.world.indexes[index]
    try:
        return _compared(context, ours, place, index=place.name)
    except ReleaseError as error:
        return Publication(state="not compared", warnings=(_warning(place.name, error.what),))


def _compared(context: Context, wheels: list[Path], place: Index, *, index: str) -> Publication:
    with HttpClient(user_agent=USER_AGENT, patience=_PATIENCE) as http:
        client = index_client(place, http)
        project = client.project(context.project.normalized)
        files = project.files if project is not None else ()
        version = _last(files, before=Version(context.project.version))
        if version is None:
            return Publication(state="first release")
        published = [file for file in files if file.version == version and file.filename.endswith(".whl")]
        pair = _pair(wheels, published)
        if pair is None:
            reason = "it was published without a wheel" if wheels else "this release has no wheel"
            return _not_compared(index, version, reason)
        ours, theirs = pair
        if theirs.size is not None and theirs.size > _LARGEST:
            return _not_compared(index, version, f"{theirs.filename} has {theirs.size} bytes")
        context.narrator.step(f"comparing with {version}, the last version on {index}")
        target = context.work / "published" / theirs.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download(theirs, target)
    return Publication(state="compared", version=str(version), difference=compare_wheels(target, ours))


def _last(files: Iterable[IndexFile], *, before: Version) -> Version | None:
    """The version a user has now: the highest below ours, else the highest; stable and not yanked first."""
    good, rest = set[Version](), set[Version]()
    for file in files:
        version = file.version
        if version is None or version == before:
            continue
        (rest if version.is_prerelease or file.yanked is not False else good).add(version)
    for versions in (good, rest):
        below = [version for version in versions if version < before]
        if versions:
            return max(below or versions)
    return None


def _pair(wheels: list[Path], published: list[IndexFile]) -> tuple[Path, IndexFile] | None:
    """A wheel of ours and the published one for the same tags, or simply the first of each."""
    tags = {_tags(file.filename): file for file in published}
    for ours in wheels:
        if theirs := tags.get(_tags(ours.name)):
            return ours, theirs
    return (wheels[0], published[0]) if wheels and published else None


def _tags(filename: str) -> str:
    return "-".join(filename.removesuffix(".whl").split("-")[-3:])


def _not_compared(index: str, version: Version, reason: str) -> Publication:
    return Publication(state="not compared", version=str(version), warnings=(_warning(index, f"{version}: {reason}"),))


def _warning(index: str, reason: str) -> Finding:
    return Finding(
        code="publication-not-compared",
        subject=f"index {index}",
        message=f"the last published version could not be compared: {reason}",
        remedy="nothing depends on it; look at the project's page to see what this release changes",
        severity=Severity.WARNING,
    )
