"""What the tests of consumers share: a whole release, public on stand-ins of the indexes and of GitHub."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from consumer.shop import pip_venv, pip_venv_made, shop, shop_front, venv
from stages.conftest import scene, signed_release, standin_sigstore, standins
from stages.standins import Scene
from stages.test_verify import public
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.services.http import HttpClient

__all__ = [
    "Verify",
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


@pytest.fixture
def verify(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Run ``hephaestus release verify`` against the stand-ins: exit code, standard output, standard error."""
    services = {
        "--index-url": scene.world.indexes["pypi"].simple_url,
        "--test-index-url": scene.world.indexes["testpypi"].simple_url,
        "--github-url": scene.world.github.api_url,
        "--trusted-root": str(scene.standins.serving.trusted_root),
        "--repository": "o/r",
    }
    monkeypatch.setattr("hephaestus.consumer.verification.HttpClient", functools.partial(HttpClient, sleep=scene.sleep))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("HEPHAESTUS_RELEASE_REPOSITORY", raising=False)

    def run(*words: object, **instead: str) -> tuple[int, str, str]:
        given = {**services, **{f"--{name.replace('_', '-')}": value for name, value in instead.items()}}
        options = [word for option, value in given.items() if value for word in (option, value)]
        done = CliRunner().invoke(app, ["release", "verify", *options, *map(str, words)], prog_name="hephaestus")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
