"""The time-stamp authority, read back by OpenSSL and by its own rules."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import Issuer
from hephaestus.standins.sigstore import Sigstore, der
from hephaestus.standins.sigstore.answers import RefusedError
from hephaestus.standins.sigstore.timestamps import TimestampRequest

NOW = 1_790_000_000.9
SHA256 = der.sequence(der.object_identifier("2.16.840.1.101.3.4.2.1"))
IMPRINT = der.sequence(SHA256, der.octets(hashlib.sha256(b"data").digest()))
TRUE = der.element(der.BOOLEAN, b"\xff")


@pytest.fixture
def sigstore(tmp_path: Path) -> Sigstore:
    return Sigstore(tmp_path, issuer=Issuer(tmp_path), clock=lambda: NOW)


def ask(sigstore: Sigstore, query: bytes) -> Response:
    return sigstore.timestamp(Request(method="POST", path="/timestamp", body=query))


@given(st.none() | st.integers(), st.booleans())
def test_requests_are_read(nonce: int | None, certificates: bool) -> None:
    """Imprint, nonce of any size and the wish for certificates come out as they went in."""
    parts = [der.integer(1), IMPRINT]
    parts += [der.integer(nonce)] if nonce is not None else []
    parts += [TRUE] if certificates else []
    expected = TimestampRequest(imprint=IMPRINT, nonce=nonce, certificates=certificates)
    assert TimestampRequest.parse(der.sequence(*parts)) == expected


@given(st.binary(max_size=80))
def test_rubbish_is_refused(body: bytes) -> None:
    """Whatever is no request raises RefusedError and nothing else."""
    with pytest.raises(RefusedError):
        TimestampRequest.parse(body)


@pytest.mark.parametrize(
    "parts",
    [
        [der.integer(2), IMPRINT],
        [der.integer(1)],
        [IMPRINT, der.integer(1)],
        [der.integer(1), der.sequence(SHA256, der.octets(b"short"))],
        [der.integer(1), der.sequence(SHA256, der.utf8("x" * 32))],
        [der.integer(1), der.sequence(der.sequence(der.object_identifier("1.3.14.3.2.26")), der.octets(bytes(20)))],
        [der.integer(1), IMPRINT, der.object_identifier("1.2.3")],
        [der.integer(1), IMPRINT, der.explicit(0, b"")],
        [der.integer(1), IMPRINT, der.element(der.INTEGER, b"")],
    ],
    ids=[
        "version",
        "no imprint",
        "order",
        "short digest",
        "no digest",
        "sha-1",
        "policy",
        "extensions",
        "nonce",
    ],
)
def test_bad_requests_are_answered_400(sigstore: Sigstore, parts: list[bytes]) -> None:
    """Wrong version, hash, policy, order or extensions are refused over HTTP."""
    assert ask(sigstore, der.sequence(*parts)).status == 400


def test_only_post_is_taken(sigstore: Sigstore) -> None:
    """A GET is 405."""
    assert sigstore.timestamp(Request(method="GET", path="/timestamp")).status == 405


def test_certificates_come_only_when_wanted(sigstore: Sigstore) -> None:
    """The chain is in the answer exactly when the request says so."""
    with_chain = ask(sigstore, der.sequence(der.integer(1), IMPRINT, TRUE)).body
    without = ask(sigstore, der.sequence(der.integer(1), IMPRINT)).body
    chain = sigstore.trusted_root()["timestampAuthorities"][0]["certChain"]["certificates"]
    assert len(chain) == 3
    for one in chain:
        assert base64.b64decode(one["rawBytes"]) in with_chain
        assert base64.b64decode(one["rawBytes"]) not in without


@pytest.mark.conformance
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_openssl_accepts_the_timestamp(sigstore: Sigstore, tmp_path: Path, algorithm: str) -> None:
    """OpenSSL makes the query, reads our time in the reply, verifies it, and rejects it for other data."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    data, other = tmp_path / "data", tmp_path / "other"
    data.write_bytes(b"data")
    other.write_bytes(b"other")
    query, reply = tmp_path / "query.tsq", tmp_path / "reply.tsr"

    def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["openssl", "ts", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    made = openssl("-query", "-data", data, f"-{algorithm}", "-cert", "-out", query)
    assert made.returncode == 0, made.stderr
    answer = ask(sigstore, query.read_bytes())
    assert answer.status == 201
    reply.write_bytes(answer.body)
    certificates = [
        x509.load_der_x509_certificate(base64.b64decode(one["rawBytes"]))
        for one in sigstore.trusted_root()["timestampAuthorities"][0]["certChain"]["certificates"]
    ]
    root = tmp_path / "root.pem"
    root.write_bytes(certificates[-1].public_bytes(serialization.Encoding.PEM))
    # -no_check_time: our clock stands still, openssl's does not.
    verified = openssl("-verify", "-queryfile", query, "-in", reply, "-CAfile", root, "-no_check_time")
    assert verified.returncode == 0, verified.stderr
    assert "Verification: OK" in verified.stdout
    assert "Time stamp: Sep 21 14:13:20 2026 GMT" in openssl("-reply", "-in", reply, "-text").stdout
    wrong = openssl("-verify", "-data", other, "-in", reply, "-CAfile", root, "-no_check_time")
    assert wrong.returncode != 0
