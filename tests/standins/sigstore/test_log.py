"""The log file: what was answered once is there for good."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hephaestus.standins.sigstore.log import DuplicateEntryError, Inclusion, LogSigner, TransparencyLog
from hephaestus.standins.sigstore.merkle import leaf_hash, root_from_path

SIGNERS = [
    LogSigner(name="log.example.invalid", key=ed25519.Ed25519PrivateKey.generate()),
    LogSigner(name="rekor.example.invalid", key=ec.generate_private_key(ec.SECP256R1())),
]


def opened(folder: Path, signer: LogSigner = SIGNERS[0]) -> TransparencyLog:
    return TransparencyLog(folder / "log.jsonl", origin="origin", signer=signer, clock=lambda: 1000.9)


def check_note(note: str, signer: LogSigner) -> list[str]:
    """The lines of a note whose signature is right; raises InvalidSignature."""
    text, _, signature_line = note.partition("\n\n")
    dash, name, encoded = signature_line.split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, raw[:4]) == ("—", signer.name, signer.log_id[:4])
    if isinstance(signer.key, ed25519.Ed25519PrivateKey):
        signer.key.public_key().verify(raw[4:], f"{text}\n".encode())
    else:
        signer.key.public_key().verify(raw[4:], f"{text}\n".encode(), ec.ECDSA(hashes.SHA256()))
    return text.split("\n")


@pytest.mark.parametrize("signer", SIGNERS, ids=["ed25519", "ecdsa"])
def test_an_entry_comes_with_a_proof_under_a_signed_root(tmp_path: Path, signer: LogSigner) -> None:
    """Index, time, path, root and checkpoint belong together."""
    log = opened(tmp_path, signer)
    *_, inclusion = [log.append(f"leaf {number}".encode()) for number in range(5)]
    assert (inclusion.index, inclusion.size, inclusion.time) == (4, 5, 1000)
    assert root_from_path(leaf_hash(b"leaf 4"), 4, 5, list(inclusion.path)) == inclusion.root
    assert check_note(inclusion.checkpoint, signer) == [
        "origin",
        "5",
        base64.b64encode(inclusion.root).decode(),
    ]
    with pytest.raises(InvalidSignature):
        check_note(signer.forged_checkpoint("origin", 5, inclusion.root), signer)


def test_the_same_leaf_is_not_taken_twice(tmp_path: Path) -> None:
    """A duplicate is refused with the place of the first, and the tree does not grow."""
    log = opened(tmp_path)
    log.append(b"a")
    log.append(b"b")
    with pytest.raises(DuplicateEntryError) as caught:
        log.append(b"a")
    assert caught.value.index == 0
    assert len(log) == 2


def test_the_next_process_continues(tmp_path: Path) -> None:
    """A log opened again has the same root, proves old leaves, and goes on where it was."""
    first = opened(tmp_path)
    old = [first.append(str(number).encode()) for number in range(3)]
    second = opened(tmp_path)
    assert second.head()[:2] == first.head()[:2]
    assert second.inclusion(1).body == b"1"
    assert second.find(old[2].hashed) == 2
    assert second.append(b"3").index == 3


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path, cut: int) -> None:
    """Half a line at the end was never answered: it goes, whole lines stay, and the file is whole again."""
    first = opened(tmp_path)
    first.append(b"whole")
    root = first.head()[1]
    first.append(b"half" * 10)
    path = tmp_path / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    second = opened(tmp_path)
    assert len(second) == 1
    assert second.head()[1] == root
    assert second.append(b"next").index == 1
    assert len(opened(tmp_path)) == 2


def test_concurrent_entries_are_all_provable(tmp_path: Path) -> None:
    """With many threads every index is given once and every proof holds, then and in the final tree."""
    log, found = opened(tmp_path), list[Inclusion]()
    barrier = threading.Barrier(8)

    def add(number: int) -> None:
        barrier.wait()
        found.extend(log.append(f"{number}-{turn}".encode()) for turn in range(8))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.index for one in found) == list(range(64))
    for one in found:
        assert root_from_path(one.hashed, one.index, one.size, list(one.path)) == one.root
        later = log.inclusion(one.index)
        assert (later.hashed, later.size) == (one.hashed, 64)
        assert root_from_path(one.hashed, one.index, 64, list(later.path)) == log.head()[1]
    assert opened(tmp_path).head()[1] == log.head()[1]


def test_beyond_the_log_is_an_error(tmp_path: Path) -> None:
    """An index that was never given has no proof."""
    for index in (0, -1):
        with pytest.raises(IndexError):
            opened(tmp_path).inclusion(index)


def test_a_full_disk_leaves_the_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When only half a line can be written, nothing is recorded, and the next entry starts a line of its own."""
    log = opened(tmp_path)
    log.append(b"before")
    real = os.write
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", lambda descriptor, data: real(descriptor, data[: len(data) // 2]))
        with pytest.raises(OSError, match="No space left"):
            log.append(b"lost")
    assert len(log) == 1
    assert log.append(b"after").index == 1
    assert [opened(tmp_path).inclusion(index).body for index in (0, 1)] == [b"before", b"after"]
