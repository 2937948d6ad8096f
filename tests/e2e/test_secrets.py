"""Credentials of the caller: no child of a rehearsal sees them, nothing that is kept or printed holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from e2e.projects import Project, git

PLANTED = {
    "TWINE_USERNAME": "__token__",
    "TWINE_PASSWORD": "pypi-AgEIcHlwaS5vcmcCJGUyMDE5planted1",
    "PYPI_TOKEN": "pypi-AgEIcHlwaS5vcmcCJGUyMDE5planted2",
    "UV_PUBLISH_TOKEN": "pypi-AgEIcHlwaS5vcmcCJGUyMDE5planted3",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "eyJhbGciOiJub25lIn0.cGxhbnRlZA.planted4",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://planted5.invalid/token",
    "ACTIONS_RUNTIME_TOKEN": "eyJhbGciOiJub25lIn0.cGxhbnRlZA.planted6",
    "GITHUB_TOKEN": "ghs_planted7planted7planted7planted7planted7",
    "GH_TOKEN": "ghp_planted8planted8planted8planted8planted8",
    "AWS_SECRET_ACCESS_KEY": "planted9/planted9/planted9",
    "MY_OWN_API_KEY": "planted10-planted10",
    "SIGSTORE_ID_TOKEN": "eyJhbGciOiJub25lIn0.cGxhbnRlZA.planted11",
}

_SPY = """
import json as _json
import os as _os
with open({path!r}, "a") as _stream:
    _stream.write(_json.dumps(dict(_os.environ)) + "\\n")
"""


def test_no_credential_reaches_a_child_or_anything_kept(make: Callable[..., Project], tmp_path: Path) -> None:
    """Planted tokens reach neither the backend nor the released code, and stand in no output and no file kept."""
    project = make()
    backend, released = tmp_path / "backend.jsonl", tmp_path / "released.jsonl"
    for name, path in (("backend.py", backend), ("src/tiny_thing/__init__.py", released)):
        file = project.root / name
        file.write_text(file.read_text(encoding="utf-8") + _SPY.format(path=str(path)), encoding="utf-8")
    git(project.root, "commit", "-q", "--all", "-m", "spy")
    ran = project.nox("-s", "release", env=PLANTED)
    assert ran.code == 0, ran.output
    for path in (backend, released):
        seen = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert seen
        reached = {name for environ in seen for name, value in environ.items() if "planted" in value}
        assert reached == set(), path.name
        assert not {name for environ in seen for name in environ if name.startswith(("TWINE_", "ACTIONS_"))}
    assert "planted" not in ran.output.replace(str(tmp_path), "")
    holding = [
        str(path)
        for path in (project.root / "release").rglob("*")
        if path.is_file() and b"planted" in path.read_bytes()
    ]
    assert holding == []
