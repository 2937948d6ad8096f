"""The bill of materials, made by CycloneDX's own library in its locked environment."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standins.index.distributions import make_wheel

from hephaestus.toolchain.environment import LockedEnvironment, WorkerError
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment

ASKED: dict[str, Any] = {"extras": [], "environments": [{}], "epoch": 0}


@pytest.fixture
def work(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Ask a worker in the environment of a lock."""

    def ask(lock: str, worker: str, request: dict[str, Any]) -> dict[str, Any]:
        def provision() -> Path:
            environ = dict(os.environ)
            return cached_environment(read_lock(lock), env=environ, cache=cache_folder(environ))

        environment = LockedEnvironment(provision=provision, work=tmp_path / "work")
        return environment.work(worker, request, env={"PATH": os.environ["PATH"]})

    return ask


def entry(wheel: Path) -> dict[str, str]:
    """One wheel as the request names it."""
    return {
        "path": str(wheel),
        "file": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }


def test_licences_extras_and_needs_are_told(work: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Expression, short text, classifiers and none; who needs whom follows markers and extras."""
    none = {"License-Expression": ""}
    fields: dict[str, dict[str, Any]] = {
        "root": {"Requires-Dist": ["a[fast]", 'b; extra == "x"', "c; python_version < '3'"]},
        "a": {**none, "License": "BSD-3-Clause", "Requires-Dist": ['d; extra == "fast"']},
        "b": {**none, "Classifier": ["License :: OSI Approved :: MIT License"]},
        "c": {**none, "License": "long " * 40},
        "d": {**none, "License": "one of my own"},
    }
    wheels = [make_wheel(tmp_path, name, "1.0", fields=given) for name, given in fields.items()]
    output = tmp_path / "sbom.json"
    request = {
        "root": "root",
        "wheels": [entry(w) for w in wheels],
        "extras": ["x"],
        "environments": [{}],
        "epoch": 0,
        "output": str(output),
    }
    answer = work("wheelhouse", "sbom", request)
    assert (answer["problem"], answer["components"], answer["unlicensed"]) == ("", 5, ["c"])
    sbom = json.loads(output.read_text())
    licences = {one["name"]: one.get("licenses") for one in sbom["components"]}
    assert licences["a"][0]["license"]["id"] == "BSD-3-Clause"
    assert licences["b"][0]["license"]["name"] == "MIT License"
    assert licences["c"] is None
    assert licences["d"][0]["license"]["name"] == "one of my own"
    needs = {one["ref"]: one.get("dependsOn", []) for one in sbom["dependencies"]}
    assert needs["pkg:pypi/root@1.0"] == ["pkg:pypi/a@1.0", "pkg:pypi/b@1.0"]
    assert needs["pkg:pypi/a@1.0"] == ["pkg:pypi/d@1.0"]
    first = output.read_bytes()
    assert work("wheelhouse", "sbom", request) == answer
    assert output.read_bytes() == first


def test_what_the_schema_refuses_is_said(work: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """CycloneDX's validator is really asked: a digest that is none is its problem, not a valid bill."""
    wheel = {**entry(make_wheel(tmp_path, "root", "1.0")), "sha256": "not a digest"}
    request = {
        "root": "root",
        "wheels": [wheel],
        "extras": [],
        "environments": [{}],
        "epoch": 0,
        "output": str(tmp_path / "sbom.json"),
    }
    assert "not a digest" in work("wheelhouse", "sbom", request)["problem"]


def test_a_wheel_without_metadata_is_an_error_of_ours(work: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """A worker that cannot answer raises WorkerError with its last words, not a traceback of ours."""
    (tmp_path / "x.whl").write_bytes(b"no zip")
    request = {
        "root": "x",
        "wheels": [{"path": str(tmp_path / "x.whl"), "file": "x.whl", "sha256": "0"}],
        "extras": [],
        "environments": [{}],
    }
    with pytest.raises(WorkerError, match="not a zip file"):
        work("wheelhouse", "sbom", request)


def test_interpreters_are_found_or_missing(work: Callable[..., dict[str, Any]]) -> None:
    """The running version is found by what people write, an impossible one is None."""
    import platform

    version = platform.python_version()
    found = work("smoke", "interpreters", {"wanted": [version.rpartition(".")[0], "3.99"]})["found"]
    assert found["3.99"] is None
    first = found[version.rpartition(".")[0]]
    assert first["version"].startswith(version.rpartition(".")[0])
    assert Path(first["executable"]).is_file()
