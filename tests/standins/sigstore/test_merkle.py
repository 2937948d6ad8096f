"""Merkle trees: held against the definition in RFC 6962, word for word."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.standins.sigstore.merkle import MerkleTree, leaf_hash, root_from_path


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def defined_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*defined_path(index, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(index - k, leaves[k:]), defined_root(leaves[:k])]


def test_known_roots() -> None:
    """The empty tree and the tree of one empty leaf have the roots everyone knows."""
    assert MerkleTree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    one = MerkleTree([leaf_hash(b"")])
    assert one.root().hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_roots_and_paths_are_as_defined(leaves: list[bytes], data: st.DataObject) -> None:
    """For every tree, earlier size and leaf: root and path equal the definition, and the path leads to the root."""
    tree = MerkleTree(leaf_hash(leaf) for leaf in leaves)
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    assert tree.root(size) == defined_root(leaves[:size])
    path = tree.path(index, size)
    assert path == defined_path(index, leaves[:size])
    assert root_from_path(leaf_hash(leaves[index]), index, size, path) == tree.root(size)


@given(st.integers(2, 40), st.data())
def test_a_path_proves_one_leaf_only(size: int, data: st.DataObject) -> None:
    """A path bent in one bit, or too long, or used for another place, does not lead to the root."""
    tree = MerkleTree(leaf_hash(str(number).encode()) for number in range(size))
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    hashed, path = leaf_hash(str(index).encode()), tree.path(index)
    place = data.draw(st.integers(0, len(path) - 1))
    bent = [*path[:place], bytes([path[place][0] ^ 1, *path[place][1:]]), *path[place + 1 :]]
    assert root_from_path(hashed, index, size, bent) != tree.root()
    assert root_from_path(hashed, index, size, [*path, path[0]]) is None
    assert root_from_path(hashed, index, size, path[:-1]) is None
    if other != index:
        assert root_from_path(hashed, other, size, path) != tree.root()


def test_what_is_not_in_the_tree_has_no_path() -> None:
    """Asking beyond the tree is an error."""
    tree = MerkleTree([leaf_hash(b"a")])
    for arguments in [(1,), (-1,), (0, 2), (0, 0)]:
        with pytest.raises(IndexError):
            tree.path(*arguments)
    assert root_from_path(leaf_hash(b"a"), 1, 1, []) is None
