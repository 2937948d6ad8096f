"""Rekor, both versions: what they record, what they refuse, and how entries are found again."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import Issuer, WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, Sigstore
from hephaestus.standins.sigstore.merkle import leaf_hash
from hephaestus.standins.sigstore.signatures import pre_authentication_encoding

ENTRIES = "/api/v1/log/entries"


@pytest.fixture
def sigstore(tmp_path: Path) -> Sigstore:
    return Sigstore(tmp_path, issuer=Issuer(tmp_path))


@pytest.fixture
def signer(sigstore: Sigstore, identity: WorkflowIdentity, tmp_path: Path) -> CarelessSigner:
    return CarelessSigner(sigstore, Issuer(tmp_path).token(identity, "sigstore"))


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return encoded(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def hashedrekord(content: bytes = b"content") -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
    return {
        "kind": "hashedrekord",
        "apiVersion": "0.0.1",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}},
            "signature": {"content": encoded(signature), "publicKey": {"content": public_pem(key)}},
        },
    }


def dsse(payload: bytes = b"{}") -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(pre_authentication_encoding("text/plain", payload), ec.ECDSA(hashes.SHA256()))
    envelope = {
        "payloadType": "text/plain",
        "payload": encoded(payload),
        "signatures": [{"sig": encoded(signature)}],
    }
    content = {"envelope": json.dumps(envelope), "verifiers": [public_pem(key)]}
    return {"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": content}}


def post_v1(sigstore: Sigstore, proposed: object, path: str = ENTRIES) -> Response:
    return sigstore.rekor_v1(Request(method="POST", path=path, body=json.dumps(proposed).encode()))


def get_v1(sigstore: Sigstore, path: str, **query: str) -> Any:
    answer = sigstore.rekor_v1(Request(method="GET", path=path, query={name: [value] for name, value in query.items()}))
    return json.loads(answer.body) if answer.status == 200 else answer.status


def post_v2(sigstore: Sigstore, wanted: object) -> Response:
    return sigstore.rekor_v2(Request(method="POST", path="/api/v2/log/entries", body=json.dumps(wanted).encode()))


def test_the_canonical_entry_is_recorded(sigstore: Sigstore) -> None:
    """A dsse entry records hashes and signatures, in canonical JSON, and not the envelope."""
    proposed = dsse(b"payload")
    ((_, entry),) = json.loads(post_v1(sigstore, proposed).body).items()
    body = json.loads(base64.b64decode(entry["body"]))
    assert rfc8785.dumps(body) == base64.b64decode(entry["body"])
    content = proposed["spec"]["proposedContent"]
    assert body["spec"] == {
        "envelopeHash": {
            "algorithm": "sha256",
            "value": hashlib.sha256(content["envelope"].encode()).hexdigest(),
        },
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(b"payload").hexdigest()},
        "signatures": [
            {
                "signature": json.loads(content["envelope"])["signatures"][0]["sig"],
                "verifier": content["verifiers"][0],
            }
        ],
    }


def test_the_promise_is_signed(sigstore: Sigstore) -> None:
    """The signed entry timestamp covers body, time, log and index, under the key Rekor publishes."""
    ((_, entry),) = json.loads(post_v1(sigstore, hashedrekord()).body).items()
    answer = sigstore.rekor_v1(Request(method="GET", path="/api/v1/log/publicKey"))
    key = serialization.load_pem_public_key(answer.body)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    promised = {name: entry[name] for name in ("body", "integratedTime", "logID", "logIndex")}
    signature = base64.b64decode(entry["verification"]["signedEntryTimestamp"])
    key.verify(signature, rfc8785.dumps(promised), ec.ECDSA(hashes.SHA256()))


def test_an_entry_is_found_every_way(sigstore: Sigstore) -> None:
    """By index, by UUID with and without tree, by its own content, and in a list: always the same entry."""
    post_v1(sigstore, dsse())
    proposed = hashedrekord()
    answer = post_v1(sigstore, proposed)
    ((uuid, entry),) = json.loads(answer.body).items()
    assert answer.status == 201
    assert answer.headers["Location"] == f"{ENTRIES}/{uuid}"
    assert uuid[16:] == leaf_hash(base64.b64decode(entry["body"])).hex()
    ways = [
        get_v1(sigstore, ENTRIES, logIndex="1"),
        get_v1(sigstore, f"{ENTRIES}/{uuid}"),
        get_v1(sigstore, f"{ENTRIES}/{uuid[16:]}"),
        *json.loads(post_v1(sigstore, {"entries": [proposed]}, f"{ENTRIES}/retrieve").body),
        *json.loads(post_v1(sigstore, {"entryUUIDs": [uuid]}, f"{ENTRIES}/retrieve").body),
        *json.loads(post_v1(sigstore, {"logIndexes": [1]}, f"{ENTRIES}/retrieve").body),
    ]
    assert len(ways) == 6
    for way in ways:
        assert way[uuid]["body"] == entry["body"]
        assert way[uuid]["logIndex"] == 1
    assert post_v1(sigstore, {"entries": [hashedrekord()]}, f"{ENTRIES}/retrieve").body == b"[]"


def test_the_head_of_the_log(sigstore: Sigstore) -> None:
    """Size, root and checkpoint of the tree are told, and agree."""
    post_v1(sigstore, hashedrekord())
    head = get_v1(sigstore, "/api/v1/log")
    lines = head["signedTreeHead"].split("\n")
    assert head["treeSize"] == 1 == int(lines[1])
    assert base64.b64decode(lines[2]).hex() == head["rootHash"]
    assert lines[0] == f"rekor.rehearsal.invalid - {head['treeID']}"


def test_what_is_not_in_the_log_is_not_found(sigstore: Sigstore) -> None:
    """Unknown indexes, UUIDs, trees and paths are 404, an index that is no number is 400."""
    ((uuid, _),) = json.loads(post_v1(sigstore, hashedrekord()).body).items()
    assert get_v1(sigstore, ENTRIES, logIndex="7") == 404
    assert get_v1(sigstore, ENTRIES, logIndex="x") == 400
    assert get_v1(sigstore, ENTRIES) == 400
    assert get_v1(sigstore, f"{ENTRIES}/{'0' * 64}") == 404
    assert get_v1(sigstore, f"{ENTRIES}/{'0' * 16}{uuid[16:]}") == 404
    assert get_v1(sigstore, f"{ENTRIES}/rubbish") == 404
    assert get_v1(sigstore, "/elsewhere") == 404
    assert post_v1(sigstore, {"logIndexes": [9]}, f"{ENTRIES}/retrieve").status == 404
    assert post_v1(sigstore, {"entries": [1]}, f"{ENTRIES}/retrieve").status == 400
    assert post_v1(sigstore, {"entries": True}, f"{ENTRIES}/retrieve").status == 400
    assert sigstore.rekor_v2(Request(method="GET", path="/api/v2/nothing")).status == 404


def test_the_same_entry_twice_is_a_conflict(sigstore: Sigstore) -> None:
    """The second time Rekor answers 409 and where the first one is."""
    proposed = hashedrekord()
    first, second = post_v1(sigstore, proposed), post_v1(sigstore, proposed)
    assert (first.status, second.status) == (201, 409)
    assert second.headers["Location"] == first.headers["Location"]


def changed(entry: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced; a callable makes its value."""
    entry = copy.deepcopy(entry)
    *parents, last = path.split(".")
    place = entry
    for parent in parents:
        place = place[parent]
    place[last] = value() if callable(value) else value
    return entry


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.data.hash.value", hashlib.sha256(b"other").hexdigest(), "does not verify"),
        ("spec.data.hash.value", "00", "not 32 bytes"),
        ("spec.data.hash.value", "xyz", "needs data.hash"),
        ("spec.data.hash.algorithm", "sha512", "only sha256"),
        ("spec.data", [], "needs data.hash"),
        ("spec.signature.content", encoded(b"rubbish"), "does not verify"),
        ("spec.signature.content", "?", "not base64"),
        ("spec.signature.publicKey.content", encoded(b"rubbish"), "neither a certificate"),
        (
            "spec.signature.publicKey.content",
            lambda: public_pem(ec.generate_private_key(ec.SECP256R1())),
            "does not verify",
        ),
        (
            "spec.signature.publicKey.content",
            lambda: public_pem(ec.generate_private_key(ec.SECP256K1())),
            "only ECDSA keys on the NIST curves",
        ),
        ("spec", None, "spec is missing"),
        ("kind", "intoto", "not taken"),
        ("kind", [], "not taken"),
        ("apiVersion", "0.0.2", "not taken"),
    ],
)
def test_bad_hashedrekords_are_refused(sigstore: Sigstore, path: str, value: object, message: str) -> None:
    """Version 1 refuses what does not verify or is malformed, says why, and records nothing."""
    answer = post_v1(sigstore, changed(hashedrekord(), path, value))
    assert answer.status == 400
    assert message in json.loads(answer.body)["message"]
    assert get_v1(sigstore, "/api/v1/log")["treeSize"] == 0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("envelope", "{}", "needs an envelope"),
        ("envelope", "rubbish", "needs an envelope"),
        ("envelope", 7, "needs an envelope"),
        ("envelope", json.dumps({"payload": "?", "payloadType": "a", "signatures": []}), "not base64"),
        ("verifiers", [], "one verifier for each"),
        ("verifiers", lambda: [public_pem(ec.generate_private_key(ec.SECP256R1()))], "does not verify"),
    ],
)
def test_bad_envelopes_are_refused(sigstore: Sigstore, path: str, value: object, message: str) -> None:
    """A dsse entry is refused when its envelope or its verifiers do not hold."""
    answer = post_v1(sigstore, changed(dsse(), f"spec.proposedContent.{path}", value))
    assert answer.status == 400
    assert message in json.loads(answer.body)["message"]


