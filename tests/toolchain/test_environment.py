"""The Environment of a stage: made when first needed, its scripts first, its workers isolated."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from hephaestus.toolchain import environment
from hephaestus.toolchain.environment import LockedEnvironment, WorkerError

ENV = {"PATH": os.environ["PATH"]}


def of(tmp_path: Path, *, made: list[str] | None = None, told: list[str] | None = None) -> LockedEnvironment:
    def provision() -> Path:
        (made if made is not None else []).append("made")
        return Path(sys.executable)

    return LockedEnvironment(
        provision=provision, work=tmp_path / "work", announce=(told if told is not None else []).append
    )


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of workers of our own."""
    folder = tmp_path / "workers"
    folder.mkdir()
    monkeypatch.setattr(environment, "_WORKERS", folder)
    return folder


def test_it_is_made_once_and_not_before_it_is_needed(tmp_path: Path) -> None:
    """A stage that skips installs nothing; one that runs two tools installs once."""
    made: list[str] = []
    locked = of(tmp_path, made=made)
    assert made == []
    for _ in range(2):
        locked.run(["python", "-c", ""], env=ENV)
    assert made == ["made"]


def test_commands_are_announced_ready_to_paste_and_recorded(tmp_path: Path) -> None:
    """What is shown is quoted for a shell; what is recorded are the words."""
    told: list[str] = []
    locked = of(tmp_path, told=told)
    locked.run(["python", "-c", "print('a b')"], env=ENV)
    assert told == [f"{sys.executable} -c " + "'print('\"'\"'a b'\"'\"')'"]
    assert locked.commands == [[sys.executable, "-c", "print('a b')"]]


def test_no_secret_is_announced_or_recorded(tmp_path: Path) -> None:
    """A password in an argument is for the child alone: neither the terminal nor a receipt gets it."""
    told: list[str] = []
    locked = of(tmp_path, told=told)
    words = ["python", "-c", "import sys; print(sys.argv[1:])", "https://me:hunter2@example.org/", "correct-horse"]
    done = locked.run(words, env={**ENV, "INDEX_PASSWORD": "correct-horse"})
    assert done.output == "['https://***@example.org/', '***']\n"
    assert locked.commands[0][3:] == ["https://***@example.org/", "***"]
    assert told[0].endswith(" 'https://***@example.org/' '***'") or told[0].endswith(" https://***@example.org/ ***")


def test_its_scripts_come_first(tmp_path: Path) -> None:
    """A tool of the environment wins over one of the same name elsewhere."""
    done = of(tmp_path).run(["python", "-c", "import os; print(os.environ['PATH'])"], env=ENV)
    assert done.output.startswith(str(Path(sys.executable).parent) + os.pathsep)


def test_a_worker_is_asked_and_answers_in_json(tmp_path: Path, workers: Path) -> None:
    """The request arrives in a file, the answer on stdout; noise on stderr is no answer, a failing code no matter."""
    (workers / "echo.py").write_text(
        "import json, sys\nprint('noise', file=sys.stderr)\n"
        "print(json.dumps({'got': json.load(open(sys.argv[1])), 'isolated': sys.flags.isolated}))\nsys.exit(1)\n",
        encoding="utf-8",
    )
    answer = of(tmp_path).work("echo", {"a": ["ü", 1]}, env={**ENV, "PYTHONPATH": "/nowhere"})
    assert answer == {"got": {"a": ["ü", 1]}, "isolated": 1}


@pytest.mark.parametrize("code", ["raise ZeroDivisionError", "print('[]')", "print('{')", "", "print('{}'); print(1)"])
def test_a_worker_without_an_answer_is_an_error(tmp_path: Path, workers: Path, code: str) -> None:
    """A traceback, something else than an object, half an object, silence: told with the way on."""
    (workers / "broken.py").write_text(code, encoding="utf-8")
    with pytest.raises(WorkerError, match="the broken worker gave no answer") as raised:
        of(tmp_path).work("broken", {}, env=ENV)
    assert "--reuse-venv never" in raised.value.next_step


def test_what_a_worker_quotes_in_its_error_is_redacted(tmp_path: Path, workers: Path) -> None:
    """The error of an answer is for people: a token in it is struck out; what is data stays as it is."""
    token = "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2lnbmF0dXJl"
    (workers / "quoting.py").write_text(
        f"import json\nprint(json.dumps({{'error': 'refused {token}', 'data': '{token}'}}))\n", encoding="utf-8"
    )
    assert of(tmp_path).work("quoting", {}, env=ENV) == {"error": "refused ***", "data": token}


def test_requests_of_two_calls_are_kept_apart(tmp_path: Path, workers: Path) -> None:
    """Each question stands in a file of its own, so that every recorded command can be repeated."""
    (workers / "echo.py").write_text("import json, sys\nprint(open(sys.argv[1]).read())\n", encoding="utf-8")
    locked = of(tmp_path)
    assert [locked.work("echo", {"n": n}, env=ENV) for n in (1, 2)] == [{"n": 1}, {"n": 2}]
    files = [command[-1] for command in locked.commands]
    assert [json.loads(Path(file).read_text(encoding="utf-8")) for file in files] == [{"n": 1}, {"n": 2}]
