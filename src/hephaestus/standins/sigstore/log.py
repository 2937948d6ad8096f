"""A transparency log: leaves kept in a file, a Merkle tree over them, checkpoints that sign its root."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hephaestus.standins.keys import SigningKey
from hephaestus.standins.sigstore.merkle import MerkleTree, leaf_hash

__all__ = ["DuplicateEntryError", "Inclusion", "LogSigner", "TransparencyLog", "public_der"]

_ED25519_ALGORITHM = b"\x01"


class DuplicateEntryError(ValueError):
    """Raised when a leaf is in the log already, at ``index``."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """A leaf and the proof that a tree of ``size`` leaves with ``root`` holds it.

    ``time`` is when it was integrated, in whole seconds since the epoch; ``hashed`` its leaf hash.
    """

    body: bytes
    time: int
    hashed: bytes
    index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class LogSigner:
    """The key of a log under the name its checkpoints are signed with.

    ``name`` must be the log's base URL without scheme: sigstore-js looks the key up by both.
    """

    name: str
    key: SigningKey

    @property
    def log_id(self) -> bytes:
        """32 bytes that name the log: for Ed25519 the C2SP signed-note key ID, else SHA-256 of the public key."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            raw = self.key.public_key().public_bytes_raw()
            return hashlib.sha256(self.name.encode() + b"\n" + _ED25519_ALGORITHM + raw).digest()
        return hashlib.sha256(public_der(self.key)).digest()

    def sign(self, data: bytes) -> bytes:
        """A signature over ``data``: Ed25519, or ECDSA with SHA-256."""
        return _sign(self.key, data)

    def checkpoint(self, origin: str, size: int, root: bytes) -> str:
        """A signed note (C2SP tlog-checkpoint) saying that the tree of ``size`` leaves has ``root``."""
        return self._note(origin, size, root, self.key)

    def forged_checkpoint(self, origin: str, size: int, root: bytes) -> str:
        """The same note under the same name and key ID, but signed by a stranger's key."""
        stranger: SigningKey = (
            ed25519.Ed25519PrivateKey.generate()
            if isinstance(self.key, ed25519.Ed25519PrivateKey)
            else ec.generate_private_key(self.key.curve)
        )
        return self._note(origin, size, root, stranger)

    def _note(self, origin: str, size: int, root: bytes, key: SigningKey) -> str:
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = base64.b64encode(self.log_id[:4] + _sign(key, text.encode())).decode()
        return f"{text}\n\N{EM DASH} {self.name} {signature}\n"


class TransparencyLog:
    """An append-only log in one file of ``state``, one line a leaf; safe for any number of threads.

    One process at a time: the next one finds what the last one left, and a line that was cut off by a kill
    is dropped, for nobody was ever told of it.
    """

    def __init__(self, path: Path, *, origin: str, signer: LogSigner, clock: Callable[[], float]) -> None:
        self.origin = origin
        self.signer = signer
        self._clock = clock
        self._lock = threading.Lock()
        self._leaves: list[tuple[int, bytes]] = []
        self._places: dict[bytes, int] = {}
        self._tree = MerkleTree()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._load()

    def __len__(self) -> int:
        return len(self._leaves)

    def append(self, body: bytes, *, later: int = 0) -> Inclusion:
        """Keep ``body`` as the next leaf and prove it; raises DuplicateEntryError, and OSError when it cannot be kept.

        ``later`` moves the integrated time by that many seconds (a forgery).
        """
        hashed = leaf_hash(body)
        with self._lock:
            if hashed in self._places:
                raise DuplicateEntryError(self._places[hashed])
            moment = int(self._clock()) + later
            line = json.dumps({"time": moment, "body": base64.b64encode(body).decode()}) + "\n"
            self._write(line.encode())
            self._remember(moment, body, hashed)
            return self._inclusion(len(self._leaves) - 1)

    def inclusion(self, index: int) -> Inclusion:
        """The leaf at ``index``, proven against the tree as it is now; raises IndexError."""
        with self._lock:
            if not 0 <= index < len(self._leaves):
                raise IndexError(index)
            return self._inclusion(index)

    def find(self, hashed: bytes) -> int | None:
        """The index of the leaf with that leaf hash."""
        with self._lock:
            return self._places.get(hashed)

    def head(self) -> tuple[int, bytes, str]:
        """Size, root and signed checkpoint of the tree as it is now."""
        with self._lock:
            size, root = len(self._tree), self._tree.root()
        return size, root, self.signer.checkpoint(self.origin, size, root)

    def _inclusion(self, index: int) -> Inclusion:
        moment, body = self._leaves[index]
        size, root = len(self._tree), self._tree.root()
        return Inclusion(
            body=body,
            time=moment,
            hashed=leaf_hash(body),
            index=index,
            size=size,
            root=root,
            path=tuple(self._tree.path(index)),
            checkpoint=self.signer.checkpoint(self.origin, size, root),
        )

    def _write(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
                os.fsync(descriptor)
            except OSError:
                # Half a line must not become the head of the next one.
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def _remember(self, moment: int, body: bytes, hashed: bytes) -> None:
        self._places[hashed] = self._tree.append(hashed)
        self._leaves.append((moment, body))

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole, _, torn = content.rpartition(b"\n")
        if torn:
            os.truncate(self._path, len(content) - len(torn))
        for line in whole.splitlines():
            leaf = json.loads(line)
            body = base64.b64decode(leaf["body"])
            self._remember(int(leaf["time"]), body, leaf_hash(body))


def public_der(key: SigningKey) -> bytes:
    """The public half as DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _sign(key: SigningKey, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ec.ECDSA(hashes.SHA256()))
