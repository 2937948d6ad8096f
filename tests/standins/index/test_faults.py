"""Every fault does to clients what it is named for, at the event asked for, and passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from standins.index.bench import BASE, Bench
from standins.index.distributions import make_sdist, make_wheel

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize("kind", ["500", "502", "503", "504"])
def test_the_second_upload_fails_then_heals(bench: Bench, tmp_path: Path, kind: str) -> None:
    """A 5xx at the second upload stores nothing; the same upload again is taken."""
    bench.fault(f"{kind}@2")
    token, wheel, sdist = bench.mint(), make_wheel(tmp_path), make_sdist(tmp_path)
    statuses = [bench.upload(path, token).status for path in (wheel, sdist, sdist)]
    assert statuses == [200, int(kind), 200]
    assert [attempt.stored for attempt in bench.index.journal()] == [True, False, True]


@pytest.mark.parametrize(("kind", "wire", "status"), [("stored-500", "answer", 500), ("stored-reset", "reset", 0)])
def test_stored_although_it_failed(bench: Bench, tmp_path: Path, kind: str, wire: str, status: int) -> None:
    """The client sees a failure, the index has the file, a second try is 200; the journal tells it all."""
    bench.fault(kind)
    token, path = bench.mint(), make_wheel(tmp_path)
    assert bench.upload(path, token).wire == wire
    assert bench.shown() == [path.name]
    assert bench.upload(path, token).status == 200
    assert [(a.status, a.stored) for a in bench.index.journal()] == [(status, True), (200, False)]


@pytest.mark.parametrize("kind", ["hang", "reset"])
def test_cut_off_before_storing(bench: Bench, tmp_path: Path, kind: str) -> None:
    """No answer and nothing stored; the attempt is journalled with status 0."""
    bench.fault(kind)
    assert bench.upload(make_wheel(tmp_path), bench.mint()).wire == kind
    assert bench.shown() == []
    assert bench.index.journal()[0].status == 0


@pytest.mark.parametrize("value", ["7", "Fri, 15 Jan 2027 08:01:00 GMT"])
def test_too_many_requests(bench: Bench, tmp_path: Path, value: str) -> None:
    """429 carries Retry-After as asked, in seconds or as a date."""
    bench.fault(f"429={value}")
    response = bench.upload(make_wheel(tmp_path), bench.mint())
    assert (response.status, response.headers["Retry-After"]) == (429, value)


def test_read_only_for_two_uploads(bench: Bench, tmp_path: Path) -> None:
    """403 read-only strikes as often as asked."""
    bench.fault("403x2")
    token, path = bench.mint(), make_wheel(tmp_path)
    responses = [bench.upload(path, token) for _ in range(3)]
    assert [response.status for response in responses] == [403, 403, 200]
    assert (responses[0].reason or "").startswith("Read-only mode")


def test_redirects_elsewhere(bench: Bench, tmp_path: Path) -> None:
    """A redirect names the place asked for and stores nothing."""
    bench.fault("redirect=https://evil.example/")
    response = bench.upload(make_wheel(tmp_path), bench.mint())
    assert (response.status, response.headers["Location"]) == (307, "https://evil.example/")


def test_a_token_expires_midway(bench: Bench, tmp_path: Path) -> None:
    """The second upload finds its token expired; a newly minted one works."""
    bench.fault("token-expired@2")
    token, sdist = bench.mint(), make_sdist(tmp_path)
    assert bench.upload(make_wheel(tmp_path), token).status == 200
    response = bench.upload(sdist, token)
    assert (response.status, (response.reason or "")[:18]) == (403, "Invalid API Token:")
    assert bench.upload(sdist, token).status == 403
    assert bench.upload(sdist, bench.mint()).status == 200


def test_archived_between_two_uploads(bench: Bench, tmp_path: Path) -> None:
    """The second upload finds the project archived, and it stays so."""
    bench.fault("archived=done@2")
    token = bench.mint()
    assert bench.upload(make_wheel(tmp_path), token).status == 200
    assert bench.upload(make_sdist(tmp_path), token).status == 403
    assert bench.simple()["project-status"] == {"status": "archived", "reason": "done"}


def test_lag(bench: Bench, tmp_path: Path) -> None:
    """A new file stays off N simple pages while the JSON API shows it; the old file never disappears."""
    token, wheel, sdist = bench.mint(), make_wheel(tmp_path), make_sdist(tmp_path)
    bench.upload(wheel, token)
    serial = bench.simple()["meta"]["_last-serial"]
    bench.fault("lag=2")
    bench.upload(sdist, token)
    assert len(json.loads(bench.get("/pypi/tiny-thing/json").body)["urls"]) == 2
    assert bench.simple()["meta"]["_last-serial"] == serial
    bench.open()
    assert bench.shown() == [wheel.name]
    assert bench.shown() == [wheel.name, sdist.name]


def test_a_stale_page(bench: Bench, tmp_path: Path) -> None:
    """One page is served as before the last upload; the next is current."""
    token, wheel, sdist = bench.mint(), make_wheel(tmp_path), make_sdist(tmp_path)
    bench.upload(wheel, token)
    bench.clock.now += 1
    bench.upload(sdist, token)
    bench.fault("stale")
    assert bench.shown() == [wheel.name]
    assert bench.shown() == [wheel.name, sdist.name]


def test_quarantined_and_yanked_after_storing(bench: Bench, tmp_path: Path) -> None:
    """Both strike after the first file, which was answered 200."""
    bench.fault("quarantined=looks odd", "yanked=too early")
    path = make_wheel(tmp_path)
    assert bench.upload(path, bench.mint()).status == 200
    assert bench.simple()["project-status"] == {"status": "quarantined", "reason": "looks odd"}
    bench.index.set_status("tiny-thing", "active")
    assert bench.simple()["files"][0]["yanked"] == "too early"


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("html", 200, "text/html"),
        ("bad-json", 200, JSON),
        ("wrong-type", 200, "application/octet-stream"),
        ("simple-500", 500, "text/html; charset=UTF-8"),
        ("simple-503", 503, "text/html; charset=UTF-8"),
    ],
)
def test_broken_pages(bench: Bench, tmp_path: Path, kind: str, status: int, content_type: str) -> None:
    """A broken page strikes once, with the type and content of its kind."""
    bench.upload(make_wheel(tmp_path), bench.mint())
    bench.fault(kind)
    response = bench.get("/simple/tiny-thing/", JSON)
    assert (response.status, response.headers["Content-Type"]) == (status, content_type)
    assert bench.shown()


@pytest.mark.parametrize(("kind", "wire"), [("simple-hang", "hang"), ("simple-reset", "reset")])
def test_pages_that_never_come(bench: Bench, tmp_path: Path, kind: str, wire: str) -> None:
    """The connection itself misbehaves."""
    bench.mint()
    bench.fault(kind)
    assert bench.get("/simple/tiny-thing/", JSON).wire == wire


def test_wrong_bytes(bench: Bench, tmp_path: Path) -> None:
    """One download has the right size and other bytes, as a whole or in ranges; the next is right."""
    path = make_wheel(tmp_path)
    bench.upload(path, bench.mint())
    url = bench.simple()["files"][0]["url"].removeprefix(BASE)
    bench.fault("wrong-bytesx2")
    wrong = bench.get(url).body
    assert len(wrong) == path.stat().st_size
    assert wrong != path.read_bytes()
    assert bench.get(url, range="bytes=0-20").body == wrong[:21]
    right = bench.get(url).file
    assert right is not None
    assert right.read_bytes() == path.read_bytes()
    bench.fault("file-503", "file-404@2")
    assert [bench.get(url).status for _ in range(3)] == [503, 404, 200]


def test_down(bench: Bench) -> None:
    """Everything answers 503 for as many requests as asked."""
    bench.fault("downx2")
    assert [bench.get("/simple/").status for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize(("kind", "wire"), [("mint-hang", "hang"), ("mint-reset", "reset")])
def test_mints_that_never_answer(bench: Bench, kind: str, wire: str) -> None:
    """A mint can hang or be cut off."""
    from hephaestus.standins.http import Request

    bench.fault(kind)
    assert bench.index.handle(Request(method="POST", path="/_/oidc/mint-token", body=b"{}")).wire == wire


def test_a_mint_that_answers_a_page_and_no_audience(bench: Bench) -> None:
    """mint-html-500 is not JSON; oidc-off refuses one audience."""
    bench.fault("mint-html-500", "oidc-off")
    with pytest.raises(json.JSONDecodeError):
        bench.post("/_/oidc/mint-token", {"token": bench.jwt()})
    assert bench.get("/_/oidc/audience").status == 403
    assert bench.get("/_/oidc/audience").status == 200


def test_faults_of_another_index_do_not_strike(tmp_path: Path) -> None:
    """A fault names its index."""
    from hephaestus.standins.faults import Fault

    bench = Bench(tmp_path / "index", name="testpypi")
    bench.faults.arm([Fault.parse("pypi:500")])
    assert bench.upload(make_wheel(tmp_path), bench.mint()).status == 200
