"""Downloads that are cut: gone on with where they ended when the file is still the same, begun anew when it is not."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services import errors
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.services.transfer import Rest

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Line:
    """A server on the raw socket. ``plan`` holds, for each request, how many bytes of the answer get through.

    ``etag`` is asked for each answer; ``ranges``: whether parts are served, or everything each time; ``skew`` shifts
    where a part begins; ``status`` and ``part_etag`` are a part's.
    """

    plan: list[int]
    content: bytes = CONTENT
    etag: Callable[[int], str] = lambda _number: '"one"'
    ranges: bool = True
    skew: int = 0
    status: int = 206
    part_etag: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        text = client.recv(65536).decode()
        headers = dict(re.findall(r"^([\w-]+): (.*)\r$", text, re.MULTILINE))
        headers = {name.lower(): value for name, value in headers.items()}
        number = len(self.requests)
        self.requests.append(headers)
        etag = self.etag(number)
        start = 0
        if self.ranges and "range" in headers and headers.get("if-range") == etag:
            start = int(headers["range"].removeprefix("bytes=").rstrip("-"))
        body = self.content[start:]
        lines = [
            f"HTTP/1.1 {self.status if start else 200} OK",
            f"Content-Length: {len(body)}",
            f"ETag: {(start and self.part_etag) or etag}",
        ]
        if start:
            shown = start + self.skew
            lines.append(f"Content-Range: bytes {shown}-{len(self.content) - 1}/{len(self.content)}")
        lines += ["Connection: close", "", ""]
        through = self.plan[number] if number < len(self.plan) else len(body)
        client.sendall("\r\n".join(lines).encode() + body[:through])


@pytest.fixture
def line() -> Iterator[Callable[[Line], str]]:
    """Start a server; gives its address."""
    servers: list[tuple[socket.socket, threading.Thread]] = []

    def start(line: Line) -> str:
        server = socket.create_server(("127.0.0.1", 0))

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    line.serve(client)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.getsockname()[1]}/file"

    yield start
    for server, thread in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """Four attempts that wait in no time."""
    patience = Patience(attempts=4)
    with HttpClient(user_agent="tests", patience=patience, sleep=lambda _seconds: None) as made:
        yield made


def test_a_cut_download_goes_on_where_it_ended(line, client, tmp_path) -> None:
    """Twice cut: each further request asks for the rest only, under the file's ETag; nothing but the file is left."""
    wire = Line(plan=[300_000, 200_000])
    seen: list[int] = []
    got = client.download(line(wire), tmp_path / "file", sha256=DIGEST, progress=lambda done, _total: seen.append(done))
    assert (got.sha256, got.size) == (DIGEST, len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [request.get("range") for request in wire.requests] == [None, "bytes=300000-", "bytes=500000-"]
    assert [request.get("if-range") for request in wire.requests] == [None, '"one"', '"one"']
    assert seen == sorted(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(line, client, tmp_path) -> None:
    """Another ETag: the server sends all of it, and what had arrived before is forgotten."""
    wire = Line(plan=[300_000], etag=lambda number: f'"{number}"')
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST).size == len(CONTENT)
    assert wire.requests[1]["if-range"] == '"0"'


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_it_begins_anew(line, client, tmp_path, etag) -> None:
    """No name for the bytes, or one for something alike only: the rest is never asked for."""
    wire = Line(plan=[300_000], etag=lambda _number: etag)
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST).size == len(CONTENT)
    assert "range" not in wire.requests[1]


@pytest.mark.parametrize(
    "wire",
    [Line(plan=[300_000], skew=5), Line(plan=[300_000], status=416), Line(plan=[300_000], part_etag='"two"')],
    ids=["skew", "416", "another etag"],
)
def test_a_rest_that_does_not_fit_is_not_taken(line, client, tmp_path, wire) -> None:
    """Another place than asked for, or no such range: all of it is asked for again."""
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST).size == len(CONTENT)
    assert [("range" in request) for request in wire.requests] == [False, True, False]


def test_a_rest_of_other_bytes_is_noticed_and_fetched_anew(line, client, tmp_path) -> None:
    """A server that calls two files by one ETag: the digest tells, and the whole is fetched once more."""
    wire = Line(plan=[300_000])
    other = Line(plan=[], content=CONTENT[:300_000] + b"x" * (len(CONTENT) - 300_000))
    serve = Line.serve

    def mixed(self: Line, connection: socket.socket) -> None:
        self.content = other.content if len(self.requests) == 1 else CONTENT
        serve(self, connection)

    wire.serve = mixed.__get__(wire)  # type: ignore[method-assign]
    got = client.download(line(wire), tmp_path / "file", sha256=DIGEST)
    assert (got.sha256, len(wire.requests)) == (DIGEST, 3)
    assert "range" not in wire.requests[2]


def test_patience_ends_and_leaves_nothing(line, client, tmp_path) -> None:
    """Cut at every attempt: an error in words, and no part of a file."""
    wire = Line(plan=[1000] * 9)
    with pytest.raises(errors.Unreachable, match="4 attempts"):
        client.download(line(wire), tmp_path / "file", sha256=DIGEST)
    assert len(wire.requests) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rest(tmp_path) -> Rest:
    """Where a broken download leaves what has arrived."""
    (tmp_path / "rests").mkdir()
    return Rest(path=tmp_path / "rests" / "x.part")


