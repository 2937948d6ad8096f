"""Merkle trees of transparency logs (RFC 6962, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["MerkleTree", "leaf_hash", "root_from_path"]


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf (RFC 6962, 2.1: a zero byte keeps leaves and nodes apart)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """An append-only tree over leaf hashes; a root or a path costs the logarithm of its size.

    Not thread-safe: its log serialises.
    """

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        # _levels[k][i] is the hash of the complete subtree over leaves i * 2**k ... (i + 1) * 2**k - 1.
        self._levels: list[list[bytes]] = [[]]
        for hashed in hashes:
            self.append(hashed)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, hashed: bytes) -> int:
        """Add a leaf by its hash and return its index."""
        index = len(self)
        height = 0
        self._levels[0].append(hashed)
        while len(self._levels[height]) % 2 == 0:
            left, right = self._levels[height][-2:]
            height += 1
            if height == len(self._levels):
                self._levels.append([])
            self._levels[height].append(_node_hash(left, right))
        return index

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves (all of them by default)."""
        size = self._checked(size)
        return self._hash(0, size) if size else hashlib.sha256(b"").digest()

    def path(self, index: int, size: int | None = None) -> list[bytes]:
        """The audit path of leaf ``index`` in the tree of ``size`` leaves (2.1.1), from the leaf upwards."""
        size = self._checked(size)
        if not 0 <= index < size:
            raise IndexError(index)
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return path[::-1]

    def _checked(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            raise IndexError(size)
        return size

    def _hash(self, start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1) == 0 and start % count == 0:
            return self._levels[count.bit_length() - 1][start // count]
        middle = start + _split(count)
        return _node_hash(self._hash(start, middle), self._hash(middle, end))


def root_from_path(hashed: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that ``path`` leads to from a leaf hash (RFC 9162, 2.1.3.2); None when it does not fit the tree."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            hashed = _node_hash(sibling, hashed)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            hashed = _node_hash(hashed, sibling)
        index, last = index >> 1, last >> 1
    return hashed if last == 0 else None


def _split(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    return 1 << (count - 1).bit_length() - 1
