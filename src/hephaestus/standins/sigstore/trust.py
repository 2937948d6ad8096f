"""What a client must know to trust the stand-in: trusted root and signing configuration, as JSON documents."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from hephaestus.standins.keys import SigningKey
from hephaestus.standins.sigstore.log import public_der

__all__ = ["authority_entry", "client_trust_config", "log_entry", "signing_config", "trusted_root"]

_OPERATOR = "rehearsal.invalid"


def trusted_root(
    *,
    logs: list[dict[str, Any]],
    certificate_logs: list[dict[str, Any]],
    authorities: list[dict[str, Any]],
    timestamp_authorities: list[dict[str, Any]],
) -> dict[str, Any]:
    """A trusted root, version 0.1. It holds names, never addresses: it is kept, and stays true."""
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": logs,
        "certificateAuthorities": authorities,
        "ctlogs": certificate_logs,
        "timestampAuthorities": timestamp_authorities,
    }


def log_entry(*, host: str, key: SigningKey, log_id: bytes, since: datetime) -> dict[str, Any]:
    """A log (transparency or certificate) in a trusted root."""
    details = "PKIX_ED25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "PKIX_ECDSA_P256_SHA_256"
    return {
        "baseUrl": f"https://{host}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": base64.b64encode(public_der(key)).decode(),
            "keyDetails": details,
            "validFor": {"start": _rfc3339(since)},
        },
        "logId": {"keyId": base64.b64encode(log_id).decode()},
    }


def authority_entry(*, host: str, chain: list[x509.Certificate], since: datetime) -> dict[str, Any]:
    """A certificate or time-stamp authority in a trusted root; ``chain`` from the issuing end to the root."""
    subject = chain[0].subject
    return {
        "subject": {
            "organization": _attribute(subject, NameOID.ORGANIZATION_NAME),
            "commonName": _attribute(subject, NameOID.COMMON_NAME),
        },
        "uri": f"https://{host}",
        "certChain": {
            "certificates": [
                {"rawBytes": base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode()} for one in chain
            ]
        },
        "validFor": {"start": _rfc3339(since)},
    }


def signing_config(
    *,
    fulcio_url: str,
    rekor_v1_url: str,
    rekor_v2_url: str,
    timestamp_url: str,
    oidc_url: str,
    since: datetime,
) -> dict[str, Any]:
    """A signing configuration, version 0.2: the only document with live addresses.

    Both logs belong to one operator, so clients take the higher version unless told otherwise.
    """

    def service(url: str, version: int) -> dict[str, Any]:
        return {
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": _rfc3339(since)},
            "operator": _OPERATOR,
        }

    return {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(fulcio_url, 1)],
        "oidcUrls": [service(oidc_url, 1)],
        "rekorTlogUrls": [service(rekor_v1_url, 1), service(rekor_v2_url, 2)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service(timestamp_url, 1)],
        "tsaConfig": {"selector": "ANY"},
    }


def client_trust_config(*, root: dict[str, Any], signing: dict[str, Any]) -> dict[str, Any]:
    """What ``sigstore --trust-config`` reads."""
    return {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": root,
        "signingConfig": signing,
    }


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    value = name.get_attributes_for_oid(oid)[0].value
    return value if isinstance(value, str) else value.decode()


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
