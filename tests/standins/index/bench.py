"""An index under test: a clock to turn, tokens that need no issuer, attestations that say what they are."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hephaestus.release.metadata import distribution_kind, read_core_metadata
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index import Index, PublisherConfig

BASE = "http://127.0.0.1:1234"
BOUNDARY = "----a-boundary"
PUBLISH_V1 = "https://docs.pypi.org/attestations/publish/v1"
CLAIMS = {
    "repository": "Owner/repo",
    "repository_owner": "Owner",
    "repository_owner_id": "7",
    "job_workflow_ref": "Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.0",
    "ref": "refs/tags/v1.0",
    "sha": "a" * 40,
    "event_name": "release",
    "environment": "pypi",
}
PUBLISHER = PublisherConfig(
    project="tiny-thing", repository="owner/repo", workflow="publish-pypi.yml", environment="pypi"
)


class Clock:
    """Seconds since the epoch that only move when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def form_body(fields: Sequence[tuple[str, str]], file: tuple[str, bytes] | None) -> bytes:
    """A multipart form as twine writes it."""
    out = b""
    for name, value in fields:
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    if file is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{file[0]}"\r\n'
        out += head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + file[1] + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def upload_fields(path: Path, *, filename: str | None = None) -> list[tuple[str, str]]:
    """The form fields twine makes of a distribution."""
    metadata = read_core_metadata(path, filename=filename)
    fields = [(":action", "file_upload"), ("protocol_version", "1")]
    kind = distribution_kind(filename or path.name)
    fields.append(("filetype", "bdist_wheel" if kind == "wheel" else "sdist"))
    fields.append(("sha256_digest", hashlib.sha256(path.read_bytes()).hexdigest()))
    plural = {"classifier": "classifiers", "project-url": "project_urls", "license-file": "license_files"}
    for name, values in metadata.fields.items():
        fields += [(plural.get(name, name.replace("-", "_")), value) for value in values]
    fields.append(("description", metadata.description))
    return fields


def attestation(filename: str, sha256: str, *, predicate: str = PUBLISH_V1) -> dict[str, Any]:
    """An attestation shaped like PEP 740's, with nothing signed."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": predicate,
        "predicate": None,
    }
    return {
        "version": 1,
        "verification_material": {"certificate": "AA==", "transparency_entries": [{}]},
        "envelope": {
            "statement": base64.b64encode(json.dumps(statement).encode()).decode(),
            "signature": "AA==",
        },
    }


@dataclass
class Bench:
    """One index with everything around it, and short words for what a client does."""

    folder: Path
    name: str = "pypi"
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    publishers: Sequence[PublisherConfig] = (PUBLISHER,)
    claims: dict[str, Any] = field(default_factory=lambda: dict(CLAIMS))
    verify_token_error: Exception | None = None
    verify_attestation_error: Exception | None = None
    verified: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> Index:
        """Start (again) on what is on disk."""
        self.index = Index(
            self.name,
            self.folder,
            verify_token=self._verify_token,
            verify_attestation=self._verify_attestation,
            publishers=self.publishers,
            clock=self.clock,
            faults=self.faults,
        )
        return self.index

    def fault(self, *texts: str) -> None:
        """Arm faults by their text, without the service's name."""
        self.faults.arm([Fault.parse(f"{self.name}:{text}") for text in texts])

    def get(self, path: str, accept: str = "*/*", *, method: str = "GET", **headers: str) -> Response:
        """Ask for a page."""
        sent = {"accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.index.handle(Request(method=method, path=path, headers=sent, base=BASE))

    def simple(self, project: str = "tiny-thing") -> dict[str, Any]:
        """The project's simple JSON page."""
        response = self.get(f"/simple/{project}/", "application/vnd.pypi.simple.v1+json")
        assert response.status == 200, response
        return dict(json.loads(response.body))

    def shown(self, project: str = "tiny-thing") -> list[str]:
        """The file names the simple page shows."""
        return [file["filename"] for file in self.simple(project)["files"]]

    def post(self, path: str, value: Any) -> tuple[int, dict[str, Any]]:
        """Send JSON; the status and the JSON that came back."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        response = self.index.handle(Request(method="POST", path=path, body=body, base=BASE))
        return response.status, json.loads(response.body)

    def mint(self, **claims: Any) -> str:
        """A minted token, as after an exchange that works."""
        status, answer = self.post("/_/oidc/mint-token", {"token": self.jwt(**claims)})
        assert status == 200, answer
        return str(answer["token"])

    def jwt(self, **claims: Any) -> str:
        """An identity token that the stand-in verifier reads."""
        return json.dumps({"jti": uuid.uuid4().hex, **self.claims, **claims})

    def upload(
        self,
        path: Path,
        token: str | None,
        *,
        user: str = "__token__",
        filename: str | None = None,
        change: Mapping[str, str | None] | None = None,
        attestations: str | None = None,
    ) -> Response:
        """Upload as twine does; ``change`` replaces or (None) removes form fields."""
        name = filename or path.name
        changed = dict(change or {})
        fields = [(key, value) for key, value in upload_fields(path, filename=filename) if key not in changed]
        fields += [(key, value) for key, value in changed.items() if value is not None]
        if attestations is not None:
            fields.append(("attestations", attestations))
        return self.post_form(form_body(fields, (name, path.read_bytes())), token, user=user)

    def post_form(
        self, body: bytes, token: str | None, *, user: str = "__token__", kind: str | None = None
    ) -> Response:
        """Send a raw form."""
        headers = {"content-type": kind or f"multipart/form-data; boundary={BOUNDARY}"}
        if token is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()
        return self.index.handle(Request(method="POST", path="/legacy/", headers=headers, body=body, base=BASE))

    def attested(self, path: Path) -> str:
        """The ``attestations`` field for a file."""
        return json.dumps([attestation(path.name, hashlib.sha256(path.read_bytes()).hexdigest())])

    def _verify_token(self, token: str, audience: str) -> Mapping[str, Any]:
        if self.verify_token_error is not None:
            raise self.verify_token_error
        assert audience == self.name
        return dict(json.loads(token))

    def _verify_attestation(self, content: bytes, filename: str, sha256: str, publisher: PublisherConfig) -> None:
        if self.verify_attestation_error is not None:
            raise self.verify_attestation_error
        assert json.loads(content)["version"] == 1
        self.verified.append((filename, sha256, publisher.repository))
