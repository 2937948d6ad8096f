"""``/simple/``: the Simple API in JSON 1.4 and HTML by content negotiation (PEP 503, 592, 658, 691, 700, 740, 792)."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from packaging.version import Version

from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index.answers import cached, moment, plain, redirect
from hephaestus.standins.index.records import Project, StoredFile
from hephaestus.standins.index.store import Store, files_of, project_key

__all__ = ["JSON_TYPE", "PAGE_KINDS", "SimplePages", "file_path"]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_HTML_TYPE = "application/vnd.pypi.simple.v1+html"
_TYPES = {
    JSON_TYPE: JSON_TYPE,
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    _HTML_TYPE: _HTML_TYPE,
    "application/vnd.pypi.simple.latest+html": _HTML_TYPE,
    "text/html": "text/html",
    "text/*": "text/html",
    "application/*": JSON_TYPE,
    "*/*": "text/html",
}
_API_VERSION = "1.4"
_MAX_AGE = 600
PAGE_KINDS = ("html", "bad-json", "wrong-type", "stale", "simple-500", "simple-503", "simple-hang", "simple-reset")


def file_path(file: StoredFile) -> str:
    """The path a distribution is served under: by its digest, as on PyPI, so that it never changes."""
    return f"/packages/{file.blake2[:2]}/{file.blake2[2:4]}/{file.blake2[4:]}/{file.filename}"


class SimplePages:
    """The simple pages of one index."""

    def __init__(self, *, name: str, store: Store, faults: Faults) -> None:
        self._name = name
        self._store = store
        self._faults = faults

    def handle(self, request: Request) -> Response:
        """Answer one request at or below ``/simple``."""
        wanted = request.path.removeprefix("/simple").strip("/")
        if request.path == "/simple":
            return redirect("/simple/")
        if not wanted:
            return self._negotiated(request, self._projects)
        if "/" in wanted:
            return plain(404, "Not Found")
        key = project_key(wanted)
        if request.path != f"/simple/{key}/":
            return redirect(f"/simple/{key}/")
        return self._project(request, key)

    def _projects(self, request: Request) -> tuple[dict[str, Any], int]:
        del request
        with self._store.reading() as state:
            names = [{"name": project.name} for _, project in sorted(state.projects.items())]
            meta = {"api-version": _API_VERSION, "_last-serial": state.serial}
            return {"meta": meta, "projects": names}, state.serial

    def _project(self, request: Request, key: str) -> Response:
        fault = self._faults.take(self._name, PAGE_KINDS)
        broken = _broken(fault)
        if broken is not None:
            return broken
        with self._store.reading() as state:
            if key not in state.projects:
                return plain(404, "Not Found")
        stale = fault is not None and fault.kind == "stale"
        response = self._negotiated(request, lambda asked: self._page(asked, key, stale=stale))
        self._one_page_older(key)
        return response

    def _negotiated(self, request: Request, make: Callable[[Request], tuple[dict[str, Any], int]]) -> Response:
        kind = negotiate(request.headers.get("accept", ""))
        if kind is None:
            return plain(406, "Not Acceptable")
        page, serial = make(request)
        body = json.dumps(page).encode() if kind == JSON_TYPE else _html(page).encode()
        content_type = kind if kind != "text/html" else "text/html; charset=UTF-8"
        return cached(request, body, kind=content_type, seconds=_MAX_AGE, serial=serial)

    def _page(self, request: Request, key: str, *, stale: bool) -> tuple[dict[str, Any], int]:
        with self._store.reading() as state:
            project = state.projects[key]
            everything = files_of(state, key)
        shown = [file for file in everything if not file.hidden]
        if stale and shown:
            newest = max(file.uploaded for file in shown)
            shown = [file for file in shown if file.uploaded != newest]
        if project.status == "quarantined":
            shown = []
        serial = project.serial if len(shown) == len(everything) else project.serial - 1
        status = {"status": project.status, **({"reason": project.reason} if project.reason else {})}
        return {
            "meta": {"api-version": _API_VERSION, "_last-serial": serial},
            "name": key,
            "project-status": status,
            "alternate-locations": [],
            "versions": sorted({file.version for file in shown}, key=Version),
            "files": [_entry(file, project, request.base) for file in shown],
        }, serial

    def _one_page_older(self, key: str) -> None:
        with self._store.reading() as state:
            waiting = any(file.hidden for file in files_of(state, key))
        if not waiting:
            return
        with self._store.change() as state:
            for file in files_of(state, key):
                if file.hidden:
                    state.files[file.filename] = replace(file, hidden=file.hidden - 1)


def negotiate(accept: str) -> str | None:
    """The content type to answer with: the client's highest quality, the first of equals; None for none."""
    best: tuple[float, str] | None = None
    for entry in accept.split(",") if accept.strip() else ["*/*"]:
        name, *parameters = (part.strip() for part in entry.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        kind = _TYPES.get(name.lower())
        if kind is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, kind)
    return best[1] if best else None


