"""One flipped byte in a file, a bundle, an attestation, a manifest or the tarball, and a release is refused."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages.releases import VERSION, WHEEL
from stages.standins import TAG

from hephaestus.consumer.identity import Identity
from hephaestus.consumer.trust import Claim, Trust
from hephaestus.consumer.verdict import State, Verdict, holds
from hephaestus.consumer.verification import Verification
from hephaestus.release.archive import write_archive
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.release.manifest import parse_sums
from hephaestus.standins.sigstore import Serving

GZIP_HEADER = 10
MASKS = st.integers(min_value=1, max_value=255)


@contextmanager
def flipped(path: Path, position: int, mask: int) -> Iterator[bytes]:
    """One byte of a file changed for as long as the block lasts; gives the bytes as they are now."""
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[position] ^= mask
    path.write_bytes(changed)
    try:
        yield bytes(changed)
    finally:
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def verification(standin_sigstore: Serving) -> Verification:
    """Whoever signs for o/r at the tag, trusting the stand-in Sigstore, with no connection."""
    trust = Trust(trusted_root=standin_sigstore.trusted_root, offline=True)
    return Verification(identity=Identity.of_tag("o/r", TAG), trust=trust)


@pytest.fixture(scope="module")
def directory(signed_release: ReleaseDirectory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release directory with its receipts."""
    return Path(shutil.copytree(signed_release.path, tmp_path_factory.mktemp("release") / VERSION))


