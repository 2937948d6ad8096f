"""docs/publishing.md, `A private index`: every command that looks runs as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from cli.conftest import Said
from docs.documents import commands, section
from inspection.company import Company
from inspection.test_forecast import committed

from hephaestus.release.manifest import render_sums
from hephaestus.release.root import ReleaseRoot

PAGE = "docs/publishing.md"
HEADING = "A private index"
COMMANDS = sorted({
    command.text
    for command in commands()
    if command.page == PAGE and command.words[0] == "hephaestus" and "internal" in command.words
})  # fmt: skip

#: How they end where 1.2.3 is on the index and not yanked; all others end with 0.
ENDS = {"hephaestus release rollback 1.2.3 --verify --index internal": 1}


@pytest.fixture
def project(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of the page, with what its last release left."""
    root = tmp_path / "clone"
    committed(root, tag="v1.2.3", settings=company.settings)
    (root / ".git" / "info" / "exclude").write_text("release/\nSHA256SUMS\n", encoding="utf-8")
    ReleaseRoot(path=root / "release", rehearsal=False).prepare()
    company.seed("1.2.3")
    company.released(root, "1.2.3", "build", commit="HEAD")
    digests = {name: f"sha256:{digest}" for name, digest in company.outside.digests("1.2.3").items()}
    (root / "SHA256SUMS").write_text(render_sums(digests), encoding="utf-8")
    for name in ("HOME", "USERPROFILE"):  # the doctor looks for credentials there
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(root)
    return root


def test_every_command_of_the_section_runs_as_it_stands(company: Company, project: Path, says: Said) -> None:
    """Typed as shown, each ends as it must, says something, and asks nobody but that index."""
    assert len(COMMANDS) == 7
    assert all(text in section(PAGE, HEADING) for text in COMMANDS)
    for text in COMMANDS:
        code, out, err = says(*shlex.split(text)[1:])
        assert code == ENDS.get(text, 0), f"{text}: {out}{err}"
        assert out
    assert company.others_asked == []
