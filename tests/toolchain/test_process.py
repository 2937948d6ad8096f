"""Children: an exact environment, no stdin, everything captured and redacted, none left running."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hephaestus.release.boundary import BoundaryFault, arm
from hephaestus.toolchain import process
from hephaestus.toolchain.process import ToolHangsError, ToolMissingError, run_child

ENV = {"PATH": os.environ["PATH"]}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_gets_exactly_the_environment_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours reaches a child by itself."""
    monkeypatch.setenv("TWINE_PASSWORD", "hunter2")
    done = run_child(
        python("import os, json; print(json.dumps(sorted(os.environ)))"), env={"A": "1", **ENV}, cwd=tmp_path
    )
    assert set(json.loads(done.output)) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"A", "PATH"}


def test_a_child_that_asks_gets_no_answer(tmp_path: Path) -> None:
    """Stdin is empty, so a prompt ends a child instead of hanging it; given text arrives."""
    code = "import sys; print(repr(sys.stdin.read()))"
    assert run_child(python(code), env=ENV, cwd=tmp_path).output == "''\n"
    assert run_child(python(code), env=ENV, cwd=tmp_path, stdin="x").output == "'x'\n"


def test_the_exit_code_is_for_the_caller_to_judge(tmp_path: Path) -> None:
    """A failing child raises nothing; a killed one has its signal as a negative code."""
    assert run_child(python("raise SystemExit(7)"), env=ENV, cwd=tmp_path).code == 7
    assert run_child(python("import os; os.kill(os.getpid(), 9)"), env=ENV, cwd=tmp_path).code == -9


def test_output_is_kept_in_order_and_redacted(tmp_path: Path) -> None:
    """Both streams come as written, with secrets taken out and broken bytes replaced."""
    code = (
        "import sys, os; print('one', flush=True); print('two', file=sys.stderr, flush=True);"
        "os.write(1, b'\\xff ghp_0123456789abcdefABCD\\n')"
    )
    assert run_child(python(code), env=ENV, cwd=tmp_path).output == "one\ntwo\n\ufffd ***\n"


def test_an_answer_is_kept_apart_from_the_noise(tmp_path: Path) -> None:
    """With ``separate`` the answer is whole, as written; the output for people has both and no secret."""
    secret = "ghp_0123456789abcdefABCD"
    code = f"import sys; print('{secret}'); print('noise', file=sys.stderr)"
    done = run_child(python(code), env=ENV, cwd=tmp_path, separate=True)
    assert done.stdout == f"{secret}\n"
    assert done.output == "***\nnoise\n"


def test_secrets_of_the_childs_own_environment_are_not_shown(tmp_path: Path) -> None:
    """A value that the child was given as a secret is struck out of what it prints, whatever it looks like."""
    env = {**ENV, "PRIVATE_INDEX_PASSWORD": "correct horse"}
    code = "import os; print('I am', os.environ['PRIVATE_INDEX_PASSWORD'])"
    assert run_child(python(code), env=env, cwd=tmp_path).output == "I am ***\n"


def test_a_program_is_looked_for_on_the_childs_path_only(tmp_path: Path) -> None:
    """A program that only our own PATH has is missing, which is told."""
    with pytest.raises(ToolMissingError, match="git cannot be started"):
        run_child(["git", "--version"], env={"PATH": str(tmp_path)}, cwd=tmp_path)


@pytest.fixture
def out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's time is over as soon as it has said its first line, without any waiting."""

    def communicate(child: subprocess.Popen[str], *_: object, timeout: float) -> None:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        raise subprocess.TimeoutExpired(child.args, timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)


@pytest.mark.usefixtures("out_of_time")
def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    """A child beyond its time is interrupted first, so that it may clean up, and is gone afterwards."""
    code = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests' own starter ignores\n"
        "try:\n print('up', flush=True); time.sleep(600)\n"
        "except KeyboardInterrupt:\n pathlib.Path('cleaned').touch()\n"
    )
    with pytest.raises(ToolHangsError, match="did not end within 60 s") as raised:
        run_child(python(code), env=ENV, cwd=tmp_path, timeout=60.0)
    assert (tmp_path / "cleaned").exists()
    assert "recognised by its hash" in raised.value.next_step


@pytest.mark.usefixtures("out_of_time")
def test_a_child_that_will_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt and termination ignored, the child is killed in the end; its pid is free."""
    monkeypatch.setattr(process, "GRACE", 0.05)
    code = (
        "import os, pathlib, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\nprint('up', flush=True)\ntime.sleep(600)\n"
    )
    with pytest.raises(ToolHangsError):
        run_child(python(code), env=ENV, cwd=tmp_path, timeout=60.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 0)


class TestSilence:
    """A child that may take its time as long as it says something."""

    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
        """How long each line was waited for; the line after "silence" is waited for no longer."""
        waits: list[float | None] = []

        class Lines(queue.SimpleQueue[str | None]):
            last: str | None = None

            def get(self, block: bool = True, timeout: float | None = None) -> str | None:
                waits.append(timeout)
                if self.last == "silence\n":
                    raise queue.Empty
                self.last = super().get(timeout=600)
                return self.last

        monkeypatch.setattr(queue, "SimpleQueue", Lines)
        return waits

    def test_every_line_renews_the_time(self, tmp_path: Path, waits: list[float | None]) -> None:
        """Each line, and the end, is waited for as long as the first; the output is whole, both streams in order."""
        code = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); raise SystemExit(3)"
        done = run_child(python(code), env=ENV, cwd=tmp_path, silence=5.0)
        assert (done.code, done.output) == (3, "one\ntwo\n")
        assert waits == [5.0, 5.0, 5.0]

    @pytest.mark.usefixtures("waits")
    def test_a_child_that_falls_silent_is_interrupted(self, tmp_path: Path) -> None:
        """It may clean up, is gone afterwards, and what it had said is kept, without secrets."""
        code = (
            "import pathlib, signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "try:\n print('with ghp_0123456789abcdefABCD', flush=True); print('silence', flush=True); time.sleep(600)\n"
            "except KeyboardInterrupt:\n pathlib.Path('cleaned').touch()\n"
        )
        with pytest.raises(ToolHangsError, match="said nothing for 7 s and was stopped") as raised:
            run_child(python(code), env=ENV, cwd=tmp_path, silence=7.0)
        assert (tmp_path / "cleaned").exists()
        assert raised.value.output == "with ***\nsilence\n"
        assert "recognised by its hash" in raised.value.next_step


def test_an_interrupt_of_ours_ends_the_child_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a child works: the child is interrupted and gone before the interrupt goes on."""
    code = (
        "import pathlib, signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n print('up', flush=True); time.sleep(600)\n"
        "except KeyboardInterrupt:\n pathlib.Path('cleaned').touch()\n"
    )

    def interrupted(child: subprocess.Popen[str], *_: object, timeout: float | None) -> None:
        # Sent by the child itself, the signal may come before Popen has returned to whoever starts it.
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        signal.raise_signal(signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_child(python(code), env=ENV, cwd=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "cleaned").exists()


def test_start_and_end_of_a_child_are_boundaries(tmp_path: Path) -> None:
    """A rehearsal can be killed right before a tool starts and right after it ended."""
    arm(BoundaryFault(trace=tmp_path / "trace"))
    try:
        run_child(python(""), env=ENV, cwd=tmp_path)
    finally:
        arm(None)
    name = Path(sys.executable).stem
    lines = (tmp_path / "trace").read_text(encoding="utf-8").splitlines()
    assert lines == [f"1 child start {name}", f"2 child end {name}"]
