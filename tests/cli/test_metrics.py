"""``hephaestus release metrics`` against a counter on the loopback."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Said
from services.test_downloads import counter

from hephaestus.services.http import HttpClient
from hephaestus.standins.http import Listener, Request, Response


class Counting:
    """A counter whose answers a test may change; ``asked`` are the paths."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        return counter(**self.changes)(request)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Counting, str]]:
    """The counter and its address."""
    counting = Counting()
    with Listener(counting) as listener:
        yield counting, f"{listener.url}/api"


@pytest.fixture
def counting(served: tuple[Counting, str], monkeypatch: pytest.MonkeyPatch) -> Counting:
    """The counter, as new, where the command looks for pypistats.org; nobody waits."""
    served[0].__init__()  # type: ignore[misc]
    monkeypatch.setattr("hephaestus.services.downloads.PYPISTATS_URL", served[1])
    impatient = functools.partial(HttpClient, sleep=lambda _seconds: None)
    monkeypatch.setattr("hephaestus.services.http.HttpClient", impatient)
    return served[0]


def test_the_project_of_this_folder(counting: Counting, here: Path, says: Said) -> None:
    """A table, shares and bars for the project in this folder, in four requests."""
    code, out, err = says("release", "metrics")
    assert (code, err) == (0, "")
    assert out.startswith("\ntiny-thing   downloads without mirrors")
    assert "  last month             90" in out
    assert "Linux                12  100.0 %" in out
    assert len(counting.asked) == 4


def test_any_project_for_programs(
    counting: Counting, served: tuple[Counting, str], tmp_path: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name needs no project here; --url asks another counter; --json is one document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hephaestus.services.downloads.PYPISTATS_URL", "http://127.0.0.1:9/api")
    code, out, _ = says("release", "metrics", "Tiny.Thing", "--json", "--url", served[1])
    told = json.loads(out)
    assert (code, told["project"], told["total"]) == (0, "tiny-thing", 12)
    assert told["daily"] == {"2026-11-01": 7, "2026-11-02": 5}


def test_the_picture(counting: Counting, here: Path, says: Said) -> None:
    """--plot writes the SVG beside the table, replacing an older one."""
    (here / "downloads.svg").write_text("old", encoding="utf-8")
    code, _, _ = says("release", "metrics", "--plot", "downloads.svg")
    assert code == 0
    assert (here / "downloads.svg").read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "downloads.png"], "does not end in .svg"),
        (["--plot", "nowhere/downloads.svg"], "there is no folder nowhere"),
        (["../../etc"], "is no name of a project"),
        (["--url", "http://example.invalid/api"], "is no address to talk to"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    counting: Counting, here: Path, says: Said, words: list[str], message: str
) -> None:
    """What cannot work is said at once, with the next command."""
    code, out, err = says("release", "metrics", *words)
    assert (code, out, counting.asked) == (1, "", [])
    assert message in err
    assert "next:" in err


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Response(status=404), "tiny-thing is not counted"),
        (Response(status=429, headers={"Retry-After": "900"}), "asks for 900 s of patience"),
        (Response(body=b"<html>", headers={"Content-Type": "text/html"}), "is not usable"),
        (Response(status=502), "answered 502"),
    ],
)
def test_no_counts_leave_no_picture(counting: Counting, here: Path, says: Said, answer: Response, message: str) -> None:
    """A counter that fails half way gives one message and no file."""
    counting.changes = {"system": answer}
    code, out, err = says("release", "metrics", "--plot", "downloads.svg")
    assert (code, out) == (1, "")
    assert message in err
    assert not (here / "downloads.svg").exists()
