"""``POST /legacy/``: the upload, judged in the order PyPI judges it (facts/pypi sections 1-4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from hephaestus.release.metadata import (
    BrokenDistribution,
    CoreMetadata,
    distribution_kind,
    read_metadata_bytes,
)
from hephaestus.release.rules import Limits, Refusal, file_refusals, form_refusals, project_refusals
from hephaestus.standins.http import Request
from hephaestus.standins.index.answers import Refused
from hephaestus.standins.index.attestations import VerifyAttestation, accept_attestations
from hephaestus.standins.index.form import MalformedForm, UploadForm
from hephaestus.standins.index.publishing import token_digest
from hephaestus.standins.index.records import Attempt, Project, Release, State, StoredFile, Token
from hephaestus.standins.index.store import Store, add_project, files_of, project_key, put_release

__all__ = ["RELEASE_OPEN", "Uploads", "core_metadata_of"]

RELEASE_OPEN = 14 * 24 * 3600
"""Seconds after its creation during which a release takes new files."""

_NEW_PROJECTS_PER_HOUR = 20
_INVALID_CREDENTIALS = "Invalid or non-existent authentication information."

# Form fields whose core metadata name is not simply spelled with dashes.
_FIELD_NAMES = {
    "classifiers": "classifier",
    "project_urls": "project-url",
    "license_files": "license-file",
    "home_page": "home-page",
    "description": "",
}
_FORM_ONLY = frozenset(
    {":action", "protocol_version", "filetype", "pyversion", "comment", "attestations", "gpg_signature"}
    | {"md5_digest", "sha256_digest", "blake2_256_digest", "content"}
)


class Uploads:
    """The upload endpoint of one index; ``read_only`` and ``no_uploads`` are the service's own switches."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Callable[[], float],
        verify_attestation: VerifyAttestation,
        classifiers: Collection[str] | None,
        limits: Limits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._verify = verify_attestation
        self._classifiers = classifiers
        self._limits = limits
        self.read_only = False
        self.no_uploads = False

    def arrive(self, request: Request) -> tuple[UploadForm | MalformedForm, int]:
        """Read the form and journal the attempt, whatever becomes of it; returns its number too."""
        form: UploadForm | MalformedForm
        try:
            form = UploadForm.parse(request.headers.get("content-type", ""), request.body)
        except MalformedForm as error:
            form = error
        content = form.content if isinstance(form, UploadForm) else None
        attempt = Attempt(
            time=self._clock(),
            filename=form.filename if isinstance(form, UploadForm) else "",
            sha256=hashlib.sha256(content or b"").hexdigest(),
            size=len(content or b""),
        )
        return form, self._store.arrived(attempt)

    def accept(self, request: Request, form: UploadForm | MalformedForm) -> StoredFile | None:
        """Judge and store one upload; None when the identical file is there already. Raises Refused."""
        if self.read_only:
            raise Refused(403, "Read-only mode: Uploads are temporarily disabled.")
        if self.no_uploads:
            raise Refused(403, "New uploads are temporarily disabled.")
        with self._store.change() as state:
            token = self._authenticate(state, request)
            if isinstance(form, MalformedForm):
                raise Refused(400, f"Invalid form: {form}.")
            return self._judge(state, token, form)

    def expire_token(self, request: Request) -> None:
        """Let the request's token be expired (a fault)."""
        text = _basic(request)[1]
        with self._store.change() as state:
            token = state.tokens.get(token_digest(text))
            if token is not None:
                state.tokens[token_digest(text)] = _expired(token)

    def _authenticate(self, state: State, request: Request) -> Token:
        user, password = _basic(request)
        if not user and not password:
            raise Refused(403, _INVALID_CREDENTIALS)
        if user != "__token__":
            raise Refused(403, "Username/Password authentication is no longer supported.")
        token = state.tokens.get(token_digest(password))
        if token is None:
            raise Refused(403, _INVALID_CREDENTIALS)
        if token.expires is not None and self._clock() >= token.expires:
            raise Refused(403, "Invalid API Token: token is expired")
        return token

    def _judge(self, state: State, token: Token, form: UploadForm) -> StoredFile | None:
        if form.first(":action") != "file_upload" or form.first("protocol_version") not in ("", "1"):
            raise Refused(400, "Unknown protocol version.")
        if form.content is None:
            raise Refused(400, "Upload payload does not have a file.")
        metadata = core_metadata_of(form)
        project = self._project(state, token, metadata.name)
        _first(form_refusals(metadata, filename=form.filename, classifiers=self._classifiers))
        md5, sha256, blake2 = self._sizes_and_digests(state, project, form, form.content)
        key = project_key(project.name)
        known = state.files.get(form.filename)
        if known is not None and (known.project, known.sha256, known.blake2) == (key, sha256, blake2):
            return None
        if known is not None or any(file.blake2 == blake2 for file in state.files.values()):
            raise Refused(400, f"File already exists ({form.filename!r}, with blake2_256 hash {blake2!r}).")
        if form.filename in state.burned:
            raise Refused(
                400,
                "This filename was previously used by a file that has since been deleted. Use a different version.",
            )
        now = self._clock()
        version = str(Version(metadata.version))
        release = project.releases.get(version) or Release(
            version=version, created=now, fields=metadata.fields, description=metadata.description
        )
        if now - release.created > RELEASE_OPEN:
            raise Refused(400, "Uploading new files to releases older than 14 days is not allowed.")
        kind = distribution_kind(form.filename) or "sdist"
        if form.first("filetype") != {"wheel": "bdist_wheel", "sdist": "sdist"}[kind]:
            raise Refused(400, f"Invalid value for filetype: {form.first('filetype')!r}.")
        same_release = [file for file in files_of(state, key) if file.version == version]
        if kind == "sdist" and any(file.kind == "sdist" for file in same_release):
            raise Refused(400, "Only one sdist may be uploaded per release.")
        inside = _judge_file(form.content, form.filename, metadata)
        attestations = (
            accept_attestations(
                form.first("attestations"),
                filename=form.filename,
                sha256=sha256,
                publisher=token.publisher,
                verify=self._verify,
            )
            if "attestations" in form.fields
            else ()
        )
        file = StoredFile(
            filename=form.filename,
            project=key,
            version=version,
            kind=kind,
            size=len(form.content),
            sha256=sha256,
            md5=md5,
            blake2=blake2,
            uploaded=now,
            metadata_sha256=hashlib.sha256(inside).hexdigest() if kind == "wheel" else None,
            requires_python=metadata.first("requires-python"),
            attestations=attestations,
            publisher=token.publisher,
        )
        self._store.keep(file, form.content, inside if kind == "wheel" else None)
        state.files[file.filename] = file
        put_release(state, key, release)
        return file

    def _project(self, state: State, token: Token, name: str) -> Project:
        """The project uploaded to, created for a user's token when it is new; raises Refused."""
        if not name:
            raise Refused(400, "'' is an invalid value for Name.")
        try:
            key = project_key(canonicalize_name(name, validate=True))
        except InvalidName:
            key = name
        project = state.projects.get(key)
        _first(project_refusals(name, exists=project is not None))
        if project is None:
            if _alike(name) in {_alike(other) for other in state.projects}:
                raise Refused(400, f"The name {name!r} is too similar to an existing project.")
            if token.kind == "publisher":
                raise Refused(400, "Non-user identities cannot create new projects.")
            now = self._clock()
            recent = [p for p in state.projects.values() if p.owner == token.owner and now - p.created < 3600]
            if len(recent) >= _NEW_PROJECTS_PER_HOUR:
                raise Refused(429, "Too many new projects created.")
            project = add_project(state, name, owner=token.owner, now=now)
        if token.kind == "publisher" and key not in (token.projects or ()):
            raise Refused(403, f"Invalid API Token: OIDC scoped token is not valid for project {name!r}")
        if project.status == "archived" or (project.status == "quarantined" and token.kind == "publisher"):
            raise Refused(403, f"The user {token.owner!r} isn't allowed to upload to project {name!r}.")
        if token.projects is not None and key not in token.projects:
            raise Refused(403, f"The user {token.owner!r} isn't allowed to upload to project {name!r}.")
        return project

    def _sizes_and_digests(
        self, state: State, project: Project, form: UploadForm, content: bytes
    ) -> tuple[str, str, str]:
        """md5, sha256 and blake2b-256 of the content, once they agree with the form; raises Refused."""
        if len(content) > self._limits.file:
            limit = self._limits.file // (1024 * 1024)
            raise Refused(400, f"File too large. Limit for project {project.name!r} is {limit} MB.")
        total = sum(file.size for file in files_of(state, project_key(project.name)))
        if total + len(content) > self._limits.project and form.filename not in state.files:
            raise Refused(400, "Project size too large.")
        computed = (
            hashlib.md5(content, usedforsecurity=False).hexdigest(),
            hashlib.sha256(content).hexdigest(),
            hashlib.blake2b(content, digest_size=32).hexdigest(),
        )
        sent = tuple(form.first(f"{name}_digest").lower() for name in ("md5", "sha256", "blake2_256"))
        if not any(sent):
            raise Refused(400, "Include at least one message digest.")
        if any(given and given != own for given, own in zip(sent, computed, strict=True)):
            raise Refused(400, "The digest supplied does not match a digest calculated from the uploaded file.")
        return computed


