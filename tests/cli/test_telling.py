"""What the looking commands must never show: credentials, and text of others that would take over the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.outside import NAME, Outside

TOKEN = "ghs_" + "Planted7" * 5
COMMANDS = (
    ("status", "--publish"),
    ("plan", "--publish"),
    ("rollback", "1.2.3"),
    ("rollback", "1.2.3", "--verify"),
    ("audit",),
)


@pytest.mark.parametrize("fault", ["", "github:502x99", "github:htmlx99", "pypi:downx99", "github:429=900x99"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_planted_token_is_never_shown(
    published: Outside, here: Path, says: Said, monkeypatch: pytest.MonkeyPatch, fault: str, form: tuple[str, ...]
) -> None:
    """The token goes to GitHub and into no output, whether the services answer or fail."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    if fault:
        published.fault(fault)
    for words in COMMANDS:
        _, out, err = says("release", *words, *form)
        assert out or err
        assert TOKEN not in out + err
    sent = {request.headers.get("authorization") for name, request in published.listeners.requests if name == "github"}
    others = [request for name, request in published.listeners.requests if name != "github"]
    assert sent == {f"Bearer {TOKEN}"}
    assert not any("authorization" in request.headers for request in others)


def test_a_reason_from_the_index_cannot_take_over_the_terminal(
    published: Outside, here: Path, says: Said, no_pip: None
) -> None:
    """What somebody wrote on the index's page arrives as one line of printable text, tokens struck out."""
    published.upload("1.2.3", attested=False)
    published.yank("1.2.3", f"bad\x1b[2J\r\nPASS everything {TOKEN}")
    published.benches["pypi"].index.set_status(NAME, "archived", "odd\x1b]0;title\x07\nnews")
    for words in COMMANDS:
        _, out, err = says("release", *words)
        assert not [sign for sign in out + err if not sign.isprintable() and sign != "\n"]
        assert "\nPASS everything" not in out
        assert TOKEN not in out
