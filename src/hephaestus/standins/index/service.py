"""One package index with PyPI's rules: routing, faults, and what a test may do to it from behind."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from hephaestus.release.metadata import CoreMetadata, distribution_kind, read_metadata_bytes
from hephaestus.release.rules import Limits
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index.answers import Refused, plain
from hephaestus.standins.index.attestations import VerifyAttestation
from hephaestus.standins.index.publishing import MINT_KINDS, Publishing, VerifyToken, new_token, token_digest
from hephaestus.standins.index.records import (
    Attempt,
    Project,
    PublisherConfig,
    Release,
    Status,
    StoredFile,
    Token,
)
from hephaestus.standins.index.simple import PAGE_KINDS, SimplePages
from hephaestus.standins.index.store import Store, add_project, files_of, project_key, put_release
from hephaestus.standins.index.upload import Uploads
from hephaestus.standins.index.views import DOWNLOAD_KINDS, Downloads, Integrity, ProjectJson

__all__ = ["FAULT_KINDS", "Index"]

_UPLOAD_KINDS = (
    "500", "502", "503", "504", "stored-500", "hang", "reset", "stored-reset", "400", "403", "429", "redirect",
    "token-expired", "archived",
)  # fmt: skip
_STORED_KINDS = ("lag", "yanked", "quarantined")

#: Every fault an index can suffer; ``Index`` says what each is.
FAULT_KINDS = (
    "down", *_UPLOAD_KINDS, *_STORED_KINDS, *PAGE_KINDS, *DOWNLOAD_KINDS, "oidc-off", *MINT_KINDS
)  # fmt: skip

_LAG = 3
"""Simple pages a file stays hidden from when a lag fault names no number."""


class Index:
    """A package index named ``name`` (``testpypi``, ``pypi`` or another), kept in ``state``.

    ``clock`` returns seconds since the epoch. ``verify_token`` and ``verify_attestation`` decide about identity
    tokens and attestations; ``publishers`` are the Trusted Publishers configured. ``classifiers`` are the
    trove classifiers known (None: only ``Private ::`` is refused). Safe for many threads; one process at a time.

    Faults, by what counts as one event of theirs:

    - any request: ``down`` (503 for everything);
    - an upload: 500, 502, 503, 504, hang, reset (nothing stored); stored-500, stored-reset (stored all the same);
      400=MESSAGE; 403 (read-only mode); 429=SECONDS or a date; redirect=URL; token-expired; archived (the project
      becomes so);
    - a file stored: lag=N (hidden from N simple pages), yanked=REASON (its release), quarantined (its project);
    - a simple page of a project: html, bad-json, wrong-type, stale, simple-500, simple-503, simple-hang, simple-reset;
    - a download: wrong-bytes, file-404, file-503;
    - an audience: oidc-off; a mint: mint-CODE with PyPI's codes, mint-html-500, mint-reset, mint-hang.
    """

    def __init__(
        self,
        name: str,
        state: Path,
        *,
        verify_token: VerifyToken,
        verify_attestation: VerifyAttestation,
        publishers: Sequence[PublisherConfig] = (),
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        classifiers: Collection[str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._faults = faults or Faults()
        self._store = Store(state)
        self._uploads = Uploads(
            store=self._store,
            clock=clock,
            verify_attestation=verify_attestation,
            classifiers=classifiers,
            limits=limits or Limits(),
        )
        self._publishing = Publishing(
            name=name,
            store=self._store,
            clock=clock,
            faults=self._faults,
            verify_token=verify_token,
            publishers=publishers,
        )
        self._pages = {
            "simple": SimplePages(name=name, store=self._store, faults=self._faults).handle,
            "pypi": ProjectJson(store=self._store).handle,
            "integrity": Integrity(store=self._store).handle,
            "packages": Downloads(name=name, store=self._store, faults=self._faults).handle,
        }

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        if self._faults.take(self.name, ("down",)):
            return plain(503, "Service Unavailable")
        if request.path in ("/legacy/", "/legacy"):
            return self._upload(request) if request.method == "POST" else plain(405, "Method Not Allowed")
        if request.path.startswith("/_/oidc/"):
            return self._publishing.handle(request)
        page = self._pages.get(request.path.split("/")[1] if "/" in request.path else "")
        if page is None:
            return plain(404, "Not Found")
        return page(request) if request.method in ("GET", "HEAD") else plain(405, "Method Not Allowed")

    # What a test or a rehearsal may do from behind.

    def journal(self) -> list[Attempt]:
        """Every upload attempt ever, oldest first, also those that were cut off."""
        return self._store.journal()

    def files(self, project: str) -> list[StoredFile]:
        """The project's files by name, also those a simple page does not show yet."""
        with self._store.reading() as state:
            return files_of(state, project_key(project))

    def add_user_token(self, user: str, *, projects: Sequence[str] | None = None) -> str:
        """A new API token of a user, for all projects or some; returns its text, which is kept nowhere."""
        text = new_token(self.name)
        scope = None if projects is None else tuple(project_key(name) for name in projects)
        with self._store.change() as state:
            state.tokens[token_digest(text)] = Token(kind="user", owner=user, projects=scope)
        return text

    def seed(self, path: Path, *, uploaded: float | None = None, owner: str = "somebody") -> StoredFile:
        """Put a distribution there as if uploaded before, judged by nobody; raises BrokenDistribution."""
        content = path.read_bytes()
        inside = read_metadata_bytes(path)
        metadata = CoreMetadata.parse(inside)
        now = self._clock() if uploaded is None else uploaded
        kind = distribution_kind(path.name) or "sdist"
        key = project_key(metadata.name)
        version = str(Version(metadata.version))
        file = StoredFile(
            filename=path.name,
            project=key,
            version=version,
            kind=kind,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            blake2=hashlib.blake2b(content, digest_size=32).hexdigest(),
            uploaded=now,
            metadata_sha256=hashlib.sha256(inside).hexdigest() if kind == "wheel" else None,
            requires_python=metadata.first("requires-python"),
        )
        with self._store.change() as state:
            if key not in state.projects:
                add_project(state, metadata.name, owner=owner, now=now)
            self._store.keep(file, content, inside if kind == "wheel" else None)
            state.files[file.filename] = file
            release = state.projects[key].releases.get(version) or Release(
                version=version, created=now, fields=metadata.fields, description=metadata.description
            )
            put_release(state, key, release)
        return file

    def yank(self, project: str, version: str, reason: str = "") -> None:
        """Yank a whole release, as the web page does; raises KeyError for an unknown one."""
        self._set_yanked(project, version, reason)

    def unyank(self, project: str, version: str) -> None:
        """Take a yank back; raises KeyError for an unknown release."""
        self._set_yanked(project, version, None)

    def set_status(self, project: str, status: Status, reason: str = "") -> None:
        """Archive, quarantine or reactivate a project (PEP 792); raises KeyError for an unknown one."""
        with self._store.change() as state:
            known = state.projects[project_key(project)]
            state.serial += 1
            state.projects[project_key(project)] = replace(known, status=status, reason=reason, serial=state.serial)

    def burn_filename(self, filename: str) -> None:
        """Make a file name used for ever; a file of that name is deleted."""
        with self._store.change() as state:
            state.burned.add(filename)
            file = state.files.pop(filename, None)
            if file is not None:
                put_release(state, file.project, state.projects[file.project].releases[file.version])

    def set_read_only(self, *, read_only: bool) -> None:
        """Switch the service's read-only mode."""
        self._uploads.read_only = read_only

    def set_uploads(self, *, allowed: bool) -> None:
        """Switch new uploads off or on."""
        self._uploads.no_uploads = not allowed

    def set_trusted_publishing(self, *, enabled: bool) -> None:
        """Switch Trusted Publishing off or on."""
        self._publishing.enabled = enabled

    def project(self, name: str) -> Project | None:
        """What is kept about a project, or None."""
        with self._store.reading() as state:
            return state.projects.get(project_key(name))

    def _set_yanked(self, project: str, version: str, reason: str | None) -> None:
        key = project_key(project)
        with self._store.change() as state:
            release = state.projects[key].releases[str(Version(version))]
            put_release(state, key, replace(release, yanked=reason))

    def _upload(self, request: Request) -> Response:
        form, number = self._uploads.arrive(request)
        fault = self._faults.take(self.name, _UPLOAD_KINDS)
        early = None if fault is None else _cut_short(fault)
        if early is not None:
            self._store.answered(number, status=_status(early), message=early.reason or "", stored=False)
            return early
        if fault is not None and fault.kind == "token-expired":
            self._uploads.expire_token(request)
        if fault is not None and fault.kind == "archived" and not isinstance(form, ValueError):
            project = self.project(form.first("name"))
            if project is not None:
                self.set_status(project.name, "archived", fault.value)
        try:
            stored = self._uploads.accept(request, form)
        except Refused as refused:
            response = plain(refused.status, refused.message)
            self._store.answered(number, status=refused.status, message=refused.message, stored=False)
            return response
        if stored is not None:
            self._after_storing(stored)
        response = plain(200)
        if fault is not None and fault.kind == "stored-500":
            response = plain(500, "Internal Server Error")
        elif fault is not None and fault.kind == "stored-reset":
            response = Response(wire="reset")
        self._store.answered(number, status=_status(response), message=response.reason or "", stored=stored is not None)
        return response

    def _after_storing(self, file: StoredFile) -> None:
        lag, yanked, quarantined = (self._faults.take(self.name, (kind,)) for kind in _STORED_KINDS)
        if lag is not None:
            with self._store.change() as state:
                state.files[file.filename] = replace(file, hidden=int(lag.value) if lag.value.isdecimal() else _LAG)
        if yanked is not None:
            self.yank(file.project, file.version, yanked.value)
        if quarantined is not None:
            self.set_status(file.project, "quarantined", quarantined.value)


def _status(response: Response) -> int:
    return response.status if response.wire == "answer" else 0


def _cut_short(fault: Fault) -> Response | None:
    """The answer of a fault that keeps the upload from being judged at all."""
    if fault.kind in ("500", "502", "503", "504"):
        return plain(int(fault.kind), "Service trouble", headers=_retry_after(fault))
    if fault.kind == "hang":
        return Response(wire="hang")
    if fault.kind == "reset":
        return Response(wire="reset")
    if fault.kind == "400":
        return plain(400, fault.value or "Bad Request")
    if fault.kind == "403":
        return plain(403, "Read-only mode: Uploads are temporarily disabled.")
    if fault.kind == "429":
        return plain(429, "Too many new projects created.", headers=_retry_after(fault))
    if fault.kind == "redirect":
        return Response(status=307, headers={"Location": fault.value or "https://example.invalid/legacy/"})
    return None


def _retry_after(fault: Fault) -> dict[str, str]:
    return {"Retry-After": fault.value} if fault.value else {}
