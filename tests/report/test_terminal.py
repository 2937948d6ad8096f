"""The terminal: plain lines where nobody watches, one moving line where somebody does."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.releases import project, receipt

from hephaestus.release.errors import Finding
from hephaestus.report import terminal as module
from hephaestus.report.terminal import Terminal, human_size
from hephaestus.stages.runner import Outcome
from hephaestus.worlds.world import (
    DirtyPolicy,
    GitHub,
    Policy,
    Publisher,
    Sigstore,
    TagPolicy,
    World,
)

CLEAR = "\r\x1b[K"


class Screen(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A monotonic clock that stands still until it is moved."""

    now = 100.0

    def monotonic(self) -> float:
        """The time it shows."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The terminal's clock in the test's hands."""
    stands = Clock()
    monkeypatch.setattr(module, "time", stands)
    return stands


def world(*, assumed: bool) -> World:
    """A world that only has a name and a publisher."""
    return World(
        label="rehearsal", indexes={}, sigstore=Sigstore(), children={}, uploaders={},
        github=GitHub(api_url="", uploads_url="", repository="o/n", token=""),
        publisher=Publisher(repository="o/n", workflow="w.yml", ref="refs/tags/v1", assumed=assumed),
        policy=Policy(dirty=DirtyPolicy.REFUSE, tag=TagPolicy.REQUIRED),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (81_234, "81.2 kB"), (1_000_000, "1.0 MB"),
        (1_300_000_000, "1.3 GB"), (5_000_000_000_000, "5000.0 GB"),
    ],
)  # fmt: skip
def test_sizes_read_like_sizes(size: int, text: str) -> None:
    """Powers of a thousand, one decimal from kB on, GB at most."""
    assert human_size(size) == text


@given(st.integers(0, 10**15))
def test_a_size_is_told_within_its_rounding(size: int) -> None:
    """The number and the unit give the size back, but for the digit that is rounded away."""
    number, unit = human_size(size).split()
    factor = {"B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9}[unit]
    assert abs(float(number) * factor - size) <= factor * 0.051
    assert float(number) < 1000.05 or unit == "GB"


@pytest.mark.parametrize(("assumed", "end"), [(True, "o/n (assumed)\n"), (False, "o/n\n")])
def test_the_first_line_says_what_where_and_as_whom(tmp_path: Path, assumed: bool, end: str) -> None:
    """Stage, project as written, world and publisher; an identity that is only assumed is called so."""
    out = io.StringIO()
    Terminal(stage="sign", stream=out).began(project(tmp_path), world(assumed=assumed))
    assert out.getvalue() == f"sign: Tiny.Thing 1.2.3, rehearsal as {end}"


def test_nothing_moves_where_nobody_watches(clock: Clock) -> None:
    """In a file or a log there is no progress and no control sequence."""
    out = io.StringIO()
    shown = Terminal(stage="build", stream=out)
    shown.progress(1, 2, "bytes")
    clock.now += 1
    shown.progress(2, 2, "bytes")
    shown.step("one step")
    assert out.getvalue() == "  one step\n"


def test_progress_moves_on_one_line_at_most_ten_times_a_second(clock: Clock) -> None:
    """The first count is shown, one within 0.1 s is not, the last always; the next line clears what moved."""
    out = Screen()
    shown = Terminal(stage="upload-pypi", stream=out)
    shown.progress(1000, 4000, "bytes")
    clock.now += 0.05
    shown.progress(2000, 4000, "bytes")
    clock.now += 0.06
    shown.progress(3000, 4000, "bytes")
    shown.progress(4000, 4000, "bytes")
    shown.step("sent")
    shown.step("confirmed")
    head = f"{CLEAR}  upload-pypi: "
    assert out.getvalue() == (
        f"{head}1.0 kB of 4.0 kB{head}3.0 kB of 4.0 kB{head}4.0 kB of 4.0 kB{CLEAR}  sent\n  confirmed\n"
    )


def test_other_units_are_counted_as_they_are(clock: Clock) -> None:
    """Files are counted, not measured."""
    out = Screen()
    Terminal(stage="check", stream=out).progress(3, 7, "files")
    assert out.getvalue() == f"{CLEAR}  check: 3 of 7 files"


def test_no_line_shows_a_secret() -> None:
    """What looks like a token is not shown, in a step, a command or a warning."""
    out = io.StringIO()
    shown = Terminal(stage="sign", stream=out)
    token = "pypi-" + "C" * 40
    shown.command(f"twine upload --password {token}")
    shown.warn(f"saw {token}")
    shown.step(f"trying {token}; once more")
    assert out.getvalue() == "  > twine upload --password ***\n  warning: saw ***\n  trying ***; once more\n"


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        ({}, "  check: done in 2.3 s\n"),
        ({"dist/x.whl": f"sha256:{'0' * 64}"}, "  check: done in 2.3 s, 1 file\n"),
        (
            {"dist/x.whl": f"sha256:{'0' * 64}", "dist/y.tar.gz": f"sha256:{'0' * 64}"},
            "  check: done in 2.3 s, 2 files\n",
        ),
        (None, "  check: done in 2.3 s\n"),
    ],
)
def test_the_last_line_says_how_long_and_how_much(outputs: dict[str, str] | None, line: str) -> None:
    """Warnings first, then seconds and the number of files, where there are any."""
    out = io.StringIO()
    left = None if outputs is None else receipt("check", outputs=outputs)
    warning = Finding(code="x", subject="dist/x.whl", message="is large")
    ended = Outcome(stage="check", state="done", reason="", seconds=2.34, receipt=left, warnings=(warning,))
    Terminal(stage="check", stream=out).ended(ended)
    assert out.getvalue() == f"  warning: dist/x.whl: is large\n{line}"


def test_a_skipped_stage_leaves_the_last_word_to_nox() -> None:
    """A stage that was done before says nothing itself."""
    out = io.StringIO()
    Terminal(stage="check", stream=out).ended(Outcome(stage="check", state="skipped", reason="done before"))
    assert out.getvalue() == ""


def test_standard_error_is_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays free for what programs read."""
    Terminal(stage="check").step("a step")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "  a step\n")


def test_foreign_text_cannot_take_over_the_terminal() -> None:
    """A reason on an index's page, or a tool's words, may hold escapes: none of them arrives."""
    stream = io.StringIO()
    Terminal(stage="smoke", stream=stream).warn("yanked: \x1b]0;title\x07\x9b2J\u202egone")
    assert all(sign.isprintable() or sign == "\n" for sign in stream.getvalue())
