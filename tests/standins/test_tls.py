"""The throw-away certificate authority."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509

from hephaestus.standins.http import Listener, Response
from hephaestus.standins.tls import ServerCertificate

NAMES = ("pypi.org", "upload.pypi.org")


def _open(folder: Path, *, names: tuple[str, ...] = NAMES, now: float | None = None) -> ServerCertificate:
    return ServerCertificate.open(folder, names=names, clock=lambda: time.time() if now is None else now)


def _handshake(certificate: ServerCertificate, name: str, *, trust: Path | None = None) -> str:
    with Listener(lambda request: Response(), tls=certificate.context()) as listener:
        context = ssl.create_default_context(cafile=str(trust or certificate.authority))
        # The default from Python 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", listener.port), timeout=50) as raw,
            context.wrap_socket(raw, server_hostname=name) as secured,
        ):
            return str(secured.version())


@pytest.mark.parametrize("name", [*NAMES, "localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_connects_to_every_name(tmp_path: Path, name: str) -> None:
    """Each configured name and the loopback's own pass a strict handshake."""
    assert _handshake(_open(tmp_path), name) in {"TLSv1.2", "TLSv1.3"}


def test_another_name_is_refused(tmp_path: Path) -> None:
    """The certificate is no wildcard: a name it was not made for fails."""
    with pytest.raises(ssl.SSLCertVerificationError, match=r"files\.pythonhosted\.org"):
        _handshake(_open(tmp_path), "files.pythonhosted.org")


def test_a_client_with_the_machines_own_authorities_is_refused(tmp_path: Path) -> None:
    """Nobody who was not told to trust the stand-in does."""
    stranger = _open(tmp_path / "other").authority
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(_open(tmp_path / "own"), "pypi.org", trust=stranger)


def test_it_is_kept_and_private(tmp_path: Path) -> None:
    """A second opening finds the same pair; only the owner can read it; the authority's key is nowhere."""
    first = _open(tmp_path)
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert _open(tmp_path) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert b"".join(content.values()).count(b"PRIVATE KEY-----\n") == 2  # one key: its begin and its end
    leaf, authority = x509.load_pem_x509_certificates(content["server.pem"])
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert leaf.issuer == authority.subject


@pytest.mark.parametrize("days", [89, 400, -1])
def test_one_that_ends_soon_or_lies_in_the_future_is_replaced(tmp_path: Path, days: int) -> None:
    """The pair is renewed before it can expire during a rehearsal, and when the clock was wrong."""
    old = _open(tmp_path).chain.read_bytes()
    assert _open(tmp_path, now=time.time() + days * 86400).chain.read_bytes() != old


def test_other_names_replace_it(tmp_path: Path) -> None:
    """A certificate of other names is of no use."""
    old = _open(tmp_path).chain.read_bytes()
    assert _open(tmp_path, names=("test.pypi.org",)).chain.read_bytes() != old


def _cut_short(folder: Path) -> None:
    (folder / "server.pem").write_bytes((folder / "server.pem").read_bytes()[:700])


def _no_authority(folder: Path) -> None:
    (folder / "authority.pem").unlink()


def _foreign_authority(folder: Path) -> None:
    shutil.copy(_open(folder / "x").authority, folder / "authority.pem")


def _foreign_key(folder: Path) -> None:
    other = _open(folder / "x").chain.read_text().partition("-----BEGIN CERT")[0]
    own = (folder / "server.pem").read_text().partition("-----BEGIN CERT")
    (folder / "server.pem").write_text(other + own[1] + own[2])


def _empty(folder: Path) -> None:
    (folder / "server.pem").write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut_short, _no_authority, _foreign_authority, _foreign_key, _empty])
def test_a_damaged_pair_is_replaced_by_a_working_one(tmp_path: Path, damage: object) -> None:
    """Whatever a kill or a hand has left behind, the opened pair works."""
    _open(tmp_path)
    assert callable(damage)
    damage(tmp_path)
    assert _handshake(_open(tmp_path), "pypi.org")


def test_many_connections_at_once(tmp_path: Path) -> None:
    """Twenty handshakes in parallel all succeed."""
    certificate = _open(tmp_path)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(_handshake(certificate, "pypi.org"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
