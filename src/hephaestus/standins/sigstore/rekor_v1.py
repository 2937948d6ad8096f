"""Rekor version 1: entries with a signed entry timestamp and an inclusion proof."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import rfc8785

from hephaestus.standins.http import Request, Response
from hephaestus.standins.sigstore.answers import RefusedError, answer_json, decoded, read_json, refusal
from hephaestus.standins.sigstore.forgeries import Forgery, Strike, forged
from hephaestus.standins.sigstore.log import DuplicateEntryError, Inclusion, TransparencyLog, public_der
from hephaestus.standins.sigstore.merkle import leaf_hash
from hephaestus.standins.sigstore.signatures import Verifier, pre_authentication_encoding

__all__ = ["RekorV1", "tree_id"]

_ENTRIES = "/api/v1/log/entries"
_UUID = re.compile(r"(?P<tree>[0-9a-f]{16})?(?P<hash>[0-9a-f]{64})\Z")


def tree_id(log_id: bytes) -> int:
    """The number of the tree, a positive 63-bit integer as Trillian's are; here taken from the log's key."""
    return int.from_bytes(log_id[:8], "big") >> 1


class RekorV1:
    """Answers Rekor's API v1 for hashedrekord 0.0.1 and dsse 0.0.1 over ``log``.

    ``strike`` is asked once per entry whether a fault hits it; ``lateness`` tells by how many seconds the
    log's clock runs late (a forgery).
    """

    def __init__(self, log: TransparencyLog, *, strike: Strike, lateness: Callable[[], int]) -> None:
        self._log = log
        self._strike = strike
        self._lateness = lateness
        self._tree = tree_id(log.signer.log_id)

    def handle(self, request: Request) -> Response:
        """Answer one request; paths are those of Rekor's root."""
        try:
            match request.method, request.path.rstrip("/"):
                case "POST", "/api/v1/log/entries":
                    return self._create(read_json(request.body))
                case "POST", "/api/v1/log/entries/retrieve":
                    return self._retrieve(read_json(request.body))
                case "GET", "/api/v1/log/entries":
                    return self._by_index(request.query.get("logIndex", []))
                case "GET", "/api/v1/log":
                    return self._head()
                case "GET", "/api/v1/log/publicKey":
                    pem = base64.encodebytes(public_der(self._log.signer.key)).decode()
                    body = f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n"
                    return Response(headers={"Content-Type": "application/x-pem-file"}, body=body.encode())
                case "GET", path if path.startswith(f"{_ENTRIES}/"):
                    return self._by_uuid(path.removeprefix(f"{_ENTRIES}/"))
            raise RefusedError("not found", status=404)
        except RefusedError as error:
            return refusal(error)

    def _create(self, proposed: dict[str, Any]) -> Response:
        body = _canonical(proposed)
        forgery = self._strike()
        if forgery is Forgery.NO_LOG_ENTRY:
            return answer_json({}, status=201)
        if forgery is Forgery.REFUSE:
            raise RefusedError("the log is out of order", status=500)
        try:
            inclusion = self._log.append(body, later=self._lateness())
        except DuplicateEntryError as error:
            uuid = self._uuid(self._log.inclusion(error.index).hashed)
            text = f"an equivalent entry already exists in the transparency log with UUID {uuid}"
            where = {"Location": f"{_ENTRIES}/{uuid}"}
            return answer_json({"code": 409, "message": text}, status=409, headers=where)
        uuid = self._uuid(inclusion.hashed)
        entry = self._entry(forged(inclusion, forgery, self._log))
        return answer_json({uuid: entry}, status=201, headers={"ETag": uuid, "Location": f"{_ENTRIES}/{uuid}"})

    def _retrieve(self, query: dict[str, Any]) -> Response:
        places: list[int] = []
        for uuid in _listed(query, "entryUUIDs"):
            places.append(self._place(str(uuid)))
        for proposed in _listed(query, "entries"):
            if not isinstance(proposed, dict):
                raise RefusedError("an entry is not an object")
            place = self._log.find(leaf_hash(_canonical(proposed)))
            if place is not None:
                places.append(place)
        for index in _listed(query, "logIndexes"):
            places.append(self._checked_index(index))
        found = [self._log.inclusion(place) for place in places]
        return answer_json([{self._uuid(one.hashed): self._entry(one)} for one in found])

    def _by_index(self, indexes: list[str]) -> Response:
        if len(indexes) != 1 or not indexes[0].isdecimal():
            raise RefusedError("logIndex is needed once, as a number")
        inclusion = self._log.inclusion(self._checked_index(int(indexes[0])))
        return answer_json({self._uuid(inclusion.hashed): self._entry(inclusion)})

    def _by_uuid(self, uuid: str) -> Response:
        inclusion = self._log.inclusion(self._place(uuid))
        return answer_json({self._uuid(inclusion.hashed): self._entry(inclusion)})

    def _head(self) -> Response:
        size, root, checkpoint = self._log.head()
        return answer_json(
            {
                "inactiveShards": [],
                "rootHash": root.hex(),
                "signedTreeHead": checkpoint,
                "treeID": str(self._tree),
                "treeSize": size,
            }
        )

    def _place(self, uuid: str) -> int:
        match = _UUID.match(uuid)
        if match is None or (match["tree"] and int(match["tree"], 16) != self._tree):
            raise RefusedError("not an entry of this log", status=404)
        place = self._log.find(bytes.fromhex(match["hash"]))
        if place is None:
            raise RefusedError("entry not found", status=404)
        return place

    def _checked_index(self, index: object) -> int:
        if type(index) is not int or not 0 <= index < len(self._log):
            raise RefusedError("entry not found", status=404)
        return index

    def _uuid(self, hashed: bytes) -> str:
        return f"{self._tree:016x}{hashed.hex()}"

    def _entry(self, inclusion: Inclusion) -> dict[str, Any]:
        promise: dict[str, Any] = {
            "body": base64.b64encode(inclusion.body).decode(),
            "integratedTime": inclusion.time,
            "logID": self._log.signer.log_id.hex(),
            "logIndex": inclusion.index,
        }
        timestamp = self._log.signer.sign(rfc8785.dumps(promise))
        return {
            **promise,
            "verification": {
                "inclusionProof": {
                    "checkpoint": inclusion.checkpoint,
                    "hashes": [one.hex() for one in inclusion.path],
                    "logIndex": inclusion.index,
                    "rootHash": inclusion.root.hex(),
                    "treeSize": inclusion.size,
                },
                "signedEntryTimestamp": base64.b64encode(timestamp).decode(),
            },
        }


