"""Real hosts in processes of their own, all ended when a test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds.hosts import Hosts

from hephaestus.worlds.hosting import Host


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of application directories for all tests: the bytecode is made once."""
    return tmp_path_factory.mktemp("applications")


@pytest.fixture
def start(cache: Path) -> Iterator[Hosts]:
    """Start hosts for one test."""
    hosts = Hosts(cache)
    yield hosts
    hosts.end()


@pytest.fixture(scope="module")
def shared(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for tests that only look at it or use files of their own."""
    hosts = Hosts(cache)
    # Tests that use it may be far apart, in whatever order they come.
    yield hosts(tmp_path_factory.mktemp("shared") / "state", idle_seconds=3600.0)
    hosts.end()