def _entry(file: StoredFile, project: Project, base: str) -> dict[str, Any]:
    metadata: bool | dict[str, str] = {"sha256": file.metadata_sha256} if file.metadata_sha256 is not None else False
    release = project.releases[file.version]
    return {
        "filename": file.filename,
        "url": f"{base}{file_path(file)}",
        "hashes": {"sha256": file.sha256},
        "requires-python": file.requires_python or None,
        "size": file.size,
        "upload-time": moment(file.uploaded),
        "yanked": False if release.yanked is None else (release.yanked or True),
        "core-metadata": metadata,
        "data-dist-info-metadata": metadata,
        "provenance": (
            f"{base}/integrity/{file.project}/{file.version}/{file.filename}/provenance" if file.attestations else None
        ),
    }


def _html(page: Mapping[str, Any]) -> str:
    """The same page as HTML (PEP 503 with the data attributes of 592, 658, 740 and 792's status)."""
    lines = ["<!DOCTYPE html>", "<html>", "  <head>"]
    lines.append(f'    <meta name="pypi:repository-version" content="{_API_VERSION}">')
    if "project-status" in page:
        status = html.escape(page["project-status"]["status"])
        lines.append(f'    <meta name="pypi:project-status" content="{status}">')
    lines += [f"    <title>{html.escape(page.get('name', 'Simple index'))}</title>", "  </head>", "  <body>"]
    for project in page.get("projects", ()):
        name = project["name"]
        lines.append(f'    <a href="/simple/{project_key(name)}/">{html.escape(name)}</a><br />')
    for file in page.get("files", ()):
        attributes = [f'href="{html.escape(file["url"])}#sha256={file["hashes"]["sha256"]}"']
        if file["requires-python"]:
            attributes.append(f'data-requires-python="{html.escape(file["requires-python"])}"')
        if file["core-metadata"]:
            digest = f"sha256={file['core-metadata']['sha256']}"
            attributes += [f'data-core-metadata="{digest}"', f'data-dist-info-metadata="{digest}"']
        if file["yanked"] is not False:
            reason = file["yanked"] if isinstance(file["yanked"], str) else ""
            attributes.append(f'data-yanked="{html.escape(reason)}"')
        if file["provenance"]:
            attributes.append(f'data-provenance="{html.escape(file["provenance"])}"')
        lines.append(f"    <a {' '.join(attributes)}>{html.escape(file['filename'])}</a><br />")
    return "\n".join([*lines, "  </body>", "</html>", ""])


def _broken(fault: Fault | None) -> Response | None:
    """The answer of a broken page, where the fault is one."""
    kind = fault.kind if fault else ""
    if kind == "html":
        return Response(body=b"<html><body>Are you human?</body></html>", headers={"Content-Type": "text/html"})
    if kind == "bad-json":
        return Response(body=b'{"meta": {"api-version": "1.4"}, "files": [', headers={"Content-Type": JSON_TYPE})
    if kind == "wrong-type":
        return Response(body=b"{}", headers={"Content-Type": "application/octet-stream"})
    if kind in ("simple-500", "simple-503"):
        return plain(int(kind[-3:]), "Service Unavailable" if kind.endswith("503") else "Internal Server Error")
    if kind == "simple-hang":
        return Response(wire="hang")
    if kind == "simple-reset":
        return Response(wire="reset")
    return None
