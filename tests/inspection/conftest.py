"""Services to look at, for every test of this room and of its commands."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from inspection.company import Company
from inspection.outside import PATIENCE, Listeners, Outside

from hephaestus.services.http import HttpClient


@pytest.fixture(scope="session")
def listeners() -> Iterator[Listeners]:
    """One listener a service: closing one costs 50 ms."""
    with Listeners().running("testpypi", "pypi", "github", "internal") as running:
        yield running


@pytest.fixture
def outside(tmp_path: Path, listeners: Listeners) -> Outside:
    """Empty indexes and a repository with one commit."""
    return Outside(tmp_path / "outside", listeners)


@pytest.fixture
def company(published: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A private index with its password, beside the public services that must hear nothing of it."""
    monkeypatch.setenv("COMPANY_TOKEN", Company.PASSWORD)
    impatient = functools.partial(HttpClient, patience=PATIENCE, sleep=lambda _seconds: None)
    monkeypatch.setattr("hephaestus.stages.indexes.HttpClient", impatient)
    return Company(tmp_path / "company", published)


@pytest.fixture
def published(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """The same services where the commands look for the real ones; nobody waits between attempts."""
    monkeypatch.setattr("hephaestus.inspection.places.read_addresses", lambda _environ: outside.addresses)
    impatient = functools.partial(HttpClient, sleep=lambda _seconds: None)
    monkeypatch.setattr("hephaestus.inspection.places.HttpClient", impatient)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return outside
