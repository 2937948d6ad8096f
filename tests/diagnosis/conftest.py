"""One listener per service for all tests of a process; a fresh project and fresh stand-ins for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from diagnosis.clinic import Clinic, Desk, new_clone

from hephaestus.standins.http import Listener

SERVICES = ("github", "oidc", "testpypi", "pypi")


@pytest.fixture(scope="session")
def desks() -> Iterator[dict[str, tuple[Desk, Listener]]]:
    with ExitStack() as stack:
        made = {name: Desk() for name in SERVICES}
        yield {name: (desk, stack.enter_context(Listener(desk))) for name, desk in made.items()}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    new_clone(root)
    return root


@pytest.fixture
def clinic(
    tmp_path: Path,
    template: Path,
    desks: dict[str, tuple[Desk, Listener]],
    monkeypatch: pytest.MonkeyPatch,
) -> Clinic:
    # The clone is asked by git itself, which would read this machine's settings.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    return Clinic.open(tmp_path, template, desks)
