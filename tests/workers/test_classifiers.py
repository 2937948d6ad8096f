"""The classifiers worker, under the environments of the stages that ask it."""

from __future__ import annotations

import pytest
from workers.conftest import Ask


@pytest.mark.parametrize("lock", ["sign", "check"])
def test_it_knows_what_the_index_knows(ask_worker: Ask, lock: str) -> None:
    """The list is there in both environments, sorted, with classifiers everybody uses and none invented."""
    code, answer = ask_worker("classifiers", lock, {})
    assert code == 0
    known = answer["classifiers"]
    assert known == sorted(known)
    assert len(known) > 500
    assert "Programming Language :: Python :: 3" in known
    assert "Topic :: Blacksmithing :: Gods" not in known
