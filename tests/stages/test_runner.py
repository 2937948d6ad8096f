"""The runner: skip, exemption, doubt, gates, damage, clocks and disks - with a stage of a few lines."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stages.releases import VERSION
from stages.standins import Scene

from hephaestus.release.directory import DirectoryDamagedError, Staging
from hephaestus.release.errors import Finding, GateRefused, ReleaseError, Severity
from hephaestus.release.files import NotWritableError
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context, Evidence, Inputs, Options, Stage


@dataclass
class Plain(Stage):
    """A stage made of values; it notes what was asked of it."""

    name: str = "wheelhouse"
    lock: str = "verify"
    settings: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    exemption: str = ""
    doubt: str = ""
    text: str = "made"
    asked: list[str] = field(default_factory=list)
    fails: Callable[[], None] = lambda: None

    def inputs(self, context: Context) -> Inputs:
        return Inputs(settings=self.settings)

    def exempt(self, context: Context) -> str:
        return self.exemption

    def confirm(self, context: Context) -> str:
        self.asked.append("confirm")
        return self.doubt

    def gates(self, context: Context) -> list[Finding]:
        self.asked.append("gates")
        return self.findings

    def act(self, context: Context, staging: Staging) -> Evidence:
        self.asked.append("act")
        staging.path("wheelhouse/made.txt").write_text(self.text, encoding="utf-8")
        self.fails()
        return Evidence(data={"state": "made"}, warnings=[warning()])


class Nothing:
    commands: tuple[tuple[str, ...], ...] = ()


def warning() -> Finding:
    return Finding(code="odd", subject="it", message="is odd", severity=Severity.WARNING)


def refusal(code: str, remedy: str = "") -> Finding:
    return Finding(code=code, subject=code, message="is wrong", remedy=remedy)


def run(scene: Scene, stage: Stage, *, at: float = 1_800_000_000.0) -> Outcome:
    return run_stage(stage, scene.context("verify"), recorder=Nothing(), clock=lambda: at)


@pytest.fixture
def bare(scene: Scene) -> Scene:
    """The release without its wheelhouse, which the plain stage makes in its place."""
    for stage in ("sign-wheelhouse", "wheelhouse"):
        receipt = scene.directory.receipt(stage)
        assert receipt is not None
        for path in (f"receipts/{stage}.json", *receipt.outputs):
            (scene.directory.path / path).unlink()
    return scene


def test_done_then_skipped_then_done_again_when_an_input_changes(bare: Scene) -> None:
    """The same inputs skip, and say since when; other settings run again."""
    first = run(bare, Plain())
    assert (first.state, [found.code for found in first.warnings]) == ("done", ["odd"])
    again = Plain()
    skipped = run(bare, again)
    assert (skipped.state, skipped.reason) == ("skipped", "done 2027-01-15T08:00:00Z, nothing changed")
    assert again.asked == ["confirm"]
    assert run(bare, Plain(settings={"x": 1})).state == "done"


def test_doubt_and_redo_run_again(bare: Scene) -> None:
    """What the outside says overrules a receipt, and so does the person."""
    run(bare, Plain())
    doubted = Plain(doubt="the index lost it")
    assert run(bare, doubted).state == "done"
    assert doubted.asked == ["confirm", "gates", "act"]
    assert "the index lost it" in bare.said()
    bare.options = Options(redo=frozenset({"wheelhouse"}))
    assert run(bare, Plain()).state == "done"
    bare.options = Options(redo=frozenset({"smoke"}))
    assert run(bare, Plain()).state == "skipped"


def test_an_exempt_stage_is_asked_nothing(bare: Scene) -> None:
    """Policy's word comes before gates, and leaves no receipt."""
    stage = Plain(exemption="not for a pre-release")
    outcome = run(bare, stage)
    assert (outcome.state, outcome.reason, stage.asked) == ("exempt", "not for a pre-release", [])
    assert bare.directory.receipt("wheelhouse") is None


