"""The listener under all stand-ins."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hephaestus.standins.http import Listener, Request, Response


class Recorder:
    """A handler that remembers what it was asked."""

    def __init__(self, response: Response | None = None) -> None:
        self.asked: list[Request] = []
        self.response = response or Response(body=b"answer")

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        return self.response


@contextlib.contextmanager
def _connected(listener: Listener) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=100)
    with contextlib.closing(connection):
        yield connection


def _raw(listener: Listener, sent: bytes) -> bytes:
    """Send bytes, end our half, read all that comes back."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=100) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        return raw.makefile("rb").read()


def test_a_request_arrives_whole() -> None:
    """Method, decoded path, query, lower-case headers, host without port, base and body are as sent."""
    recorder = Recorder()
    with Listener(recorder) as listener, _connected(listener) as connection:
        connection.request("POST", "/a%20b/?x=1&x=&y=%26", body=b"content", headers={"X-Own": "Value"})
        assert connection.getresponse().read() == b"answer"
        base = listener.url
    (request,) = recorder.asked
    assert (request.method, request.path, request.body) == ("POST", "/a b/", b"content")
    assert request.query == {"x": ["1", ""], "y": ["&"]}
    assert (request.headers["x-own"], request.host, request.base) == ("Value", "127.0.0.1", base)


def test_a_chunked_body_is_put_together() -> None:
    """Chunks with extensions and trailers make one body, and the connection goes on."""
    recorder = Recorder()
    head = b"POST / HTTP/1.1\r\nHost: pypi.org\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Listener(recorder) as listener:
        answer = _raw(listener, (head + b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n") * 2)
    assert [request.body for request in recorder.asked] == [b"abcde", b"abcde"]
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly a part",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10\r\npart",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_half_a_request_is_none(sent: bytes) -> None:
    """A client that is killed in the middle of its body has asked for nothing."""
    recorder = Recorder()
    with Listener(recorder) as listener:
        assert _raw(listener, sent) == b""
    assert recorder.asked == []


@pytest.mark.parametrize(
    "header", [b"Content-Length: many", b"Content-Length: -5", b"Transfer-Encoding: chunked\r\n\r\nnothex\r\n"]
)
def test_a_length_that_is_none_is_400(header: bytes) -> None:
    """Nonsense in the frame is the client's fault, and never reaches the handler."""
    recorder = Recorder()
    with Listener(recorder) as listener:
        assert _raw(listener, b"POST / HTTP/1.1\r\n" + header + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert recorder.asked == []


def test_head_sends_no_body_and_a_file_is_streamed(tmp_path: Path) -> None:
    """A file is sent whole; HEAD tells its length alone."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    with Listener(Recorder(Response(file=path))) as listener, _connected(listener) as connection:
        for method, size in (("HEAD", 0), ("GET", 3_000_000)):
            connection.request(method, "/")
            response = connection.getresponse()
            assert response.headers["Content-Length"] == "3000000"
            assert len(response.read()) == size


def test_a_reason_is_sent() -> None:
    """The status line carries the service's own words: clients print and match them."""
    answer = Response(status=400, reason="File already exists")
    with Listener(Recorder(answer)) as listener, _connected(listener) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().reason == "File already exists"


def test_a_defect_is_500() -> None:
    """An exception of ours reaches the client as an answer."""

    def broken(request: Request) -> Response:
        raise ZeroDivisionError("division")

    with Listener(broken) as listener, _connected(listener) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.status, response.read()) == (500, b"ZeroDivisionError: division")


def test_a_reset_comes_after_the_work() -> None:
    """The request was handled, and its answer is lost."""
    recorder = Recorder(Response(wire="reset"))
    with Listener(recorder) as listener, _connected(listener) as connection:
        connection.request("GET", "/")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
    assert len(recorder.asked) == 1


@pytest.mark.parametrize("kind", ["body", "file"])
def test_a_cut_comes_in_the_middle_of_the_body(tmp_path: Path, kind: str) -> None:
    """All of it is announced, half of it arrives."""
    (tmp_path / "file").write_bytes(b"0123456789")
    source = {"body": b"0123456789"} if kind == "body" else {"file": tmp_path / "file"}
    with Listener(Recorder(Response(wire="cut", **source))) as listener, _connected(listener) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
    assert (response.headers["Content-Length"], caught.value.partial) == ("10", b"01234")


def test_closing_wakes_who_hangs() -> None:
    """A client kept waiting for ever is let go when the listener closes."""
    handled = threading.Event()

    def hang(request: Request) -> Response:
        handled.set()
        return Response(wire="hang")

    ended = threading.Event()
    with Listener(hang) as listener:

        def wait() -> None:
            with _connected(listener) as connection, contextlib.suppress(OSError):
                connection.request("GET", "/")
                connection.getresponse()
            ended.set()

        client = threading.Thread(target=wait)
        client.start()
        assert handled.wait(100)
        assert not ended.is_set()
    client.join(timeout=100)
    assert ended.is_set()


def test_a_closed_listener_is_gone() -> None:
    """After closing nobody listens there, closing again does no harm, and no thread is left accepting."""
    listener = Listener(Recorder())
    port = listener.port
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pytest.fail("still listening")
    assert not listener._thread.is_alive()


def test_connect_is_refused_where_there_is_no_proxy() -> None:
    """Only the proxy's listener takes CONNECT."""
    with Listener(Recorder()) as listener:
        assert _raw(listener, b"CONNECT pypi.org:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_fifty_clients_at_once() -> None:
    """No connection is refused or lost when many come together."""
    recorder = Recorder()
    with Listener(recorder) as listener:

        def ask() -> None:
            with _connected(listener) as connection:
                connection.request("GET", "/")
                answers.append(connection.getresponse().read())

        answers: list[bytes] = []
        clients = [threading.Thread(target=ask) for _ in range(50)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert answers == [b"answer"] * 50


def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that promises a body and stays silent gets a 408 and a closed connection, as from a real service."""
    monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", 0.1)
    with (
        Listener(lambda _request: Response()) as listener,
        socket.create_connection(("127.0.0.1", listener.port), timeout=100) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
