"""Keys that outlive a process."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.keys import ec_key, ed25519_key, settle


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    """The second asking returns the first key, and the file is readable by nobody else."""
    path = tmp_path / "deep" / "key.pem"
    first, second = (ec_key(path, ec.SECP256R1()).private_numbers() for _ in range(2))
    assert first == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["key.pem"]


def test_all_who_come_at_once_get_the_same_key(tmp_path: Path) -> None:
    """Of many makers one decides, and none returns a key that is not the one kept."""
    path, found = tmp_path / "key", []
    barrier = threading.Barrier(8)

    def ask(number: int) -> None:
        barrier.wait()
        found.append(settle(path, lambda: str(number).encode()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    """When the maker fails, neither the file nor a draft of it stays behind."""

    def fail() -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        settle(tmp_path / "key", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_another_kind_is_not_taken(tmp_path: Path) -> None:
    """A kept key of the wrong algorithm is an error, not a silent new key."""
    ec_key(tmp_path / "key", ec.SECP256R1())
    with pytest.raises(TypeError):
        ed25519_key(tmp_path / "key")