def core_metadata_of(form: UploadForm) -> CoreMetadata:
    """The core metadata an upload form carries, under the names it has in METADATA."""
    fields = {
        core: values
        for name, values in form.fields.items()
        if name not in _FORM_ONLY
        and (core := _FIELD_NAMES.get(name, name.replace("_", "-")))
        and any(value.strip() for value in values)
    }
    return CoreMetadata(fields=fields, description=form.first("description"))


def _judge_file(content: bytes, filename: str, metadata: CoreMetadata) -> bytes:
    """The bytes of the file's own METADATA, once file and form agree; raises Refused."""
    with tempfile.TemporaryDirectory(prefix="index-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        _first(file_refusals(path, filename=filename, metadata=metadata))
        try:
            inside = read_metadata_bytes(path, filename=filename)
        except BrokenDistribution as error:
            raise Refused(400, f"Invalid distribution file. {error.reason}.") from error
    own = CoreMetadata.parse(inside)
    if canonicalize_name(own.name) != canonicalize_name(metadata.name) or own.version != metadata.version:
        raise Refused(
            400,
            f"Invalid distribution file. Its metadata says {own.name} {own.version}, "
            f"the upload says {metadata.name} {metadata.version}.",
        )
    return inside


def _first(refusals: list[Refusal]) -> None:
    if refusals:
        raise Refused(refusals[0].status, refusals[0].message)


def _alike(name: str) -> str:
    """Names that only differ by what the eye confuses are one name."""
    return canonicalize_name(name).replace("-", "").translate(str.maketrans("0il", "o11"))


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _expired(token: Token) -> Token:
    return Token(kind=token.kind, owner=token.owner, projects=token.projects, expires=0.0, publisher=token.publisher)
