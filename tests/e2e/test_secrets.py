"""Credentials of the caller: no child of a rehearsal sees them, nothing that is kept or printed holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from e2e.projects import Project, git
from plants import PLANTED, URL_PASSWORD, found, found_below, minted

from hephaestus.standins.http import Listener, Request, Response

_SPY = """
import json as _json
import os as _os
with open({path!r}, "a") as _stream:
    _stream.write(_json.dumps(dict(_os.environ)) + "\\n")
"""
_SECRETS = [*(value for name, value in PLANTED.items() if name != "TWINE_USERNAME"), URL_PASSWORD]


@pytest.fixture
def asked() -> list[str]:
    """The pages that the private index was asked for."""
    return []


@pytest.fixture
def private_index(asked: list[str]) -> Iterator[str]:
    """An index with a password that has nothing: whoever is configured to ask it names the password."""

    def answer(request: Request) -> Response:
        asked.append(request.path)
        return Response(status=404)

    with Listener(answer) as listener:
        yield f"http://planted-user:{quote(URL_PASSWORD, safe='')}@127.0.0.1:{listener.port}/simple/"


def planted(home: Path, project: Project, index: str) -> dict[str, str]:
    """Put secrets where a person has them: environment, .pypirc, pip.conf, .netrc, the remote of the repository."""
    pip = home / ".config" / "pip" / "pip.conf"
    pip.parent.mkdir(parents=True)
    pip.write_text(f"[global]\nextra-index-url = {index}\n", encoding="utf-8")
    pypirc = f"[pypi]\nusername = __token__\npassword = {PLANTED['TWINE_PASSWORD']}\n"
    (home / ".pypirc").write_text(pypirc, encoding="utf-8")
    (home / ".netrc").write_text(f"machine planted.invalid login x password {URL_PASSWORD}\n", encoding="utf-8")
    (home / ".netrc").chmod(0o600)
    remote = f"https://x-access-token:{PLANTED['GITHUB_TOKEN']}@github.com/o/r.git"
    git(project.root, "remote", "add", "origin", remote)
    return {**PLANTED, "HOME": str(home), "PIP_EXTRA_INDEX_URL": index}


def test_no_credential_reaches_a_child_or_anything_kept(
    make: Callable[..., Project], private_index: str, asked: list[str], tmp_path: Path
) -> None:
    """Planted secrets reach neither the backend nor the released code, and stand in no output and no file kept.

    That holds for a run that fails at the token exchange, told to GitHub Actions, and for the run that completes it.
    """
    project = make(dependencies=("packaging",))
    backend, released = tmp_path / "backend.jsonl", tmp_path / "released.jsonl"
    for name, path in (("backend.py", backend), ("src/tiny_thing/__init__.py", released)):
        file = project.root / name
        file.write_text(file.read_text(encoding="utf-8") + _SPY.format(path=str(path)), encoding="utf-8")
    git(project.root, "commit", "-q", "--all", "-m", "spy")
    environ = planted(tmp_path / "person", project, private_index)
    page = tmp_path / "step-summary.md"
    on_actions = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    fault = "--fault=pypi:mint-invalid-publisherx99"
    failed = project.nox("-s", "upload-pypi", "--", fault, env={**environ, **on_actions})
    assert failed.code == 1, failed.output
    assert "no upload token" in failed.flat
    assert "no upload token" in page.read_text(encoding="utf-8")
    ran = project.nox("-s", "release", env=environ)
    assert ran.code == 0, ran.output
    for path in (backend, released):
        seen = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert seen
        reached = {name for one in seen for name, value in one.items() if found(value.encode(), _SECRETS)}
        # Where packages come from is the user's, password included: a build may have to install its requirements.
        assert reached <= ({"PIP_EXTRA_INDEX_URL"} if path is backend else set()), path.name
        assert not {name for environ in seen for name in environ if name.startswith(("TWINE_", "ACTIONS_"))}
    assert asked, "no tool has used the password of the private index"
    said = "\n".join([failed.output, ran.output, page.read_text(encoding="utf-8")]).encode()
    assert found(said, _SECRETS) == []
    assert minted(said) == []
    kept = project.root / "release"
    assert found_below(kept, _SECRETS) == {}
    held = {path.name: minted(path.read_bytes()) for path in kept.rglob("*") if path.is_file()}
    assert {name for name, tokens in held.items() if tokens} == set()