def request_v2(signer: CarelessSigner, content: bytes = b"content") -> dict[str, Any]:
    signature = signer.key.sign(content, ec.ECDSA(hashes.SHA256()))
    raw = encoded(signer.certificate.public_bytes(serialization.Encoding.DER))
    verifier = {"x509Certificate": {"rawBytes": raw}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    return {
        "hashedRekordRequestV002": {
            "digest": encoded(hashlib.sha256(content).digest()),
            "signature": {"content": encoded(signature), "verifier": verifier},
        }
    }


def test_version_2_records_and_refuses_twice(sigstore: Sigstore, signer: CarelessSigner) -> None:
    """An entry is recorded in canonical JSON under the current checkpoint; the same again is 409."""
    wanted = request_v2(signer)
    answer = post_v2(sigstore, wanted)
    assert answer.status == 201
    entry = json.loads(answer.body)
    body = base64.b64decode(entry["canonicalizedBody"])
    assert rfc8785.dumps(json.loads(body)) == body
    assert "integratedTime" not in entry
    checkpoint = sigstore.rekor_v2(Request(method="GET", path="/api/v2/checkpoint")).body.decode()
    assert checkpoint == entry["inclusionProof"]["checkpoint"]["envelope"]
    assert checkpoint.startswith("log.rehearsal.invalid\n1\n")
    assert post_v2(sigstore, wanted).status == 409


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("digest", encoded(bytes(32)), "does not verify"),
        ("digest", encoded(b"short"), "not 32 bytes"),
        ("digest", None, "digest is missing"),
        ("signature", None, "signature is missing"),
        ("signature.content", encoded(b"rubbish"), "does not verify"),
        ("signature.verifier", {}, "needs x509Certificate"),
        ("signature.verifier.x509Certificate.rawBytes", encoded(b"rubbish"), "not a certificate"),
        ("signature.verifier.keyDetails", "PKIX_ED25519", "keyDetails say"),
    ],
)
def test_bad_entries_are_refused_by_version_2(
    sigstore: Sigstore, signer: CarelessSigner, path: str, value: object, message: str
) -> None:
    """Version 2 refuses what does not verify or is malformed, says why, and records nothing."""
    answer = post_v2(sigstore, changed(request_v2(signer), f"hashedRekordRequestV002.{path}", value))
    assert answer.status == 400
    assert message in json.loads(answer.body)["message"]
    checkpoint = sigstore.rekor_v2(Request(method="GET", path="/api/v2/checkpoint")).body
    assert checkpoint.startswith(b"log.rehearsal.invalid\n0\n")
    assert post_v2(sigstore, {}).status == 400
    assert post_v2(sigstore, []).status == 400


