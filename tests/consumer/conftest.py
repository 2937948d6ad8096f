"""What the tests of consumers share: a whole release, public on stand-ins of the indexes and of GitHub."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import pytest
from consumer.shop import pip_venv, pip_venv_made, shop, shop_front, venv
from stages.conftest import empty_index, scene, signed_release, standin_sigstore, standins
from stages.standins import Scene
from stages.test_verify import public
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.services.http import HttpClient
from hephaestus.standins.sigstore import Serving

__all__ = [
    "Verify",
    "empty_index",
    "pip_venv",
    "pip_venv_made",
    "public",
    "scene",
    "shop",
    "shop_front",
    "signed_release",
    "standin_sigstore",
    "standins",
    "venv",
]

Verify = Callable[..., tuple[int, str, str]]
Offline = Callable[..., tuple[int, str, str]]


def told(words: list[str]) -> tuple[int, str, str]:
    """Run ``hephaestus release verify``: exit code, standard output, standard error; a traceback is raised."""
    done = CliRunner().invoke(app, ["release", "verify", *words], prog_name="hephaestus")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def offline(standin_sigstore: Serving) -> Offline:
    """Run the command over files with no connection, trusting the stand-in Sigstore, for repository o/r."""

    def run(*words: object, **instead: str) -> tuple[int, str, str]:
        given = {"trusted_root": str(standin_sigstore.trusted_root), "repository": "o/r", **instead}
        return told(["--offline", *_options(given), *map(str, words)])

    return run


def _options(given: Mapping[str, str]) -> list[str]:
    return [word for name, value in given.items() if value for word in (f"--{name.replace('_', '-')}", value)]


@pytest.fixture
def verify(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Run ``hephaestus release verify`` against the stand-ins: exit code, standard output, standard error."""
    services = {
        "index_url": scene.world.indexes["pypi"].simple_url,
        "test_index_url": scene.world.indexes["testpypi"].simple_url,
        "github_url": scene.world.github.api_url,
        "trusted_root": str(scene.standins.serving.trusted_root),
        "repository": "o/r",
    }
    patient = functools.partial(HttpClient, sleep=scene.sleep)
    monkeypatch.setattr("hephaestus.consumer.services.HttpClient", patient)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GH_TOKEN", raising=False)
    monkeypatch.delenv("HEPHAESTUS_RELEASE_REPOSITORY", raising=False)

    def run(*words: object, **instead: str) -> tuple[int, str, str]:
        return told([*_options({**services, **instead}), *map(str, words)])

    return run
