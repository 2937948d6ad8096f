"""The HTTP listener all stand-ins share: threaded, loopback only, with misbehaviour on request."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Handler", "Listener", "Request", "Response"]

_CHUNK = 1 << 20
#: How long a client may be silent in the middle of a request.
SILENCE_SECONDS = 5.0
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, read whole.

    ``path`` is percent-decoded and carries no query; ``headers`` has lower-case names; ``host`` is the
    Host header without port; ``base`` is ``scheme://host:port`` as the client addressed us.
    """

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    host: str = "127.0.0.1"
    base: str = "http://127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer. ``file`` is streamed instead of ``body`` when given.

    ``reason`` is the text of the status line: twine matches PyPI's messages there.
    ``wire`` makes the connection itself misbehave: ``reset`` closes it without an answer (after the request
    was handled), ``hang`` keeps it open in silence until the listener closes, ``cut`` closes it in the middle of the
    answer's body.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    file: Path | None = None
    wire: Literal["answer", "reset", "hang", "cut"] = "answer"


Handler = Callable[[Request], Response]


class Listener:
    """A server on an ephemeral loopback port that answers by calling ``handler`` in a thread per connection.

    ``tls`` wraps every accepted connection; ``port`` asks for one port instead of any.
    ``connect``, when given, is called with the socket and target of every CONNECT request.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        connect: Callable[[socket.socket, str], None] | None = None,
    ) -> None:
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Connection)
        self._server.stand_in = _StandIn(handler=handler, tls=tls, closing=self._closing, connect=connect)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """``scheme://127.0.0.1:port`` without a trailing slash."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop accepting, wake hanging connections, release the port."""
        self._closing.set()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            # The accepting thread sleeps until somebody comes: this connection is only there to wake it.
            self._thread.join(timeout=5)
        self._server.server_close()

    def _accept(self) -> None:
        # serve_forever would look several times a second whether it is to end; a host has a dozen listeners.
        while not self._closing.is_set():
            self._server.handle_request()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class _StandIn:
    handler: Handler
    tls: ssl.SSLContext | None
    closing: threading.Event
    connect: Callable[[socket.socket, str], None] | None


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # pypiserver's backlog of 5 made parallel clients wait on retransmits (facts: performance, hazards).
    request_queue_size = 128
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    stand_in: _StandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away mid-answer is its own affair; nothing is printed for it."""

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        if self.stand_in.tls is not None:
            try:
                request = self.stand_in.tls.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                with contextlib.suppress(OSError):
                    request.close()
                return
        super().process_request_thread(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hephaestus-stand-in"
    sys_version = ""
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """The stand-ins keep their own journal; the terminal stays quiet."""

    def do_CONNECT(self) -> None:
        connect = self.server.stand_in.connect
        if connect is None:
            self._send(Response(status=405, reason="Method Not Allowed"))
            return
        self.close_connection = True
        connect(self.connection, self.path)

    def _answer(self) -> None:
        stand_in = self.server.stand_in
        try:
            self.connection.settimeout(SILENCE_SECONDS)
            request = self._request()
            self.connection.settimeout(None)
        except TimeoutError:
            # urllib3 repeats a POST over a TLS connection that was cut, with a body it has used up: as a real
            # service does, we end the wait for what never comes.
            self.connection.settimeout(None)
            self.close_connection = True
            self._send(Response(status=408, reason="Request Timeout"))
            return
        except ConnectionError:
            # Half a body is no request: a client killed in the middle of an upload has uploaded nothing.
            self.close_connection = True
            return
        except ValueError as error:
            self.close_connection = True
            self._send(Response(status=400, reason="Bad Request", body=str(error).encode()))
            return
        try:
            response = stand_in.handler(request)
        except Exception as error:  # noqa: BLE001 - a defect of ours must reach the client as a 500, not hang it
            response = Response(status=500, reason="Stand-in defect", body=f"{type(error).__name__}: {error}".encode())
        if response.wire == "hang":
            stand_in.closing.wait()
        if response.wire == "cut":
            self._send(response)
        if response.wire != "answer":
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class names them

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        scheme = "https" if self.server.stand_in.tls else "http"
        authority = headers.get("host", "127.0.0.1")
        return Request(
            method=self.command,
            path=unquote(parts.path),
            query=parse_qs(parts.query, keep_blank_values=True),
            headers=headers,
            body=b"".join(self._body(headers)),
            host=authority.rpartition(":")[0] or authority,
            base=f"{scheme}://{authority}",
        )

    def _body(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        if headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while size := int(self._line().split(b";")[0], 16):
                yield self._exactly(size)
                self._line()
            while self._line().strip():
                pass
        elif length := int(headers.get("content-length") or 0):
            yield self._exactly(length)

    def _line(self) -> bytes:
        line = self.rfile.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionError("the client has gone")
        return line

    def _exactly(self, size: int) -> bytes:
        if size < 0:
            raise ValueError("a negative length")
        content = self.rfile.read(size)
        if len(content) < size:
            raise ConnectionError("the client has gone")
        return content

    def _send(self, response: Response) -> None:
        size = response.file.stat().st_size if response.file else len(response.body)
        self.send_response(response.status, response.reason)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "HEAD" or response.status in (204, 304):
            return
        left = size // 2 if response.wire == "cut" else size
        if response.file is None:
            self.wfile.write(response.body[:left])
            return
        with response.file.open("rb") as stream:
            while chunk := stream.read(min(_CHUNK, left)):
                self.wfile.write(chunk)
                left -= len(chunk)
