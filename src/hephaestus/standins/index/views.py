"""What an index shows beside its simple pages: the JSON API, provenance, and the files themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index.answers import cached, json_answer, moment, plain, redirect
from hephaestus.standins.index.attestations import provenance
from hephaestus.standins.index.records import Project, Release, StoredFile
from hephaestus.standins.index.simple import file_path
from hephaestus.standins.index.store import Store, files_of, project_key

__all__ = ["DOWNLOAD_KINDS", "Downloads", "Integrity", "ProjectJson"]

DOWNLOAD_KINDS = ("wrong-bytes", "file-404", "file-503")

_JSON_AGE = 900
_FILE_AGE = 365_000_000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class ProjectJson:
    """``/pypi/NAME/json`` and ``/pypi/NAME/VERSION/json``: the truth at once, while simple pages may lag."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def handle(self, request: Request) -> Response:
        """Answer one request below ``/pypi/``."""
        parts = request.path.strip("/").split("/")[1:]
        if len(parts) not in (2, 3) or parts[-1] != "json":
            return json_answer(404, {"message": "Not Found"})
        key = project_key(parts[0])
        if key != parts[0]:
            return redirect("/".join(["/pypi", key, *parts[1:]]))
        with self._store.reading() as state:
            project = state.projects.get(key)
            files = files_of(state, key)
        if project is None or project.status == "quarantined" or not files:
            return json_answer(404, {"message": "Not Found"})
        release = _release(project, parts[1]) if len(parts) == 3 else _latest(project)
        if release is None:
            return json_answer(404, {"message": "Not Found"})
        body = self._body(request, project, release, files, whole=len(parts) == 2)
        return cached(
            request,
            json.dumps(body).encode(),
            kind="application/json",
            seconds=_JSON_AGE,
            serial=project.serial,
        )

    def _body(
        self,
        request: Request,
        project: Project,
        release: Release,
        files: Sequence[StoredFile],
        *,
        whole: bool,
    ) -> dict[str, Any]:
        urls = {
            version: [_url(file, known, request.base) for file in files if file.version == version]
            for version, known in project.releases.items()
        }
        body: dict[str, Any] = {
            "info": _info(project, release),
            "last_serial": project.serial,
            "urls": urls[release.version],
            "vulnerabilities": [],
        }
        return {**body, "releases": urls} if whole else body


class Integrity:
    """``/integrity/NAME/VERSION/FILE/provenance`` (PEP 740)."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def handle(self, request: Request) -> Response:
        """Answer one request below ``/integrity/``."""
        parts = request.path.strip("/").split("/")[1:]
        if len(parts) != 4 or parts[3] != "provenance":
            return json_answer(404, {"message": "Not Found"})
        with self._store.reading() as state:
            file = state.files.get(parts[2])
        if file is None or file.project != canonicalize_name(parts[0]) or not _same(file.version, parts[1]):
            return json_answer(404, {"message": f"No file named {parts[2]}"})
        found = provenance(file)
        if found is None:
            return json_answer(404, {"message": f"No provenance available for {parts[2]}"})
        return cached(request, json.dumps(found).encode(), kind="application/vnd.pypi.integrity.v1+json", seconds=600)


class Downloads:
    """The distributions' bytes and their ``.metadata`` siblings (PEP 658), with ranges."""

    def __init__(self, *, name: str, store: Store, faults: Faults) -> None:
        self._name = name
        self._store = store
        self._faults = faults

    def handle(self, request: Request) -> Response:
        """Answer one request below ``/packages/``."""
        filename = request.path.rpartition("/")[2]
        with self._store.reading() as state:
            file = state.files.get(filename)
            described = state.files.get(filename.removesuffix(".metadata"))
        if file is not None and request.path == file_path(file):
            return self._distribution(request, file)
        if described is not None and request.path == f"{file_path(described)}.metadata":
            content = self._store.metadata(described)
            if content is not None:
                return cached(request, content, kind="application/octet-stream", seconds=_FILE_AGE)
        return plain(404, "Not Found")

    def _distribution(self, request: Request, file: StoredFile) -> Response:
        fault = self._faults.take(self._name, DOWNLOAD_KINDS)
        if fault is not None and fault.kind != "wrong-bytes":
            return plain(int(fault.kind[-3:]), "Not available")
        headers = {
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "ETag": f'"{file.blake2[:32]}"',
            "Cache-Control": f"max-age={_FILE_AGE}, immutable, public",
        }
        wanted = request.headers.get("range", "")
        if fault is None and not wanted:
            return Response(file=self._store.path(file), headers=headers)
        content = self._store.path(file).read_bytes()
        if fault is not None:
            content = _tampered(content)
        if not wanted:
            return Response(body=content, headers=headers)
        span = _span(wanted, len(content))
        if span is None:
            return Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
        start, end = span
        return Response(
            status=206,
            body=content[start:end],
            headers={**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(content)}"},
        )


def _tampered(content: bytes) -> bytes:
    """Other bytes of the same size that still unpack alike: only a digest tells (a time stamp is changed)."""
    at = 10 if content.startswith(b"PK") else 4
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of one byte range, or None when it cannot be satisfied."""
    match = _RANGE.match(wanted.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    return (start, end) if start < end else None


def _same(version: str, asked: str) -> bool:
    try:
        return Version(version) == Version(asked)
    except InvalidVersion:
        return False


def _release(project: Project, asked: str) -> Release | None:
    return next((release for version, release in project.releases.items() if _same(version, asked)), None)


def _latest(project: Project) -> Release | None:
    """The newest release that is neither yanked nor a pre-release, where there is one."""
    ranked = sorted(
        project.releases.values(),
        key=lambda release: (
            release.yanked is None,
            not Version(release.version).is_prerelease,
            Version(release.version),
        ),
    )
    return ranked[-1] if ranked else None


def _info(project: Project, release: Release) -> dict[str, Any]:
    def first(field: str) -> str | None:
        values = release.fields.get(field, ())
        return values[0] if values else None

    urls = [entry.partition(",") for entry in release.fields.get("project-url", ())]
    return {
        "name": project.name,
        "version": release.version,
        "summary": first("summary"),
        "description": release.description,
        "description_content_type": first("description-content-type"),
        "author": first("author"),
        "author_email": first("author-email"),
        "license": first("license"),
        "license_expression": first("license-expression"),
        "license_files": list(release.fields.get("license-file", ())),
        "keywords": first("keywords"),
        "classifiers": list(release.fields.get("classifier", ())),
        "requires_python": first("requires-python"),
        "requires_dist": list(release.fields.get("requires-dist", ())) or None,
        "provides_extra": list(release.fields.get("provides-extra", ())) or None,
        "project_urls": {label.strip(): url.strip() for label, _, url in urls} or None,
        "yanked": release.yanked is not None,
        "yanked_reason": release.yanked or None,
        "downloads": {"last_day": -1, "last_week": -1, "last_month": -1},
    }


def _url(file: StoredFile, release: Release, base: str) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "url": f"{base}{file_path(file)}",
        "digests": {"md5": file.md5, "sha256": file.sha256, "blake2b_256": file.blake2},
        "packagetype": "bdist_wheel" if file.kind == "wheel" else "sdist",
        "size": file.size,
        "upload_time": moment(file.uploaded)[:19],
        "upload_time_iso_8601": moment(file.uploaded),
        "requires_python": file.requires_python or None,
        "yanked": release.yanked is not None,
        "yanked_reason": release.yanked or None,
        "downloads": -1,
    }
