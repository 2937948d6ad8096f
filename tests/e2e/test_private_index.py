"""A private index end to end: real nox on a person's machine, a token, no workflow, no identity, no GitHub."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import Project, git
from private_index import PrivateIndex
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.standins.http import Listener

PASSWORD = "correct-horse-battery-9"
LEFT_OUT = ("sign", "upload-testpypi", "smoke", "sign-wheelhouse", "github-release")
ASKED = ("-s", "release", "--", "--publish", "--index", "internal")


def test_a_release_to_a_private_index(
    make: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a tag and without a token nothing begins; then the whole chain, seen as done; again, nothing is sent."""
    server = PrivateIndex(tmp_path / "index", user="releaser", password=PASSWORD)
    with Listener(server.handle) as listener:
        settings = f"""
[tool.hephaestus.release.indexes.internal]
upload-url = "{listener.url}/upload/"
simple-url = "{listener.url}/simple"
username = "releaser"
token-variable = "COMPANY_TOKEN"
"""
        project = make(settings=settings)
        token = {"COMPANY_TOKEN": PASSWORD}
        said = []

        missing = project.nox("-s", "build", *ASKED[2:])
        assert (missing.code, server.asked) == (1, [])
        assert "there is no token for internal: COMPANY_TOKEN is not set" in missing.output

        untagged = project.nox("-s", "build", *ASKED[2:], env=token)
        assert untagged.code == 1
        assert "v1.2.3" in untagged.output
        git(project.root, "tag", "v1.2.3")

        ran = project.nox(*ASKED, env=token)
        assert ran.code == 0, ran.output
        assert "not asked of a release to internal: whether the commit is on the default branch" in ran.output
        assert {stage: ran.ended(stage) for stage in LEFT_OUT} == dict.fromkeys(LEFT_OUT, "skipped")
        directory = ReleaseDirectory(path=project.root / "release" / project.version)
        receipts = directory.receipts()
        assert set(receipts) == {"build", "check", "upload-pypi", "wheelhouse", "verify"}
        assert {receipt.world for receipt in receipts.values()} == {"publish:internal"}
        released = {path.removeprefix("dist/"): digest.removeprefix("sha256:")
                    for path, digest in receipts["build"].outputs.items() if path.startswith("dist/")}  # fmt: skip
        assert server.served("tiny-thing") == released
        told = json.loads((directory.path / "summary.json").read_text(encoding="utf-8"))
        assert (told["world"], told["index"], told["next"]) == ("publish:internal", "internal", "")
        assert "PyPI  " not in ran.output
        (twine,) = [command for command in ran.tools() if " upload " in command]
        assert "--attestations" not in twine
        assert f"--repository-url {listener.url}/upload/" in twine

        monkeypatch.chdir(project.root)
        monkeypatch.setenv("COMPANY_TOKEN", PASSWORD)
        for command in ("status", "plan"):
            looked = CliRunner().invoke(app, ["release", command, "--publish", "--index", "internal", "--json"])
            assert looked.exit_code == 0, looked.output
            said.append(looked.output)
        assert {stage["verdict"] for stage in json.loads(said.pop())["stages"]} == {"done", "left out"}
        told = json.loads(said[-1])
        assert (told["asked"]["indexes"]["internal"]["state"], told["next"]) == ("complete", "")
        audited = CliRunner().invoke(app, ["release", "audit", "--index", "internal", "--verify"])
        assert "PASS   internal  1.2.3: 2 files" in audited.output

        sent = len(server.sent())
        again = project.nox("-s", "release", env={**token, "HEPHAESTUS_PUBLISH": "1",
                                                                  "HEPHAESTUS_INDEX": "internal"})  # fmt: skip
        assert again.code == 0, again.output
        assert len(server.sent()) == sent
        assert again.ended("upload-pypi") == again.ended("verify") == "skipped"

        wrong = project.nox("-s", "verify", "--no-dependencies", *ASKED[2:], env={"COMPANY_TOKEN": "another-one-9"})
        assert wrong.code == 1
        assert "does not show its pages to this token" in wrong.output
        said += [run.output for run in (missing, untagged, ran, again, wrong)]

    header = base64.b64encode(f"releaser:{PASSWORD}".encode()).decode()
    kept = [path.read_bytes() for path in project.root.rglob("*") if path.is_file()]
    for secret in (PASSWORD, header):
        assert not [text for text in said if secret in text]
        assert not [content for content in kept if secret.encode() in content]
    assert all(server.asked)
