"""docs/rollback.md is true: every row of its table is the decision made, every command on it runs as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cli.conftest import Said
from docs.documents import commands, section
from inspection.outside import Outside
from inspection.test_forecast import committed
from inspection.test_withdrawal import page as shelf
from packaging.version import Version
from services.test_downloads import counter

from hephaestus.consumer.identity import Identity
from hephaestus.consumer.trust import Claim, Trust
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.inspection.withdrawal import Category, Reason, decide
from hephaestus.standins.http import Listener

PAGE = "docs/rollback.md"
COMMANDS = sorted({command.text for command in commands() if command.page == PAGE and command.words[0] == "hephaestus"})

#: How the commands end in the scene below, where 1.2.3 is yanked everywhere; all others end with 0.
ENDS = {
    "hephaestus release audit": 1,
    "hephaestus release audit --verify": 1,
    "hephaestus release plan --publish": 1,
    "hephaestus release rollback 1.2.3 --verify --rehearsal": 1,
}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """The rows of the table: reason, versions, decision, what else."""
    for line in section(PAGE, "What is right").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            yield cells[0].strip("`"), cells[1], cells[2], cells[3]


@pytest.mark.parametrize(("reason", "versions", "right", "more"), list(rows()))
def test_each_row_is_the_decision_made(reason: str, versions: str, right: str, more: str) -> None:
    """The reason over those versions decides so, names that version, and puts the fix first or last as it says."""
    marked = re.sub(r"~~([^~]+)~~", r"!\1", versions)
    (subject,) = re.findall(r"\*\*!?([^*]+)\*\*", marked)
    here = shelf(*marked.replace("*", "").split())
    found = decide("x", Version(subject), Reason.read(reason), {"testpypi": here, "pypi": here})
    assert str(found.way) == right
    assert found.fix_first is ("first: nothing else" in more)
    if named := re.search(r"release (\S+?)(?: first|:|;|$)", more):
        assert (found.instead, found.exists) == (named[1], False)
    elif named := re.match(r"(\S+) is there already", more):
        assert (found.instead, found.exists) == (named[1], True)
    else:
        assert right == "nothing"


def test_the_table_speaks_of_every_reason() -> None:
    """No category is left out of the page but free text, which is decided as something broken."""
    assert {row[0] for row in rows()} == {str(category) for category in Category} - {"other"}


@pytest.fixture
def scene(published: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pip: None) -> Iterator[Outside]:
    """A clone of version 1.2.3, which was released with 1.2.2 and 1.2.4 around it and is yanked; no job, no pip."""
    for version in ("1.2.2", "1.2.3", "1.2.4"):
        published.upload(version)
        published.release(version)
    published.yank("1.2.3", "eats data")
    monkeypatch.chdir(committed(tmp_path / "clone").root)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def verify(_trust: Trust, _identity: Identity, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
        return tuple(Verdict(state=State.PASS, subject=claim.name) for claim in claims)

    monkeypatch.setattr(Trust, "prepare", lambda _trust: None)
    monkeypatch.setattr(Trust, "verify", verify)
    with Listener(counter()) as counting:
        monkeypatch.setattr("hephaestus.services.downloads.PYPISTATS_URL", f"{counting.url}/api")
        yield published


def test_every_command_of_the_page_runs_as_it_stands(scene: Outside, says: Said) -> None:
    """Typed as shown, each command ends as it must in this scene, and says something."""
    assert len(COMMANDS) >= 9
    assert set(ENDS) <= set(COMMANDS)
    for text in COMMANDS:
        code, out, err = says(*shlex.split(text)[1:])
        assert code == ENDS.get(text, 0), f"{text}: {out}{err}"
        assert out or err
    assert Path("downloads.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert "not running" in says(*shlex.split("release rollback 1.2.3 --verify --rehearsal"))[2]
    code, out, _ = says("release", "audit", "--accept", "1.2.3")
    assert (code, out.count("accepted: yanked (eats data)")) == (0, 2)
