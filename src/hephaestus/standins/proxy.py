"""A CONNECT proxy that leads a few known names to the stand-ins and refuses every other way out."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Mapping

from hephaestus.standins.http import Request, Response

__all__ = ["ConnectProxy"]

_CHUNK = 1 << 16


class ConnectProxy:
    """Answers CONNECT: a name of ``ports`` on port 443 is joined to that loopback port; the rest gets 403.

    TLS is not touched here: the listener behind the port ends it. ``observe`` is told every target and the status
    it was answered with. Use ``handle`` and ``connect`` as the two callables of a Listener.
    """

    def __init__(
        self,
        *,
        ports: Mapping[str, int],
        observe: Callable[[str, int], None],
    ) -> None:
        self._ports = {name.lower(): port for name, port in ports.items()}
        self._observe = observe

    def handle(self, request: Request) -> Response:
        """Plain requests through the proxy (``GET http://...``) are refused: nothing here speaks plain http."""
        return Response(
            status=403,
            reason="Forbidden: rehearsal has no way out",
            body=f"{request.method} through the rehearsal proxy is refused\n".encode(),
        )

    def connect(self, client: socket.socket, target: str) -> None:
        """Serve one CONNECT to ``target`` (``host:port``) on ``client`` until either side closes."""
        host, _, port = target.rpartition(":")
        behind = self._ports.get(host.lower()) if port == "443" else None
        if behind is None:
            self._observe(target, 403)
            _answer(client, "403 Forbidden: rehearsal has no way out")
            return
        try:
            server = socket.create_connection(("127.0.0.1", behind), timeout=5)
        except OSError:
            self._observe(target, 502)
            _answer(client, "502 Bad Gateway")
            return
        with server:
            self._observe(target, 200)
            if _answer(client, "200 Connection established"):
                _splice(client, server)


def _answer(client: socket.socket, status: str) -> bool:
    empty = "" if status.startswith("200") else "Content-Length: 0\r\nConnection: close\r\n"
    with contextlib.suppress(OSError):
        client.sendall(f"HTTP/1.1 {status}\r\n{empty}\r\n".encode())
        return True
    return False


def _splice(client: socket.socket, server: socket.socket) -> None:
    """Copy bytes both ways; a side that ends its half ends the other's, a broken one ends both."""
    other = {client: server, server: client}
    for side in other:
        side.settimeout(None)
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        for side in other:
            selector.register(side, selectors.EVENT_READ, data=side)
        while selector.get_map():
            for key, _ in selector.select():
                side = key.data
                chunk = side.recv(_CHUNK)
                if chunk:
                    other[side].sendall(chunk)
                else:
                    selector.unregister(side)
                    other[side].shutdown(socket.SHUT_WR)
