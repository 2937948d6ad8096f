"""The network manners all services share."""

from __future__ import annotations

import gzip
import hashlib
import socket
import ssl
import subprocess
import sys
import threading
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services import errors
from hephaestus.services.address import Address
from hephaestus.services.http import HttpClient, Redirects
from hephaestus.services.patience import Patience, judged, retry_after
from hephaestus.services.transfer import FileBody
from hephaestus.standins.http import Request, Response


def flaky(count: int, fault: Response, seen: list[Request]):
    """A handler that answers ``fault`` so many times, then 200."""

    def handle(request: Request) -> Response:
        seen.append(request)
        return fault if len(seen) <= count else Response(body=b"ok")

    return handle


def test_importing_the_services_imports_no_network_library() -> None:
    """urllib3 is imported when it is first used, not before: the command line stays quick."""
    code = (
        "import sys, hephaestus.services, hephaestus.services.http, hephaestus.services.github,"
        "hephaestus.services.index; sys.exit('urllib3' in sys.modules)"
    )
    source = Path(__file__).parents[2] / "src"
    result = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False)
    assert result.returncode == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_passing_trouble_is_ridden_out_with_growing_waits(answering, http, time, status) -> None:
    """Two bad answers, then a good one: three requests, two waits, the second twice the first."""
    seen: list[Request] = []
    url = answering(flaky(2, Response(status=status, headers={"Retry-After": "0"}), seen))
    assert http.request("GET", url).body == b"ok"
    assert len(seen) == 3
    assert time.slept == [0.25, 0.5]
    assert seen[0].headers["user-agent"] == "hephaestus-tests"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_what_may_be_repeated_is(answering, http, method) -> None:
    """A cut connection is tried again for methods whose second effect is the first one's."""
    seen: list[Request] = []
    url = answering(flaky(1, Response(wire="reset"), seen))
    assert http.request(method, url).status == 200
    assert len(seen) == 2


@pytest.mark.parametrize("fault", [Response(wire="reset"), Response(wire="hang"), Response(status=503)])
def test_a_post_that_may_have_arrived_is_not_repeated(answering, http, time, fault, request) -> None:
    """After a cut or a 503 nobody knows whether a POST took effect: it is reported, once, as sent."""
    if fault.wire == "hang":
        request.getfixturevalue("impatient")
    seen: list[Request] = []
    url = answering(flaky(1, fault, seen))
    with pytest.raises((errors.Unreachable, errors.ServiceDown)) as caught:
        http.request("POST", url, body=b"x")
    assert len(seen) == 1
    assert time.slept == []
    assert getattr(caught.value, "sent", True)
    assert http.request("POST", url, body=b"x").body == b"ok"


def test_a_post_that_was_refused_for_its_rate_is_repeated(answering, http, time) -> None:
    """429 means that nothing happened: a POST is sent again, after the time asked for."""
    seen: list[Request] = []
    url = answering(flaky(1, Response(status=429, headers={"Retry-After": "12"}), seen))
    assert http.request("POST", url, body=b"x").body == b"ok"
    assert [request.body for request in seen] == [b"x", b"x"]
    assert time.slept == [12.25]


def test_retry_after_as_a_date(answering, http, time) -> None:
    """An HTTP date is counted from the clock."""
    date = formatdate(time.now + 20, usegmt=True)
    url = answering(flaky(1, Response(status=503, headers={"Retry-After": date}), []))
    http.request("GET", url)
    assert time.slept == [20.25]


def test_the_rate_limits_reset_time_is_waited_for(answering, http, time) -> None:
    """403 with nothing remaining waits until the reset GitHub names; one that names none waits a minute."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.now) + 30)}
    http.request("GET", answering(flaky(1, Response(status=403, headers=headers), [])))
    http.request("GET", answering(flaky(1, Response(status=403, body=b"secondary rate limit"), [])))
    assert time.slept == [30.25, 60.25]


def test_a_refusal_is_not_repeated(answering, http) -> None:
    """A plain 403 is no rate limit: reported at once, with the answer's own words and no secrets."""
    seen: list[Request] = []
    url = answering(flaky(9, Response(status=403, body=b"no\nway ghp_abcdef pypi-AgEIcHlwaS5vcmcCJGF"), seen))
    with pytest.raises(errors.UnexpectedStatus, match="answered 403") as caught:
        http.request("GET", url + "/p?sig=secret")
    assert len(seen) == 1
    assert caught.value.why == "no way *** ***"
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40) | st.integers().map(str) | st.sampled_from(["Wed, 21 Oct 2015 07:28:00 GMT", "9" * 500]))
def test_any_retry_after_is_a_time_or_nothing(value) -> None:
    """Whatever the header says, the answer is None or a number of seconds that is not negative."""
    seconds = retry_after(value, now=1e9)
    assert seconds is None or seconds >= 0


