"""A signing client that believes whatever it is told: the only way to hold some forgeries in hand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.http import Request, Response
from hephaestus.standins.sigstore import der
from hephaestus.standins.sigstore.service import Sigstore
from hephaestus.standins.sigstore.signatures import pre_authentication_encoding

__all__ = ["CarelessSigner", "CarelessSignerError"]

_IN_TOTO = "application/vnd.in-toto+json"
_PUBLISH = "https://docs.pypi.org/attestations/publish/v1"


class CarelessSignerError(RuntimeError):
    """Raised when a part of Sigstore answers with a refusal."""


class CarelessSigner:
    """Signs with ``sigstore`` as a client would, in this process, and verifies nothing of what comes back.

    Real clients stop at a certificate without SCT or at a missing log entry; with this one a test gets the
    bundle and sees whether its *verifier* stops. Log version 1 or 2.
    """

    def __init__(self, sigstore: Sigstore, token: str, *, version: int = 2) -> None:
        self._sigstore = sigstore
        self._version = version
        self.key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        pem = request.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        answer = _posted(
            sigstore.fulcio(
                Request(
                    method="POST",
                    path="/api/v2/signingCert",
                    headers={"authorization": f"Bearer {token}"},
                    body=json.dumps({"certificateSigningRequest": _base64(pem)}).encode(),
                )
            )
        )
        leaf = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0]
        self.certificate = x509.load_pem_x509_certificate(leaf.encode())

    def sign(self, content: bytes) -> dict[str, Any]:
        """A bundle (v0.3) with a signature over ``content``."""
        digest = hashlib.sha256(content).digest()
        signature = self.key.sign(content, ec.ECDSA(hashes.SHA256()))
        message = {
            "messageDigest": {"algorithm": "SHA2_256", "digest": _base64(digest)},
            "signature": _base64(signature),
        }
        entries = self._recorded(signature, digest)
        return self._bundle(signature, entries, messageSignature=message)

    def attest(self, statement: dict[str, Any]) -> dict[str, Any]:
        """A bundle (v0.3) with a DSSE envelope around an in-toto ``statement``."""
        payload = json.dumps(statement).encode()
        encoded = pre_authentication_encoding(_IN_TOTO, payload)
        signature = self.key.sign(encoded, ec.ECDSA(hashes.SHA256()))
        envelope = {
            "payload": _base64(payload),
            "payloadType": _IN_TOTO,
            "signatures": [{"sig": _base64(signature)}],
        }
        if self._version == 1:
            entries = self._recorded_envelope(envelope)
        else:
            entries = self._recorded(signature, hashlib.sha256(encoded).digest())
        return self._bundle(signature, entries, dsseEnvelope=envelope)

    def publish_attestation(self, name: str, sha256: str) -> dict[str, Any]:
        """A PEP 740 attestation (publish/v1) for the distribution ``name``; needs log version 1 to verify."""
        bundle = self.attest(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": name, "digest": {"sha256": sha256}}],
                "predicateType": _PUBLISH,
                "predicate": None,
            }
        )
        envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
        return {
            "version": 1,
            "verification_material": {
                "certificate": material["certificate"]["rawBytes"],
                "transparency_entries": material["tlogEntries"],
            },
            "envelope": {"statement": envelope["payload"], "signature": envelope["signatures"][0]["sig"]},
        }

    def _bundle(self, signature: bytes, entries: list[dict[str, Any]], **content: Any) -> dict[str, Any]:
        stamps = [{"signedTimestamp": _base64(self._stamped(signature))}]
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _base64(self.certificate.public_bytes(serialization.Encoding.DER))},
                "tlogEntries": entries,
                "timestampVerificationData": {"rfc3161Timestamps": stamps},
            },
            **content,
        }

    def _recorded(self, signature: bytes, digest: bytes) -> list[dict[str, Any]]:
        if self._version == 1:
            spec = {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                "signature": {"content": _base64(signature), "publicKey": {"content": self._verifier()}},
            }
            return self._entry_v1({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": spec})
        raw = _base64(self.certificate.public_bytes(serialization.Encoding.DER))
        verifier = {"x509Certificate": {"rawBytes": raw}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        wanted = {"digest": _base64(digest), "signature": {"content": _base64(signature), "verifier": verifier}}
        body = json.dumps({"hashedRekordRequestV002": wanted}).encode()
        answer = self._sigstore.rekor_v2(Request(method="POST", path="/api/v2/log/entries", body=body))
        entry = _posted(answer)
        return [entry] if entry else []

    def _recorded_envelope(self, envelope: dict[str, Any]) -> list[dict[str, Any]]:
        content = {"envelope": json.dumps(envelope), "verifiers": [self._verifier()]}
        return self._entry_v1({"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": content}})

    def _entry_v1(self, proposed: dict[str, Any]) -> list[dict[str, Any]]:
        body = json.dumps(proposed).encode()
        answer = self._sigstore.rekor_v1(Request(method="POST", path="/api/v1/log/entries", body=body))
        for entry in _posted(answer).values():
            proof = entry["verification"]["inclusionProof"]
            return [
                {
                    "logIndex": str(entry["logIndex"]),
                    "logId": {"keyId": _base64(bytes.fromhex(entry["logID"]))},
                    "kindVersion": {"kind": proposed["kind"], "version": proposed["apiVersion"]},
                    "integratedTime": str(entry["integratedTime"]),
                    "inclusionPromise": {"signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"]},
                    "inclusionProof": {
                        "logIndex": str(proof["logIndex"]),
                        "rootHash": _base64(bytes.fromhex(proof["rootHash"])),
                        "treeSize": str(proof["treeSize"]),
                        "hashes": [_base64(bytes.fromhex(one)) for one in proof["hashes"]],
                        "checkpoint": {"envelope": proof["checkpoint"]},
                    },
                    "canonicalizedBody": entry["body"],
                }
            ]
        return []

    def _verifier(self) -> str:
        return _base64(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _stamped(self, signature: bytes) -> bytes:
        algorithm = der.sequence(der.object_identifier("2.16.840.1.101.3.4.2.1"), der.element(0x05, b""))
        imprint = der.sequence(algorithm, der.octets(hashlib.sha256(signature).digest()))
        query = der.sequence(
            der.integer(1), imprint, der.integer(secrets.randbits(63)), der.element(der.BOOLEAN, b"\xff")
        )
        answer = self._sigstore.timestamp(Request(method="POST", path="/timestamp", body=query))
        if answer.status >= 300:
            raise CarelessSignerError(answer.body.decode())
        return answer.body


def _posted(answer: Response) -> dict[str, Any]:
    if answer.status >= 300:
        raise CarelessSignerError(answer.body.decode())
    content: dict[str, Any] = json.loads(answer.body)
    return content


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