def left(rest: Rest) -> list[str]:
    """What lies there."""
    return sorted(path.name for path in rest.path.parent.iterdir())


def test_another_run_goes_on_where_the_first_ended(line, client, tmp_path, rest) -> None:
    """All attempts cut: what has arrived stays with its ETag, the next call asks for the rest only; then it is gone."""
    wire = Line(plan=[1000, 1000, 1000, 1000])
    url = line(wire)
    with pytest.raises(errors.Unreachable):
        client.download(url, tmp_path / "file", sha256=DIGEST, rest=rest)
    assert left(rest) == ["x.part", "x.part.etag"]
    assert rest.path.stat().st_size == 4000
    assert client.download(url, tmp_path / "file", sha256=DIGEST, rest=rest).size == len(CONTENT)
    assert wire.requests[4]["range"] == "bytes=4000-"
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert left(rest) == []


def test_a_file_that_changed_between_two_runs_is_fetched_anew(line, client, tmp_path, rest) -> None:
    """The ETag of then is not the one of now: the server sends all of it."""
    rest.path.write_bytes(b"x" * 5000)
    rest.note.write_text('"then"')
    wire = Line(plan=[])
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST, rest=rest).size == len(CONTENT)
    assert (wire.requests[0]["if-range"], len(wire.requests), left(rest)) == ('"then"', 1, [])


def test_a_rest_of_other_bytes_never_gets_into_the_file(line, client, tmp_path, rest) -> None:
    """Damaged or planted, under the right ETag: the digest tells, and the whole is fetched once more."""
    rest.path.write_bytes(b"x" * 5000)
    rest.note.write_text('"one"')
    wire = Line(plan=[])
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST, rest=rest).size == len(CONTENT)
    assert [("range" in request) for request in wire.requests] == [True, False]
    assert left(rest) == []


@pytest.mark.parametrize("note", [None, "", "one", 'W/"one"', '"o"ne"', '"one"\r\nX: y', '"\xfc"'])
def test_a_rest_without_a_usable_etag_is_dropped(line, client, tmp_path, rest, note) -> None:
    """Missing, weak, malformed or with a line break in it: it never becomes a header."""
    rest.path.write_bytes(CONTENT[:5000])
    if note is not None:
        rest.note.write_text(note, encoding="utf-8", newline="")
    wire = Line(plan=[])
    assert client.download(line(wire), tmp_path / "file", sha256=DIGEST, rest=rest).size == len(CONTENT)
    assert ("range" in wire.requests[0], left(rest)) == (False, [])


def test_a_link_in_the_rests_place_is_not_followed(line, client, tmp_path, rest) -> None:
    """What it leads to stays as it is."""
    (tmp_path / "mine").write_bytes(b"mine")
    rest.path.symlink_to(tmp_path / "mine")
    rest.note.write_text('"one"')
    assert client.download(line(Line(plan=[])), tmp_path / "file", sha256=DIGEST, rest=rest).size == len(CONTENT)
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_a_rest_that_is_no_rest_is_begun_anew(line, client, tmp_path, rest, size) -> None:
    """As many bytes as the whole, or more: nothing is left to ask for."""
    rest.path.write_bytes((CONTENT + b"x")[:size])
    rest.note.write_text('"one"')
    wire = Line(plan=[])
    got = client.download(line(wire), tmp_path / "file", sha256=DIGEST, size=len(CONTENT), rest=rest)
    assert (got.sha256, "range" in wire.requests[0], left(rest)) == (DIGEST, False, [])


def test_what_is_not_the_promised_file_leaves_no_rest(line, client, tmp_path, rest) -> None:
    """Other bytes to the end: thrown away, not kept for next time; without a promised digest nothing is kept at all."""
    with pytest.raises(errors.DownloadMismatch):
        client.download(line(Line(plan=[])), tmp_path / "file", sha256="0" * 64, rest=rest)
    with pytest.raises(errors.Unreachable):
        client.download(line(Line(plan=[1000] * 9)), tmp_path / "file", rest=rest)
    assert (left(rest), (tmp_path / "file").exists()) == ([], False)


def test_what_grows_beyond_its_size_is_stopped(line, client, tmp_path) -> None:
    """A continued download is held against size and limit as a whole."""
    wire = Line(plan=[300_000])
    with pytest.raises(errors.DownloadMismatch, match="more than that"):
        client.download(line(wire), tmp_path / "file", size=400_000)
    assert list(tmp_path.iterdir()) == []


@given(cuts=st.lists(st.integers(0, 70_000), max_size=3), size=st.integers(0, 100_000))
def test_wherever_it_is_cut_the_file_is_whole(tmp_path_factory, cuts, size) -> None:
    """Any content, cut anywhere: what arrives is what was sent."""
    content = CONTENT[:size]
    wire = Line(plan=cuts, content=content)
    folder: Path = tmp_path_factory.mktemp("cut")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    wire.serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        patience = Patience(attempts=4)
        with HttpClient(user_agent="tests", patience=patience, sleep=lambda _seconds: None) as client:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
            got = client.download(url, folder / "file", sha256=hashlib.sha256(content).hexdigest())
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert got.size == size
    assert (folder / "file").read_bytes() == content
