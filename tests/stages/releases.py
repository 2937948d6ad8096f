"""Small releases made in code, whole or spoilt in exactly one way: project, distributions, signatures, receipts."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from standins.index.distributions import core_metadata, digest_line, wheel_members, write_wheel

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.manifest import render_sums
from hephaestus.release.receipts import Receipt
from hephaestus.stages.stage import Context
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, Serving
from hephaestus.worlds.world import ChildKind, Publisher, Sigstore, World

NAME = "tiny-project"
VERSION = "1.2.3"
WHEEL = "tiny_project-1.2.3-py3-none-any.whl"
SDIST = "tiny_project-1.2.3.tar.gz"

IDENTITY = WorkflowIdentity(
    repository="o/r",
    workflow="publish-pypi.yml",
    ref="refs/tags/v1.2.3",
    sha="0123456789abcdef0123456789abcdef01234567",
)

PROJECT = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "tiny"\nbackend-path = ["."]\n\n'
    f'[project]\nname = "{NAME}"\nversion = "{VERSION}"\nreadme = "README.md"\n',
    "README.md": "# Tiny\n\nA project that only tests know.\n",
    "tiny_project/__init__.py": f'__version__ = "{VERSION}"\n',
}


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """What is wrong with one distribution; the default is nothing.

    ``fields`` replaces or adds metadata (an empty value removes); ``files`` are packed too (paths below the sdist's
    top folder); ``left_out`` are not; ``changed`` get their text after RECORD was written; ``keep`` cuts the archive
    to so many bytes, ``trailing`` is text after its end; ``filename`` renames it.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    description: str = "# Tiny\n\nA project that only tests know.\n"
    files: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    changed: Mapping[str, str] = field(default_factory=dict)
    keep: int | None = None
    trailing: str = ""
    filename: str = ""
    absent: bool = False


def wheel(spoilt: Spoilt, folder: Path) -> tuple[str, bytes]:
    """Name and bytes of a wheel of the tiny project."""
    files = {"tiny_project/__init__.py": PROJECT["tiny_project/__init__.py"], **spoilt.files}
    name = spoilt.filename or WHEEL
    members = wheel_members(NAME, VERSION, files=files, tags="-".join(name.removesuffix(".whl").split("-")[2:]))
    # The module that wheel_members packs by default would stand beside the package.
    del members["tiny_project.py"]
    info = f"tiny_project-{VERSION}.dist-info"
    members[f"{info}/METADATA"] = core_metadata(NAME, VERSION, spoilt.fields, description=spoilt.description).encode()
    for absent in spoilt.left_out:
        members.pop(absent.format(info=info), None)
    record = members.pop(f"{info}/RECORD", None)
    if record is not None:
        lines = [*(digest_line(path, content) for path, content in members.items()), f"{info}/RECORD,,", ""]
        members[f"{info}/RECORD"] = "\n".join(lines).encode()
    members |= {path.format(info=info): text.encode() for path, text in spoilt.changed.items()}
    return name, _cut(write_wheel(folder / name, members).read_bytes(), spoilt)


def sdist(spoilt: Spoilt, project: Mapping[str, str]) -> tuple[str, bytes]:
    """Name and bytes of an sdist of the tiny project, whose files are ``project``."""
    name = spoilt.filename or SDIST
    metadata = core_metadata(NAME, VERSION, spoilt.fields, description=spoilt.description)
    members = {**project, "PKG-INFO": metadata, **spoilt.files, **spoilt.changed}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in members.items():
            if path in spoilt.left_out:
                continue
            info = tarfile.TarInfo(f"tiny_project-{VERSION}/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return name, _cut(gzip.compress(buffer.getvalue(), mtime=0), spoilt)


def _cut(content: bytes, spoilt: Spoilt) -> bytes:
    return content[: spoilt.keep] + spoilt.trailing.encode()


def put(
    directory: ReleaseDirectory,
    stage: str,
    files: Mapping[str, bytes],
    *,
    commit: str = "0" * 40,
    evidence: Mapping[str, Any] | None = None,
) -> Receipt:
    """Commit files as the outputs of ``stage``, whose inputs are all files of others, with a receipt."""
    former = directory.receipt(stage)
    own = set(former.outputs) if former is not None else set()
    inputs = {path: digest for path, digest in directory.manifest().items() if path not in own}
    with directory.staging(stage) as staging:
        for path, content in files.items():
            staging.path(path).write_bytes(content)
        receipt = Receipt(
            stage=stage, world="rehearsal", project=NAME, version=VERSION, commit=commit, dirty=False,
            key=f"sha256:{'0' * 64}", started="2026-01-02T03:04:05Z", seconds=0.1,
            inputs=inputs if stage != "build" else {}, evidence=evidence or {},
        )  # fmt: skip
        return directory.commit(staging, receipt)


def build(context: Context, distributions: Mapping[str, bytes], *, sums: str | None = None) -> None:
    """Leave what build leaves: the distributions, SHA256SUMS, its receipt."""
    import hashlib

    digests = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in distributions.items()}
    files = {f"dist/{name}": content for name, content in distributions.items()}
    files["SHA256SUMS"] = (render_sums(digests) if sums is None else sums).encode()
    assert context.source is not None
    put(context.directory, "build", files, commit=context.source.commit)


def signatures(
    directory: ReleaseDirectory, serving: Serving, *, identity: WorkflowIdentity = IDENTITY, issuer: str = ""
) -> dict[str, bytes]:
    """Every bundle and attestation of a built release, made in this process under ``identity``."""
    import hashlib

    usual = serving.issuer.issuer
    serving.issuer.issuer = issuer or usual
    try:
        token = serving.issuer.token(identity, "sigstore")
        bundles = CarelessSigner(serving.sigstore, token)
        attestations = CarelessSigner(serving.sigstore, token, version=1)
    finally:
        serving.issuer.issuer = usual
    made: dict[str, bytes] = {}
    for path in directory.manifest():
        name = Path(path).name
        content = (directory.path / path).read_bytes()
        made[f"bundles/{name}.sigstore.json"] = json.dumps(bundles.sign(content)).encode()
        if path.startswith("dist/"):
            digest = hashlib.sha256(content).hexdigest()
            attestation = attestations.publish_attestation(name, digest)
            made[f"attestations/{name}.publish.attestation"] = json.dumps(attestation).encode()
    return made


def signing_world(
    world: World, serving: Serving, *, job: WorkflowIdentity | None = IDENTITY, publisher: Publisher | None = None
) -> World:
    """``world`` with the stand-in Sigstore; its signer is ``job`` of the workflow, or nobody."""
    base = {**world.children[ChildKind.PROBE], "NO_PROXY": "127.0.0.1,localhost"}
    signer = {**base, **serving.environment(identity=job)} if job is not None else base
    return replace(
        world,
        sigstore=Sigstore(trust_config=serving.trust_config),
        publisher=publisher or Publisher(repository="o/r", workflow="publish-pypi.yml", ref="refs/tags/v1.2.3"),
        children={**dict.fromkeys(ChildKind, base), ChildKind.SIGNER: signer},
    )