def test_every_refusal_is_said_at_once_with_the_first_command(bare: Scene) -> None:
    """All errors together; warnings are told and do not refuse; a `nox` remedy becomes the next step."""
    stage = Plain(findings=[warning(), refusal("one"), refusal("two", "nox -s sign")])
    with pytest.raises(GateRefused) as raised:
        run(bare, stage)
    assert [finding.code for finding in raised.value.findings] == ["one", "two"]
    assert "refused for 2 reasons; nothing was changed and nothing was sent" in raised.value.what
    assert raised.value.next_step == "`nox -s sign`, then `nox -s wheelhouse`"
    assert stage.asked == ["gates"]
    assert "! it: is odd" in bare.narrator.lines
    with pytest.raises(GateRefused) as raised:
        run(bare, Plain(findings=[refusal("one")]))
    assert raised.value.next_step == "mend what is named above, then `nox -s wheelhouse`"


def test_a_missing_output_of_its_own_is_made_again(bare: Scene) -> None:
    """A receipt whose file is gone does not skip; a file of another stage that is gone is not its affair."""
    run(bare, Plain())
    made = bare.directory.path / "wheelhouse" / "made.txt"
    made.unlink()
    assert run(bare, Plain()).state == "done"
    assert made.read_text(encoding="utf-8") == "made"
    (bare.directory.path / "SHA256SUMS").unlink()
    assert run(bare, Plain()).state == "skipped"


def test_a_changed_file_of_any_stage_stops_every_stage(bare: Scene) -> None:
    """Before a receipt is even looked at: changed bytes are never built upon."""
    run(bare, Plain())
    (bare.directory.path / "SHA256SUMS").write_text("x", encoding="utf-8")
    stage = Plain()
    with pytest.raises(DirectoryDamagedError, match="SHA256SUMS"):
        run(bare, stage)
    assert stage.asked == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), ReleaseError(what="no", next_step="yes")])
def test_an_act_that_ends_early_leaves_nothing(bare: Scene, error: BaseException) -> None:
    """Ctrl-C, SIGTERM's exit and every error leave files and receipts as they were; the next run completes."""

    def fail() -> None:
        raise error

    run(bare, Plain())
    held = {path: path.read_bytes() for path in bare.directory.path.rglob("*") if path.is_file()}
    with pytest.raises(type(error)):
        run(bare, Plain(settings={"x": 1}, text="other", fails=fail))
    assert {path: path.read_bytes() for path in bare.directory.path.rglob("*") if path.is_file()} == held
    assert run(bare, Plain(settings={"x": 1}, text="other")).state == "done"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_refuses_is_one_clear_error(bare: Scene, number: int) -> None:
    """A full or read-only disk in the middle of a stage: named, with the folder, and nothing half made stays."""

    def fail() -> None:
        raise OSError(number, "the disk refuses", "made.txt")

    with pytest.raises(NotWritableError) as raised:
        run(bare, Plain(fails=fail))
    assert raised.value.next_step
    assert bare.directory.receipt("wheelhouse") is None
    assert not (bare.directory.path / "wheelhouse" / "made.txt").exists()


@pytest.mark.parametrize(("at", "started"), [(0.0, "1970-01-01T00:00:00Z"), (4_070_908_800.0, "2099-01-01T00:00:00Z")])
def test_a_wrong_clock_is_recorded_and_changes_nothing(bare: Scene, at: float, started: str) -> None:
    """In 1970 and in 2099 a stage runs, and skips the next time: no decision hangs on this machine's clock."""
    outcome = run(bare, Plain(), at=at)
    assert outcome.receipt is not None
    assert outcome.receipt.started == started
    assert run(bare, Plain(), at=1_800_000_000.0).state == "skipped"


def test_a_receipt_tells_whose_it_is(bare: Scene) -> None:
    """Stage, world, project, version and build's commit stand in every receipt."""
    receipt = run(bare, Plain()).receipt
    assert receipt is not None
    build = bare.directory.receipt("build")
    assert build is not None
    assert (receipt.stage, receipt.world, receipt.version) == ("wheelhouse", "rehearsal", VERSION)
    assert receipt.commit == build.commit


def test_what_a_killed_run_left_is_told_and_gone(bare: Scene) -> None:
    """A staging folder of a killed run is swept before anything else, and said."""
    left = bare.directory.path / ".staged" / "wheelhouse" / "files" / "wheelhouse"
    left.mkdir(parents=True)
    Path(left, "made.txt").write_text("half", encoding="utf-8")
    run(bare, Plain())
    assert "what an interrupted run left behind is gone" in bare.said()
    assert (bare.directory.path / "wheelhouse" / "made.txt").read_text(encoding="utf-8") == "made"
