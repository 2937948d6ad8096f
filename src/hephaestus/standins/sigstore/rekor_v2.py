"""Rekor version 2: entries with an inclusion proof under an Ed25519 checkpoint, and no time of its own."""

from __future__ import annotations

import base64
from typing import Any

import rfc8785

from hephaestus.standins.http import Request, Response
from hephaestus.standins.sigstore.answers import RefusedError, answer_json, decoded, read_json, refusal
from hephaestus.standins.sigstore.forgeries import Forgery, Strike, forged
from hephaestus.standins.sigstore.log import DuplicateEntryError, Inclusion, TransparencyLog
from hephaestus.standins.sigstore.signatures import Verifier, pre_authentication_encoding

__all__ = ["RekorV2"]

_VERSION = "0.0.2"


class RekorV2:
    """Answers Rekor's API v2 for hashedrekord 0.0.2 and dsse 0.0.2 over ``log``.

    sigstore-python sends DSSE envelopes as hashedrekord since 4.3.0; dsse 0.0.2 is for older clients.
    ``strike`` is asked once per entry whether a fault hits it.
    """

    def __init__(self, log: TransparencyLog, *, strike: Strike) -> None:
        self._log = log
        self._strike = strike

    def handle(self, request: Request) -> Response:
        """Answer one request; paths are those of Rekor's root."""
        try:
            match request.method, request.path:
                case "POST", "/api/v2/log/entries":
                    return self._create(read_json(request.body))
                case "GET", "/api/v2/checkpoint":
                    note = self._log.head()[2]
                    return Response(headers={"Content-Type": "text/plain; charset=utf-8"}, body=note.encode())
            raise RefusedError("not found", status=404)
        except RefusedError as error:
            return refusal(error)

    def _create(self, wanted: dict[str, Any]) -> Response:
        kind, spec = _recorded(wanted)
        body = rfc8785.dumps({"apiVersion": _VERSION, "kind": kind, "spec": spec})
        forgery = self._strike()
        if forgery is Forgery.NO_LOG_ENTRY:
            return answer_json({}, status=201)
        if forgery is Forgery.REFUSE:
            raise RefusedError("the log is out of order", status=500)
        try:
            inclusion = self._log.append(body)
        except DuplicateEntryError as error:
            text = f"an equivalent entry already exists in the transparency log with index {error.index}"
            raise RefusedError(text, status=409) from error
        return answer_json(self._entry(kind, forged(inclusion, forgery, self._log)), status=201)

    def _entry(self, kind: str, inclusion: Inclusion) -> dict[str, Any]:
        return {
            "logIndex": str(inclusion.index),
            "logId": {"keyId": _base64(self._log.signer.log_id)},
            "kindVersion": {"kind": kind, "version": _VERSION},
            "inclusionProof": {
                "logIndex": str(inclusion.index),
                "rootHash": _base64(inclusion.root),
                "treeSize": str(inclusion.size),
                "hashes": [_base64(one) for one in inclusion.path],
                "checkpoint": {"envelope": inclusion.checkpoint},
            },
            "canonicalizedBody": _base64(inclusion.body),
        }


def _recorded(wanted: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind and spec of the entry that a request asks for, checked; raises RefusedError."""
    match wanted:
        case {"hashedRekordRequestV002": dict(request)}:
            return "hashedrekord", {"hashedRekordV002": _hashedrekord(request)}
        case {"dsseRequestV002": dict(request)}:
            return "dsse", {"dsseV002": _dsse(request)}
    raise RefusedError("either hashedRekordRequestV002 or dsseRequestV002 is needed")


def _hashedrekord(request: dict[str, Any]) -> dict[str, Any]:
    signature = request.get("signature")
    if not isinstance(signature, dict):
        raise RefusedError("signature is missing")
    key, verifier = _verifier(signature.get("verifier"))
    digest, content = decoded(request.get("digest"), "digest"), decoded(signature.get("content"), "signature")
    key.check(content, digest)
    return {
        "data": {"algorithm": key.hash_name, "digest": _base64(digest)},
        "signature": {"content": _base64(content), "verifier": verifier},
    }


def _dsse(request: dict[str, Any]) -> dict[str, Any]:
    match request:
        case {
            "envelope": {"payloadType": str(payload_type), "payload": payload, "signatures": [{"sig": signature}]},
            "verifiers": [only],
        }:
            key, verifier = _verifier(only)
            content, signed = decoded(signature, "signature"), decoded(payload, "payload")
            key.check(content, key.digest(pre_authentication_encoding(payload_type, signed)))
            return {
                "payloadHash": {"algorithm": key.hash_name, "digest": _base64(key.digest(signed))},
                "signatures": [{"content": _base64(content), "verifier": verifier}],
            }
    raise RefusedError("a dsse entry needs an envelope with one signature, and its verifier")


def _verifier(given: object) -> tuple[Verifier, dict[str, Any]]:
    match given:
        case {"x509Certificate": {"rawBytes": raw}, "keyDetails": details}:
            der = decoded(raw, "x509Certificate")
            key = Verifier.from_der_certificate(der)
            if details != key.key_details:
                raise RefusedError(f"keyDetails say {details}, the certificate's key is {key.key_details}")
            return key, {"keyDetails": key.key_details, "x509Certificate": {"rawBytes": _base64(der)}}
    raise RefusedError("a verifier needs x509Certificate and keyDetails")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