@given(
    st.integers(min_value=100, max_value=599),
    st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-reset", "x-ratelimit-remaining"]), st.text(max_size=12)
    ),
)
def test_any_answer_can_be_judged(status, headers) -> None:
    """Every status with every header is a setback that has an error, or none."""
    setback = judged("https://x", status, headers, "", now=0.0)
    assert setback is None or setback.error(attempts=1, wait=0).next_step


@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_waits_are_bounded(attempt, jitter) -> None:
    """No attempt waits longer than the longest wait, and never less than half of its own."""
    patience = Patience()
    wait = patience.wait(attempt, asked=None, jitter=jitter)
    assert 0.25 <= wait <= patience.longest_wait


def test_nobody_there(http, time) -> None:
    """A refused connection is tried again, POST included, and then named with the number of attempts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens: held, so that no other test's server gets this port
        with pytest.raises(errors.Unreachable, match="3 attempts") as caught:
            http.request("POST", f"http://127.0.0.1:{held.getsockname()[1]}/", body=b"")
    assert not caught.value.sent
    assert len(time.slept) == 2


@pytest.mark.usefixtures("impatient")
def test_silence_ends(answering, http) -> None:
    """A server that never answers is given up after the read timeout, each time."""
    url = answering(lambda _: Response(wire="hang"))
    with pytest.raises(errors.Unreachable, match="timed out"):
        http.request("GET", url)


@pytest.mark.parametrize("length", [1_000, 100_000])
def test_an_answer_cut_in_the_middle_is_noticed(http, tmp_path, length) -> None:
    """Fewer bytes than announced is a cut connection, for answers and downloads; no part of a file stays."""

    def cut(server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (length + 1) + b"x" * length)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=cut, args=(server,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(errors.Unreachable):
            http.request("GET", url)
        with pytest.raises(errors.Unreachable):
            http.download(url, tmp_path / "file")
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_has_a_limit(answering, http) -> None:
    """Reading stops at the limit, for plain and for squeezed answers."""
    squeezed = gzip.compress(b"x" * 10_000_000)
    url = answering(lambda _: Response(body=squeezed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(errors.AnswerTooLarge, match="1000000 bytes"):
        http.request("GET", url, limit=1_000_000)
    assert len(http.request("GET", url, limit=10_000_000).body) == 10_000_000
    url = answering(lambda _: Response(body=b"x" * 1001))
    with pytest.raises(errors.AnswerTooLarge):
        http.request("GET", url, limit=1000)


def test_a_broken_encoding_is_named(answering, http) -> None:
    """What calls itself gzip and is not is AnswerInvalid."""
    url = answering(lambda _: Response(body=b"not gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(errors.AnswerInvalid, match="encoding"):
        http.request("GET", url)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>"),
        ("text/html", b"{}"),
        ("", b"{}"),
        ("application/json", b"<html>"),
        ("application/json", b""),
        ("application/json", b"\xff\xfe\x00"),
        ("application/json", b"[" * 100_000),
    ],
)
def test_what_is_no_json_is_named(answering, http, kind, body) -> None:
    """HTML, wrong content types, broken and endless nesting become one named error."""
    answer = http.request("GET", answering(lambda _: Response(body=body, headers={"Content-Type": kind})))
    with pytest.raises(errors.AnswerInvalid):
        answer.json()


def test_json_with_parameters_in_its_type(answering, http) -> None:
    """A charset after the content type is no obstacle."""
    url = answering(lambda _: Response(body=b"[1]", headers={"Content-Type": "Application/JSON; charset=utf-8"}))
    assert http.request("GET", url).json() == [1]


def redirecting(target: str, seen: list[Request], status: int = 302):
    def handle(request: Request) -> Response:
        seen.append(request)
        if request.path == "/start":
            return Response(status=status, headers={"Location": target})
        return Response(body=b"arrived")

    return handle


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_by_rule_only(answering, serve, http, status) -> None:
    """Refused by default; followed on one origin; across origins only without Authorization."""
    seen: list[Request] = []
    elsewhere: list[Request] = []
    other = serve(redirecting("", elsewhere)).url
    url = answering(redirecting("/there", seen, status))
    sent = {"Authorization": "Bearer x"}
    with pytest.raises(errors.RedirectRefused):
        http.request("GET", f"{url}/start", headers=sent)
    assert [request.path for request in seen] == ["/start"]
    assert http.request("GET", f"{url}/start", headers=sent, redirects=Redirects.SAME_ORIGIN).body == b"arrived"
    assert seen[-1].headers["authorization"] == "Bearer x"
    answering(redirecting(f"{other}/there", seen, status))
    with pytest.raises(errors.RedirectRefused):
        http.request("GET", f"{url}/start", headers=sent, redirects=Redirects.SAME_ORIGIN)
    assert elsewhere == []
    answer = http.request("GET", f"{url}/start", headers=sent, redirects=Redirects.ANONYMOUS)
    assert answer.url == f"{other}/there"
    assert "authorization" not in elsewhere[0].headers


@pytest.mark.parametrize(
    "target", ["http://example.com/", "https://example.com/", "ftp://x/", "", "http://u:p@127.0.0.1/", "/start"]
)
def test_redirects_to_nowhere_good_are_refused(answering, http, target) -> None:
    """Off the loopback, to another scheme, with credentials, in a circle: never followed."""
    url = answering(redirecting(target, []))
    with pytest.raises((errors.RedirectRefused, errors.AddressRefused)):
        http.request("GET", f"{url}/start", redirects=Redirects.ANONYMOUS)


def test_a_chain_of_redirects_ends(answering, http) -> None:
    """Endless redirects stop after a handful."""
    seen: list[Request] = []

    def on(request: Request) -> Response:
        seen.append(request)
        return Response(status=302, headers={"Location": f"/{len(seen)}"})

    with pytest.raises(errors.RedirectRefused):
        http.request("GET", answering(on), redirects=Redirects.SAME_ORIGIN)
    assert len(seen) == 6


def test_a_post_is_never_redirected(answering, http) -> None:
    """What carries a body is not sent to a second place."""
    url = answering(redirecting("/there", []))
    with pytest.raises(errors.RedirectRefused):
        http.request("POST", f"{url}/start", body=b"x", redirects=Redirects.SAME_ORIGIN)


def test_files_go_up_in_pieces_with_their_length(answering, http, tmp_path) -> None:
    """A file is streamed with a Content-Length, progress counts to its size, a repeat sends it whole again."""
    path, seen, steps = tmp_path / "file", [], []
    path.write_bytes(bytes(range(256)) * 10_000)
    url = answering(flaky(1, Response(status=503), seen))
    http.request("PUT", url, body=FileBody(path=path, progress=lambda *step: steps.append(step)))
    assert [request.body for request in seen] == [path.read_bytes()] * 2
    assert "transfer-encoding" not in seen[0].headers
    once = [(min(done, 2_560_000), 2_560_000) for done in range(65_536, 2_560_000 + 65_536, 65_536)]
    assert steps == once * 2


def test_downloads_are_whole_or_not_there(answering, http, tmp_path) -> None:
    """A good download appears with size and digest; a bad one leaves what was there before."""
    content = b"wheel" * 500_000
    digest = hashlib.sha256(content).hexdigest()
    source = tmp_path / "source"
    source.write_bytes(content)
    folder = tmp_path / "in"
    folder.mkdir()
    target, steps = folder / "file", []
    target.write_bytes(b"before")
    url = answering(lambda _: Response(file=source))
    for wrong in ({"sha256": "0" * 64}, {"size": 1}, {"size": len(content) + 1}, {"limit": 1000}):
        with pytest.raises((errors.DownloadMismatch, errors.AnswerTooLarge)):
            http.download(url, target, **wrong)
        assert [path.name for path in folder.iterdir()] == ["file"]
        assert target.read_bytes() == b"before"
    got = http.download(url, target, sha256=digest, size=len(content), progress=lambda *step: steps.append(step))
    assert (got.size, got.sha256, got.path) == (len(content), digest, target)
    assert target.read_bytes() == content
    assert steps[-1] == (len(content), len(content))


def test_a_download_survives_a_passing_fault(answering, http, tmp_path) -> None:
    """A 503 or a cut before a download is tried again."""
    seen: list[Request] = []
    url = answering(flaky(2, Response(wire="reset"), seen))
    assert http.download(url, tmp_path / "file").size == 2


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "file:///etc/passwd", "http://example.com", "https://", "https://u@h/", "https://h:99999/"),
        *("https://h/a b", "https://[::1", "https://h/\n", "http://127.0.0.1.example.com/"),
    ],
)
def test_improper_addresses_are_refused(http, url) -> None:
    """Only https, or http on the loopback, without credentials, is spoken to."""
    with pytest.raises(errors.AddressRefused) as caught:
        http.request("GET", url)
    assert "u@" not in caught.value.what


@given(st.text(max_size=30).map(lambda text: f"https://{text}") | st.text(max_size=30))
def test_any_address_is_read_or_refused(url) -> None:
    """Whatever the text, an Address or AddressRefused."""
    try:
        address = Address.parse(url)
    except errors.AddressRefused:
        return
    assert address.scheme == "https" or address.loopback


def test_the_proxy_of_the_environment_is_used_but_never_for_the_loopback(serve, answering, http, monkeypatch) -> None:
    """https goes through CONNECT with the proxy's credentials; loopback and no_proxy hosts do not."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def proxy() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    seen.append(client.recv(65536).decode())
                    client.sendall(b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=proxy, daemon=True)
        thread.start()
        address = f"http://user:pa%40ss@127.0.0.1:{server.getsockname()[1]}"
        for name in ("https_proxy", "http_proxy"):
            monkeypatch.setenv(name, address)
        with pytest.raises(errors.Unreachable) as caught:
            http.request("GET", "https://index.example/simple/")
        assert not caught.value.sent
        assert "pa@ss" not in str(caught.value)
        assert "pa%40ss" not in str(caught.value)
        assert seen[0].startswith("CONNECT index.example:443 ")
        assert "proxy-authorization: basic dxnlcjpwyubzcw==" in seen[0].lower()
        count = len(seen)
        assert http.request("GET", answering(lambda _: Response(body=b"direct"))).body == b"direct"
        assert len(seen) == count
        monkeypatch.setenv("no_proxy", "index.example")
        assert Address.parse("https://index.example/").proxy() is None
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://"])
def test_a_proxy_of_another_kind_is_named(http, monkeypatch, proxy) -> None:
    """A proxy that cannot be spoken to is an error about the proxy's address."""
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(errors.AddressRefused, match="proxies"):
        http.request("GET", "https://index.example/")


