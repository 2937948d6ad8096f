"""Failures where GitHub Actions shows them: one workflow command, one paragraph of the step summary."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.errors import ReleaseError
from hephaestus.report.annotations import annotate

ERROR = ReleaseError(what="100% of nothing", why="it\r\nhurts", next_step="nox -s build", details=["one", "two"])


@pytest.mark.parametrize("environ", [{}, {"GITHUB_ACTIONS": "false"}, {"GITHUB_ACTIONS": "1"}, {"CI": "true"}])
def test_nothing_is_said_elsewhere(tmp_path: Path, environ: dict[str, str]) -> None:
    """Outside GitHub Actions neither the terminal nor the named file gets a word."""
    page = tmp_path / "summary.md"
    out = io.StringIO()
    annotate("build", ERROR, environ={**environ, "GITHUB_STEP_SUMMARY": str(page)}, stream=out)
    assert out.getvalue() == ""
    assert not page.exists()


def test_the_command_is_one_line_with_everything_in_it() -> None:
    """Per cent signs and line ends are escaped as the runner unescapes them; stage and all parts are there."""
    out = io.StringIO()
    annotate("check", ERROR, environ={"GITHUB_ACTIONS": "true"}, stream=out)
    assert out.getvalue() == (
        "::error title=check::100%25 of nothing%0A  why:  it%0D%0Ahurts%0A  - one%0A  - two%0A  next: nox -s build\n"
    )


def test_the_step_summary_grows(tmp_path: Path) -> None:
    """Each failure is a paragraph of its own below what is there already."""
    page = tmp_path / "summary.md"
    page.write_text("# before\n", encoding="utf-8")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    for stage in ("check", "verify"):
        annotate(stage, ERROR, environ=environ, stream=io.StringIO())
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# before\n### check failed\n")
    assert text.count("```text\n100% of nothing\n") == 2
    assert "### verify failed" in text


def test_secrets_reach_neither(tmp_path: Path) -> None:
    """A token in a message is redacted in the annotation and in the summary."""
    token = "pypi-" + "B" * 40
    page = tmp_path / "summary.md"
    out = io.StringIO()
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    annotate("sign", ReleaseError(what=f"refused {token}"), environ=environ, stream=out)
    assert token not in out.getvalue() + page.read_text(encoding="utf-8")
    assert "refused ***" in out.getvalue()


def test_without_a_stream_standard_output_gets_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The runner reads workflow commands from standard output."""
    annotate("sign", ERROR, environ={"GITHUB_ACTIONS": "true"})
    assert capsys.readouterr().out.startswith("::error title=sign::")


@given(st.text())
def test_no_message_can_begin_another_command(text: str) -> None:
    """Whatever a message holds, what is written is one line: a second workflow command cannot be smuggled in."""
    out = io.StringIO()
    annotate("build", ReleaseError(what=text), environ={"GITHUB_ACTIONS": "true"}, stream=out)
    written = out.getvalue()
    assert written.count("\n") == 1
    assert "\r" not in written
