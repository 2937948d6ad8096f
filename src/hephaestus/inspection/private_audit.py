"""Gathering what an audit of a private index needs: its page, the clone's tags, and receipts where others have GitHub.

Nobody but the index is asked. It serves no attestations, so bytes are held against what the receipts here say was built
for it; a version that was released from elsewhere has none here, which is said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from packaging.version import InvalidVersion, Version

from hephaestus.inspection.audit import Audited, File, Manifest, Tag
from hephaestus.inspection.places import Places
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.project import Project
from hephaestus.release.receipts import ReceiptError
from hephaestus.release.tags import version_of_tag
from hephaestus.services.errors import DownloadMismatch, ServiceError
from hephaestus.services.index import IndexClient, IndexFile
from hephaestus.worlds.private import PrivateTarget

__all__ = ["gather_private"]


def gather_private(
    project: Project, places: Places, target: PrivateTarget, *, tags: Mapping[str, str], fetch: bool = False
) -> Audited:
    """Ask the index. ``tags`` are the clone's; with ``fetch`` every file is fetched and held against its digest."""
    troubles: dict[str, str] = {}
    shelf: dict[Version, list[File]] = {}
    status = "active"
    with places.http() as http:
        client = places.index(target.name, http)
        try:
            page = client.project(project.normalized)
            for file in page.files if page is not None else ():
                if file.version is not None:
                    shelf.setdefault(file.version, []).append(_file(client, file, fetch=fetch))
            status = "active" if page is None else page.status
        except ServiceError as error:
            troubles[target.name] = error.what
    prefix = project.config.tag_prefix
    grouped: dict[Version, list[Tag]] = {}
    for name in sorted(tags):
        version = version_of_tag(name, prefix)
        if version is not None:
            grouped.setdefault(version, []).append(Tag(name=name, here=tags[name]))
    return Audited(
        repository=project.repository,
        workflow="",
        indexes={} if troubles else {target.name: shelf},
        tags=grouped,
        manifests=_manifests(project, target),
        statuses={} if troubles else {target.name: status},
        troubles=troubles,
        expected=((), ()),
        github_told=False,
        tag_prefix=prefix,
        private=True,
    )


def _file(client: IndexClient, file: IndexFile, *, fetch: bool) -> File:
    told = File(filename=file.filename, sha256=file.sha256, yanked=file.yank)
    if not fetch:
        return told
    with tempfile.TemporaryDirectory(prefix="hephaestus-audit-") as folder:
        try:
            client.download(file, Path(folder) / file.filename)
        except DownloadMismatch as error:
            return replace(told, unproven=(error.what,))
    return told


def _manifests(project: Project, target: PrivateTarget) -> dict[Version, Manifest]:
    """What was built for this index, version by version, as far as the release folder here knows."""
    folder = project.root / project.config.directory
    found: dict[Version, Manifest] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            version = Version(path.name)
        except InvalidVersion:
            continue  # the rehearsals' folder, the marker
        try:
            build = ReleaseDirectory(path=path).receipt("build")
        except ReceiptError as error:
            found[version] = Manifest(trouble=error.what)
            continue
        if build is not None and build.world == target.label:
            files = {
                Path(name).name: digest.removeprefix("sha256:")
                for name, digest in build.outputs.items()
                if name.startswith("dist/")
            }
            found[version] = Manifest(files=files, commit=build.commit)
    return found