@pytest.fixture(scope="module")
def assets(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as the assets of a GitHub Release, side by side, with the tarball of all bundles."""
    folder = tmp_path_factory.mktemp("assets")
    for path in [directory / "SHA256SUMS", *(path for part in PARTS for path in (directory / part).iterdir())]:
        shutil.copy(path, folder / path.name)
    bundles: dict[str, Path | bytes] = {path.name: path for path in folder.glob("*.sigstore.json")}
    with (folder / f"sigstore-bundles-{TAG}.tar.gz").open("wb") as stream:
        write_archive(stream, bundles, epoch=1_700_000_000)
    return folder


PROOFS = {"bundle": f"bundles/{WHEEL}.sigstore.json", "attestation": f"attestations/{WHEEL}.publish.attestation"}
PARTS = ("dist", "bundles", "wheelhouse")


def looked_at(folder: Path) -> list[Path]:
    """Every file that is released, in a fixed order."""
    found = [path for path in folder.rglob("*") if path.is_file() and "receipts" not in path.parts]
    return sorted(found, key=lambda path: (path.suffix, path.name))


def judged(verification: Verification, folder: Path) -> list[Verdict]:
    """The verdicts; one that could not be had is a FAIL."""
    try:
        return verification.folder(folder)
    except ReleaseError as error:
        return [Verdict(state=State.FAIL, subject="verification", reason=error.what)]


@pytest.mark.parametrize("layout", ["directory", "assets"])
def test_the_untouched_twin_is_verified(
    layout: str, verification: Verification, request: pytest.FixtureRequest
) -> None:
    """With nothing flipped, both layouts hold."""
    verdicts = judged(verification, request.getfixturevalue(layout))
    assert holds(verdicts), [verdict.text() for verdict in verdicts if verdict.refuses]


@pytest.mark.parametrize("layout", ["directory", "assets"])
@settings(max_examples=40, derandomize=True)
@given(data=st.data(), mask=MASKS)
def test_a_flipped_byte_in_a_release_is_refused(
    data: st.DataObject, mask: int, layout: str, verification: Verification, request: pytest.FixtureRequest
) -> None:
    """Any byte of any file of a release directory or of a GitHub Release's assets; a verdict names that file.

    Let by is what says the same: a checksum file with upper-case digits or another separator, and the tarball with
    another time or system in its gzip header. In a release directory receipts tell even that.
    """
    folder: Path = request.getfixturevalue(layout)
    path = data.draw(st.sampled_from(looked_at(folder)))
    position = data.draw(st.integers(min_value=0, max_value=path.stat().st_size - 1))
    before = path.read_bytes()
    with flipped(path, position, mask) as after:
        if layout == "assets" and path.suffix == ".sha256" and same_sums(before, after):
            return
        if path.name.startswith("sigstore-bundles") and position < GZIP_HEADER:
            return
        refusing = [verdict for verdict in judged(verification, folder) if verdict.refuses]
        assert refusing
        subject = path.name.removesuffix(".sigstore.json").removesuffix(".publish.attestation")
        assert any(subject in verdict.text() for verdict in refusing) or path.name.startswith("sigstore-bundles")


def same_sums(before: bytes, after: bytes) -> bool:
    """Whether two checksum files say the same."""
    try:
        return parse_sums(before.decode()) == parse_sums(after.decode())
    except (UnicodeDecodeError, ReleaseError):
        return False


@pytest.mark.parametrize("kind", ["bundle", "attestation"])
@settings(max_examples=40, derandomize=True)
@given(data=st.data(), mask=MASKS)
def test_a_flipped_byte_in_a_lone_proof_never_proves_anything_else(
    data: st.DataObject, mask: int, kind: str, verification: Verification, directory: Path
) -> None:
    """Alone, a proof is refused unless the byte stands where nothing is signed; what was signed is never another."""
    proof, file = directory / PROOFS[kind], directory / "dist" / WHEEL
    position = data.draw(st.integers(min_value=0, max_value=proof.stat().st_size - 1))
    before = json.loads(proof.read_bytes())
    with flipped(proof, position, mask) as after:
        claim = Claim(file=file, kind="bundle" if kind == "bundle" else "attestation", proof=proof)
        (verdict,) = verification.trust.verify(verification.identity, [claim])
        if verdict.state is State.PASS:
            assert signed_part(json.loads(after)) == signed_part(before)
        else:
            assert verdict.reason


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", ["bundle", "attestation"])
@settings(max_examples=40, derandomize=True)
@given(data=st.data(), value=ANYTHING)
def test_a_proof_with_anything_in_it_is_a_verdict(
    data: st.DataObject, value: Any, kind: str, verification: Verification, directory: Path
) -> None:
    """Any JSON in place of any part of a proof: a verdict of one line with its reason, and nothing else proven."""
    proof, file = directory / PROOFS[kind], directory / "dist" / WHEEL
    before = proof.read_bytes()
    changed = json.loads(before)
    spot = changed
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.integers(0, 4)) == 0:
            break
        spot = spot[key]
    spot[key] = value
    proof.write_text(json.dumps(changed), encoding="utf-8")
    try:
        claim = Claim(file=file, kind="bundle" if kind == "bundle" else "attestation", proof=proof)
        (verdict,) = verification.trust.verify(verification.identity, [claim])
    finally:
        proof.write_bytes(before)
    assert verdict.reason
    assert len(verdict.text().splitlines()) == 1
    if verdict.state is State.PASS:
        assert signed_part(changed) == signed_part(json.loads(before))


def signed_part(proof: Any) -> list[bytes]:
    """What a proof proves: certificate, log entry and signature, as bytes: base64 may have bits at its end that no
    client reads, as many as the signature's length, which is random, leaves.

    The rest is proven by these or nobody signs it: a log's name for itself, the certificates a time stamp carries
    along, a digest as a hint, and whatever no client reads.
    """
    if "envelope" in proof:
        material, envelope = proof["verification_material"], proof["envelope"]
        entry = material["transparency_entries"][0]["canonicalizedBody"]
        texts = [material["certificate"], entry, envelope["statement"], envelope["signature"]]
    else:
        material = proof["verificationMaterial"]
        entry = material["tlogEntries"][0]["canonicalizedBody"]
        texts = [material["certificate"]["rawBytes"], entry, proof["messageSignature"]["signature"]]
    return [base64.b64decode(text) for text in texts]