def test_version_2_takes_envelopes_of_older_clients(sigstore: Sigstore, signer: CarelessSigner) -> None:
    """A dsse 0.0.2 request records payload hash and signature; a bent payload is refused."""
    payload = b"payload"
    signature = signer.key.sign(pre_authentication_encoding("a/b", payload), ec.ECDSA(hashes.SHA256()))
    verifier = request_v2(signer)["hashedRekordRequestV002"]["signature"]["verifier"]
    envelope = {
        "payloadType": "a/b",
        "payload": encoded(payload),
        "signatures": [{"sig": encoded(signature)}],
    }
    wanted = {"dsseRequestV002": {"envelope": envelope, "verifiers": [verifier]}}
    entry = json.loads(post_v2(sigstore, wanted).body)
    assert entry["kindVersion"] == {"kind": "dsse", "version": "0.0.2"}
    spec = json.loads(base64.b64decode(entry["canonicalizedBody"]))["spec"]["dsseV002"]
    assert spec["payloadHash"]["digest"] == encoded(hashlib.sha256(payload).digest())
    assert spec["signatures"] == [{"content": encoded(signature), "verifier": verifier}]
    assert post_v2(sigstore, changed(wanted, "dsseRequestV002.envelope.payload", "AAAA")).status == 400
    assert post_v2(sigstore, changed(wanted, "dsseRequestV002.verifiers", [])).status == 400