def _listed(query: dict[str, Any], name: str) -> list[Any]:
    wanted = query.get(name) or []
    if not isinstance(wanted, list):
        raise RefusedError(f"{name} is not a list")
    return wanted


def _canonical(proposed: dict[str, Any]) -> bytes:
    """The entry as the log records it, checked; raises RefusedError.

    What is recorded is not what was proposed: a dsse entry keeps hashes and signatures, not the envelope.
    """
    spec = proposed.get("spec")
    if not isinstance(spec, dict):
        raise RefusedError("spec is missing")
    kind, version = proposed.get("kind"), proposed.get("apiVersion")
    if not isinstance(kind, str) or kind not in _KINDS or version != "0.0.1":
        raise RefusedError(f"entries of kind {kind}, version {version} are not taken")
    return rfc8785.dumps({"apiVersion": version, "kind": kind, "spec": _KINDS[kind](spec)})


def _hashedrekord(spec: dict[str, Any]) -> dict[str, Any]:
    try:
        algorithm, value = spec["data"]["hash"]["algorithm"], spec["data"]["hash"]["value"]
        content, key = spec["signature"]["content"], spec["signature"]["publicKey"]["content"]
        digest = bytes.fromhex(value)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError("a hashedrekord entry needs data.hash and signature") from error
    if algorithm != "sha256":
        raise RefusedError("only sha256 is taken")
    Verifier.from_pem(decoded(key, "publicKey")).check_sha256(decoded(content, "signature"), digest)
    return {
        "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
        "signature": {"content": content, "publicKey": {"content": key}},
    }


def _dsse(spec: dict[str, Any]) -> dict[str, Any]:
    try:
        text, verifiers = spec["proposedContent"]["envelope"], spec["proposedContent"]["verifiers"]
        envelope = json.loads(text)
        payload = decoded(envelope["payload"], "payload")
        encoded = pre_authentication_encoding(envelope["payloadType"], payload)
        signatures = [signature["sig"] for signature in envelope["signatures"]]
        keys = [Verifier.from_pem(decoded(verifier, "verifier")) for verifier in verifiers]
    except RefusedError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RefusedError("a dsse entry needs an envelope and its verifiers") from error
    if not signatures or len(signatures) != len(keys):
        raise RefusedError("a dsse entry needs one verifier for each signature")
    digest = hashlib.sha256(encoded).digest()
    for key, signature in zip(keys, signatures, strict=True):
        key.check_sha256(decoded(signature, "signature"), digest)
    return {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(text.encode()).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [
            {"signature": signature, "verifier": verifier}
            for signature, verifier in zip(signatures, verifiers, strict=True)
        ],
    }


_KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"hashedrekord": _hashedrekord, "dsse": _dsse}
