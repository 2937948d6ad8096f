"""The CONNECT proxy: known names in, everything else refused."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.proxy import ConnectProxy
from hephaestus.standins.tls import ServerCertificate


@contextmanager
def _proxied(folder: Path) -> Iterator[tuple[Listener, ssl.SSLContext, list[tuple[str, int]]]]:
    certificate = ServerCertificate.open(folder, names=["upload.pypi.org"], clock=time.time)
    seen: list[tuple[str, int]] = []

    def echo(request: Request) -> Response:
        return Response(body=request.host.encode() + b" " + request.body)

    with Listener(echo, tls=certificate.context()) as index:
        proxy = ConnectProxy(
            ports={"upload.pypi.org": index.port, "gone.pypi.org": 1},
            observe=lambda target, status: seen.append((target, status)),
        )
        with Listener(proxy.handle, connect=proxy.connect) as listener:
            yield listener, ssl.create_default_context(cafile=str(certificate.authority)), seen


def _through(listener: Listener, context: ssl.SSLContext, host: str, *, port: int = 443) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection("127.0.0.1", listener.port, context=context, timeout=100)
    connection.set_tunnel(host, port)
    return connection


def test_a_known_name_ends_at_the_stand_in(tmp_path: Path) -> None:
    """A big body goes through whole, over several requests of one connection, under the name asked for."""
    with _proxied(tmp_path) as (listener, context, seen):
        connection = _through(listener, context, "upload.pypi.org")
        for size in (0, 3, 5_000_000):
            connection.request("POST", "/legacy/", body=b"x" * size)
            assert connection.getresponse().read() == b"upload.pypi.org " + b"x" * size
        connection.close()
    assert seen == [("upload.pypi.org:443", 200)]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("files.pythonhosted.org", 443),
        ("upload.pypi.org", 80),
        ("upload.pypi.org.evil.example", 443),
        ("127.0.0.1", 443),
    ],
)
def test_every_other_target_is_403(tmp_path: Path, host: str, port: int) -> None:
    """No other name, no other port, no name that only begins alike."""
    with _proxied(tmp_path) as (listener, context, seen):
        connection = _through(listener, context, host, port=port)
        with pytest.raises(OSError, match="403 Forbidden"):
            connection.request("GET", "/")
        connection.close()
    assert seen == [(f"{host}:{port}", 403)]


@pytest.mark.parametrize("target", ["upload.pypi.org", ":443", "[::1]:443", "upload.pypi.org:443:443"])
def test_a_malformed_target_is_403(tmp_path: Path, target: str) -> None:
    """What is not host:port is nothing we know."""
    with _proxied(tmp_path) as (listener, _, _), socket.create_connection(("127.0.0.1", listener.port)) as raw:
        raw.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = raw.makefile("rb").readline()
    assert answer.split()[1] == b"403"


def test_a_stand_in_that_is_gone_is_502(tmp_path: Path) -> None:
    """A known name whose listener has closed is told apart from a forbidden one."""
    with _proxied(tmp_path) as (listener, context, seen):
        connection = _through(listener, context, "gone.pypi.org")
        with pytest.raises(OSError, match="502"):
            connection.request("GET", "/")
        connection.close()
    assert seen == [("gone.pypi.org:443", 502)]


def test_plain_http_through_the_proxy_is_refused(tmp_path: Path) -> None:
    """``GET http://...`` has no way out either."""
    with _proxied(tmp_path) as (listener, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=100)
        connection.request("GET", "http://example.org/")
        assert connection.getresponse().status == 403
        connection.close()
