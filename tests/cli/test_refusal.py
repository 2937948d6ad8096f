"""How a command for people ends: one message on stderr, exit code 1, and no secret in it."""

from __future__ import annotations

import pytest
import typer

from hephaestus.cli.refusal import refusing
from hephaestus.release.errors import ReleaseError


def test_a_refusal_is_its_message_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, why, details and next step are said; a token, and the value of a secret variable, are not."""
    monkeypatch.setenv("PRIVATE_INDEX_PASSWORD", "correct horse")
    error = ReleaseError(
        what="refused ghp_0123456789abcdefABCD",
        why="because",
        details=["of correct horse"],
        next_step="git push https://me:hunter2@example.org/",
    )
    with pytest.raises(typer.Exit) as ended, refusing():
        raise error
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "refused ***\n  why:  because\n  - of ***\n  next: git push https://***@example.org/\n"


def test_a_refusal_cannot_take_over_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and answers of others may be quoted in it: escapes, C1 controls, marks of direction become a mark."""
    with pytest.raises(typer.Exit), refusing():
        raise ReleaseError(what="a\x1b[2Jb\x9b2Jc\u202ed\re\u2028f\udcffg", details=["one\ttwo"])
    mark = "\N{REPLACEMENT CHARACTER}"
    assert capsys.readouterr().err == f"a{mark}[2Jb{mark}2Jc{mark}d{mark}e{mark}f{mark}g\n  - one\ttwo\n"


def test_a_defect_is_no_refusal() -> None:
    """What nobody foresaw passes through, so that it is not taken for an answer."""
    with pytest.raises(ZeroDivisionError), refusing():
        raise ZeroDivisionError
