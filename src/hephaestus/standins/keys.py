"""What a stand-in keeps for good: private keys and certificates, made once per state folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

__all__ = ["SigningKey", "ec_key", "ed25519_key", "settle"]

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def settle(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of ``path``; when there is none yet, ``make`` it, readable by the owner only.

    Whoever comes first decides: with two processes at once both return the same bytes, and nobody ever
    sees half a file. Raises OSError when the folder cannot be written.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(make())
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Unlike a rename, a link never replaces what another process has settled meanwhile.
            path.hardlink_to(draft)
        except FileExistsError:
            return path.read_bytes()
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes()


def ec_key(path: Path, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    """The elliptic-curve key kept at ``path`` (PKCS #8, PEM, mode 0600), made on first use."""
    key = _load(path, lambda: ec.generate_private_key(curve))
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(path)
    return key


def ed25519_key(path: Path) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 key kept at ``path`` (PKCS #8, PEM, mode 0600), made on first use."""
    key = _load(path, ed25519.Ed25519PrivateKey.generate)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise TypeError(path)
    return key


def _load(path: Path, generate: Callable[[], SigningKey]) -> object:
    def make() -> bytes:
        return generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    return serialization.load_pem_private_key(settle(path, make), password=None)
