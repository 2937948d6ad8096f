"""Journal, activity and the control listener."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hephaestus.standins.activity import Activity, Retired
from hephaestus.standins.control import Control
from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request
from hephaestus.standins.journal import Journal

SECRET = "a secret"


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _job(identity: Mapping[str, Any], environment: str) -> Mapping[str, str]:
    return {"WHO": f"{identity['repository']} {environment}"}


class Desk:
    """A Control with what stands behind it."""

    def __init__(self, folder: Path) -> None:
        self.faults = Faults()
        self.journal = Journal(folder / "journal.jsonl", clock=Clock())
        self.stopped = threading.Event()
        self.pushed: list[tuple[str, ...]] = []
        self.control = Control(
            secret=SECRET,
            about={"pid": 7},
            faults=self.faults,
            kinds={"pypi": ("503", "lag"), "github": ("reset",)},
            journal=self.journal,
            job=_job,
            push=lambda commits, tag: self.pushed.append((*commits, tag)),
            stop=self.stopped.set,
        )

    def ask(
        self, method: str, path: str, body: bytes = b"", *, secret: str = SECRET, **query: str
    ) -> tuple[int, dict[str, Any]]:
        request = Request(
            method=method,
            path=path,
            body=body,
            query={name: [value] for name, value in query.items()},
            headers={"authorization": f"Bearer {secret}"},
        )
        response = self.control.handle(request)
        return response.status, json.loads(response.body)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A control desk with an empty journal."""
    return Desk(tmp_path)


@pytest.mark.parametrize("secret", ["", "A SECRET", "a secret ", "é"])
def test_without_the_secret_nothing_is_said_or_done(desk: Desk, secret: str) -> None:
    """A wrong secret learns nothing and stops nothing."""
    for method, path in (("GET", "/ping"), ("POST", "/shutdown"), ("GET", "/journal")):
        status, answer = desk.ask(method, path, secret=secret)
        assert status == 403
        assert "pid" not in answer
    assert not desk.stopped.is_set()


def test_ping_and_shutdown(desk: Desk) -> None:
    """Ping says what the host is; shutdown calls stop."""
    assert desk.ask("GET", "/ping") == (200, {"pid": 7})
    assert desk.ask("POST", "/shutdown", b"{}")[0] == 202
    assert desk.stopped.is_set()


def test_faults_are_armed_once_per_key(desk: Desk) -> None:
    """Sessions of one run arm the same faults together, and a struck fault does not come back for the next one."""
    body = json.dumps({"key": "run 1", "faults": ["pypi:503"]}).encode()
    assert desk.ask("POST", "/faults", body) == (200, {"armed": True})
    assert desk.faults.take("pypi", {"503"}) is not None
    assert desk.ask("POST", "/faults", body) == (200, {"armed": False})
    assert desk.faults.take("pypi", {"503"}) is None
    again = json.dumps({"key": "run 2", "faults": ["pypi:503"]}).encode()
    assert desk.ask("POST", "/faults", again) == (200, {"armed": True})
    assert desk.faults.take("pypi", {"503"}) is not None


def test_jobs_get_their_variables(desk: Desk) -> None:
    """The issuer behind the desk is asked with identity and environment, once per environment."""
    body = json.dumps({"identity": {"repository": "o/r"}, "environments": ["-", "pypi"]}).encode()
    assert desk.ask("POST", "/jobs", body) == (200, {"-": {"WHO": "o/r -"}, "pypi": {"WHO": "o/r pypi"}})


def test_a_push_reaches_the_forge(desk: Desk) -> None:
    """Commits and tag are handed on in order."""
    assert desk.ask("POST", "/push", b'{"commits": ["a", "b"], "tag": "v1"}') == (200, {})
    assert desk.pushed == [("a", "b", "v1")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/push", b'{"commits": 3, "tag": "v1"}'),
        ("/push", b'{"commits": ["a"]}'),
        ("/faults", b""),
        ("/faults", b"[]"),
        ("/faults", b"{}"),
        ("/faults", b'{"key": "k", "faults": ["nonsense"]}'),
        ("/faults", b'{"key": "k", "faults": 3}'),
        ("/faults", b'{"key": "k", "faults": ["pypy:503"]}'),
        ("/faults", b'{"key": "k", "faults": ["pypi:reset"]}'),
        ("/jobs", b'{"identity": {}, "environments": ["-"]}'),
        ("/jobs", b'{"identity": {"repository": "o/r"}, "environments": 3}'),
        ("/jobs", b"\xff"),
    ],
)
def test_what_is_not_understood_is_400(desk: Desk, path: str, body: bytes) -> None:
    """A bad body is answered with what is wrong, and changes nothing."""
    status, answer = desk.ask("POST", path, body)
    assert status == 400
    assert answer["error"]


def test_an_unknown_control_is_404(desk: Desk) -> None:
    """Only what is documented exists."""
    assert desk.ask("GET", "/faults")[0] == 404


def test_the_journal_is_read_from_where_one_left_off(desk: Desk, tmp_path: Path) -> None:
    """Entries come in order; a line cut short by a kill is not shown; a bad number is 400."""
    for place in range(3):
        desk.journal.record(service="pypi", method="GET", host="h", path=f"/{place}", status=200)
    with (tmp_path / "journal.jsonl").open("a") as stream:
        stream.write('{"cut')
    assert [entry["path"] for entry in desk.ask("GET", "/journal")[1]["entries"]] == ["/0", "/1", "/2"]
    assert [entry["path"] for entry in desk.ask("GET", "/journal", after="2")[1]["entries"]] == ["/2"]
    assert desk.ask("GET", "/journal", after="x")[0] == 400


def test_after_a_cut_line_the_next_entry_is_whole(tmp_path: Path) -> None:
    """A new host does not glue its first entry to the half line of a killed one."""
    path = tmp_path / "journal.jsonl"
    path.write_text('{"path": "/a"}\n{"cut', encoding="utf-8")
    journal = Journal(path, clock=Clock())
    journal.record(service="pypi", method="GET", host="h", path="/b", status=200)
    assert [entry["path"] for entry in journal.entries()] == ["/a", "/b"]


def test_a_journal_that_is_too_long_is_begun_anew(tmp_path: Path) -> None:
    """The journal of a state folder does not grow for ever."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"\n" * (5 << 20))
    assert Journal(path, clock=Clock()).entries() == []


def test_no_entry_yet(tmp_path: Path) -> None:
    """A journal nobody wrote to is empty."""
    assert Journal(tmp_path / "journal.jsonl", clock=Clock()).entries() == []


def test_idle_counts_from_the_end_of_the_last_request() -> None:
    """The host does not go while a request is at work, nor soon after; once gone it takes none."""
    clock = Clock()
    activity = Activity(idle=10, clock=clock)
    clock.now += 9
    assert not activity.retire()
    with activity.request():
        clock.now += 100
        assert not activity.retire()
    clock.now += 9.5
    assert not activity.retire()
    clock.now += 0.5
    assert activity.retire()
    with pytest.raises(Retired), activity.request():
        pytest.fail("a retired host took a request")


def test_a_failing_request_is_not_at_work_for_ever() -> None:
    """An exception ends the request too."""
    clock = Clock()
    activity = Activity(idle=10, clock=clock)
    with pytest.raises(ZeroDivisionError), activity.request():
        _ = 1 // 0
    clock.now += 10
    assert activity.retire()