def test_a_disk_that_refuses_is_named(answering, http, tmp_path, monkeypatch) -> None:
    """No folder, no room: FileNotWritten, the former file untouched, nothing left behind."""
    url = answering(lambda _: Response(body=b"new"))
    with pytest.raises(errors.FileNotWritten, match="No such file"):
        http.download(url, tmp_path / "gone" / "file")
    target = tmp_path / "file"
    target.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(errors.FileNotWritten, match="No space left"):
            http.download(url, target)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("impatient")  # without a line end in its random bytes the greeting is never answered
def test_https_spoken_to_a_plain_server_is_no_certificate_trouble(answering, http) -> None:
    """A broken handshake is no answer, and nothing for the trust store."""
    url = answering(lambda _: Response())
    with pytest.raises(errors.Unreachable):
        http.request("GET", url.replace("http:", "https:"))


@pytest.mark.parametrize("host", ["localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_the_loopback_has_many_names(host, monkeypatch) -> None:
    """Each of them may be spoken to in the clear and is never proxied."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    address = Address.parse(f"http://{host}:80/")
    assert address.loopback
    assert address.proxy() is None


def test_a_proxy_without_credentials_has_no_headers() -> None:
    """A bare HOST:PORT is a http proxy."""
    assert Address.proxy_parts("proxy.example:3128").url == "http://proxy.example:3128"
    assert Address.proxy_parts("proxy.example:3128").headers == {}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Path:
    """A throw-away certificate for 127.0.0.1 with its key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_an_untrusted_certificate_is_refused_at_once(http, time, certificate) -> None:
    """TLS that cannot be trusted is its own error, not retried; the given certificates make it work."""
    from hephaestus.standins.http import Listener

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Listener(lambda _: Response(body=b"safe"), tls=context) as listener:
        with pytest.raises(errors.CertificateRefused):
            http.request("POST", listener.url, body=b"x")
        assert time.slept == []
        with HttpClient(user_agent="t", ca_file=certificate) as trusting:
            assert trusting.request("GET", listener.url).body == b"safe"


def test_a_pause_belongs_to_the_patience(http, time) -> None:
    """pause() waits like a retry and says when it is enough."""
    assert [http.pause(attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert time.slept == [0.25, 0.5]
