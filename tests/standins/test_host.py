"""The host process from inside: what it opens, keeps and takes away, over small services of the test's own."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import shutil
import ssl
import stat
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.standins.activity import Activity
from hephaestus.standins.faults import Faults
from hephaestus.standins.host import AlreadyHosted, HostProcess
from hephaestus.standins.http import Handler, Request, Response
from hephaestus.standins.services import INDEX_NAMES, Configuration, Services


def _echo(name: str) -> Handler:
    def handle(request: Request) -> Response:
        if request.path == "/defect":
            raise ZeroDivisionError
        return Response(body=f"{name} {request.host} {request.path}".encode())

    return handle


def _services(faults: Faults, github_token: str) -> Services:
    names = ("pypi", "testpypi", "oidc", "fulcio", "rekor-v1", "rekor-v2", "timestamp", "github")
    return Services(
        handlers={name: _echo(name) for name in names},
        trust_config=lambda urls: {"urls": dict(urls)},
        job=lambda url, identity, environment: {"URL": url, "ENVIRONMENT": environment, **identity},
        push=lambda commits, tag: None,
        faults={},
    )


class Running:
    """A host that serves in a thread of this process."""

    def __init__(self, state: Path, *, services: Callable[[Faults, str], Services], idle: float) -> None:
        self.state = state
        self.process = HostProcess(
            state=state, services=services, idle_seconds=idle, code="the code", configuration="the configuration"
        )
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        try:
            self.process.serve(ready=self.ready.set)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            self.ready.set()

    @property
    def addresses(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.state / "host.json").read_bytes())
        return content

    def get(self, name: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.addresses["ports"][name], timeout=100)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.addresses['secret']}"})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def ended(self) -> bool:
        self.thread.join(timeout=200)
        return not self.thread.is_alive()


@contextlib.contextmanager
def _host(
    state: Path, *, services: Callable[[Faults, str], Services] = _services, idle: float = 600.0
) -> Iterator[Running]:
    state.mkdir(parents=True, exist_ok=True)
    running = Running(state, services=services, idle=idle)
    try:
        assert running.ready.wait(timeout=300)
        yield running
    finally:
        running.process.stop()
        assert running.ended()


def test_every_service_has_its_listener(tmp_path: Path) -> None:
    """Each handler answers at its own port, over http."""
    with _host(tmp_path / "state") as running:
        for name in ("pypi", "testpypi", "oidc", "fulcio", "rekor-v1", "rekor-v2", "timestamp", "github"):
            assert running.get(name, "/x") == (200, f"{name} 127.0.0.1 /x")


@pytest.mark.parametrize(("index", "name"), [(index, name) for index in INDEX_NAMES for name in INDEX_NAMES[index]])
def test_the_real_names_lead_to_their_index(tmp_path: Path, index: str, name: str) -> None:
    """Through the proxy and TLS, each name twine knows ends at the index of that name."""
    with _host(tmp_path / "state") as running:
        context = ssl.create_default_context(cafile=str(running.state / "tls/authority.pem"))
        port = running.addresses["ports"]["proxy"]
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=context)) as connection:
            connection.set_tunnel(name, 443)
            connection.request("GET", "/legacy/")
            assert connection.getresponse().read().decode() == f"{index} {name} /legacy/"


@pytest.mark.parametrize("index", ["pypi", "testpypi"])
def test_an_index_is_served_over_tls_by_address_too(tmp_path: Path, index: str) -> None:
    """A client that is given the https address itself needs no proxy."""
    with _host(tmp_path / "state") as running:
        context = ssl.create_default_context(cafile=str(running.state / "tls/authority.pem"))
        port = running.addresses["ports"][f"{index}-tls"]
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/simple/", context=context) as response:
            assert response.read().decode() == f"{index} 127.0.0.1 /simple/"


def test_what_is_told_and_to_whom(tmp_path: Path) -> None:
    """host.json is private; ping repeats it to who knows the secret; nobody else is told anything."""
    with _host(tmp_path / "state") as running:
        path = running.state / "host.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert running.addresses["code"] == "the code"
        assert json.loads(running.get("control", "/ping")[1]) == {
            "pid": running.addresses["pid"],
            "code": "the code",
            "configuration": "the configuration",
            "state": str(running.state),
        }
        stranger = {**running.addresses, "secret": "guess"}
        path.write_text(json.dumps(stranger))
        assert running.get("control", "/ping")[0] == 403


def test_the_trust_configuration_names_the_listeners(tmp_path: Path) -> None:
    """The trust configuration is written for the ports of this start."""
    with _host(tmp_path / "state") as running:
        urls = json.loads((running.state / "run/trust_config.json").read_bytes())["urls"]
        assert urls["fulcio"] == f"http://127.0.0.1:{running.addresses['ports']['fulcio']}"


def test_at_its_end_the_addresses_are_gone(tmp_path: Path) -> None:
    """After shutdown neither host.json nor run/ nor a port is left, and the next start gets the same authority."""
    state = tmp_path / "state"
    with _host(state) as running:
        ports = set(running.addresses["ports"].values())
        authority = (state / "tls/authority.pem").read_bytes()
        assert running.get("pypi", "/simple/")[0] == 200
        assert running.get("control", "/shutdown")[0] == 404  # only POST stops it
    assert {path.name for path in state.iterdir()} <= {"host.lock", "tls", "journal.jsonl"}
    for path in (path for path in state.rglob("*") if path.is_file()):
        for port in ports:
            assert f":{port}".encode() not in path.read_bytes(), path
    with _host(state) as running:
        assert (state / "tls/authority.pem").read_bytes() == authority


def test_idle_ends_it(tmp_path: Path) -> None:
    """Without a request the host ends by itself and takes its addresses away."""
    with _host(tmp_path / "state", idle=0.2) as running:
        assert running.ended()
        assert running.error is None
        assert not (running.state / "host.json").exists()


def test_what_it_takes_to_open_is_no_idle_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that was slow to open has its whole idle stretch before it, counted from when it is ready."""
    now, looked = [0.0], threading.Semaphore(0)

    def clock() -> float:
        looked.release()
        return now[0]

    def slow(faults: Faults, github_token: str) -> Services:
        now[0] += 100.0
        return _services(faults, github_token)

    monkeypatch.setattr("hephaestus.standins.host.Activity", functools.partial(Activity, clock=clock))
    with _host(tmp_path / "state", services=slow, idle=0.04) as running:
        for _ in range(5):
            assert looked.acquire(timeout=60), "it has ended, and does not look at the clock any more"
        assert (running.state / "host.json").exists()
        now[0] += 0.04
        assert running.ended()


@pytest.mark.parametrize("again", [False, True])
def test_it_ends_when_its_state_folder_disappears(tmp_path: Path, again: bool) -> None:
    """A removed state folder ends the host, also when another folder takes its name at once."""
    with _host(tmp_path / "state") as running:
        (tmp_path / "state").rename(tmp_path / "moved")
        if again:
            shutil.copytree(tmp_path / "moved", tmp_path / "state")
        assert running.ended()
        assert running.error is None


def test_a_second_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One state folder, one host: the second gives up and harms nothing of the first."""
    monkeypatch.setattr("hephaestus.standins.host._LOCK_WAIT", 0.05)
    with _host(tmp_path / "state") as first:
        second = Running(first.state, services=_services, idle=600)
        assert second.ended()
        assert isinstance(second.error, AlreadyHosted)
        assert first.get("pypi", "/x")[0] == 200


def test_services_that_cannot_open_leave_nothing(tmp_path: Path) -> None:
    """A failure on the way up is raised, and no address is ever published."""

    def broken(faults: Faults, github_token: str) -> Services:
        raise OSError("disk full")

    with _host(tmp_path / "state", services=broken) as running:
        assert running.ended()
        assert isinstance(running.error, OSError)
        assert not (running.state / "host.json").exists()


def test_a_starter_that_gave_up_ends_it(tmp_path: Path) -> None:
    """When nobody reads that it is ready, nobody wants it: everything is closed again."""
    state = tmp_path / "state"
    state.mkdir()
    process = HostProcess(state=state, services=_services, idle_seconds=600, code="", configuration="")

    def nobody() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        process.serve(ready=nobody)
    assert not (state / "host.json").exists()
    assert not (state / "run").exists()


def test_a_defect_is_a_500_in_the_journal_and_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stand-in that breaks answers 500; the journal shows it and the log tells where."""
    with _host(tmp_path / "state") as running:
        assert running.get("github", "/defect")[0] == 500
        entries = json.loads(running.get("control", "/journal")[1])["entries"]
    assert [(entry["service"], entry["path"], entry["status"]) for entry in entries] == [("github", "/defect", 500)]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_journal_names_refused_targets_without_a_port(tmp_path: Path) -> None:
    """What a client tried to reach past the stand-ins can be seen afterwards."""
    with _host(tmp_path / "state") as running:
        port = running.addresses["ports"]["proxy"]
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port)) as connection:
            connection.set_tunnel("127.0.0.1", running.addresses["ports"]["pypi"])
            with pytest.raises(OSError, match="403"):
                connection.request("GET", "/")
        entries = json.loads(running.get("control", "/journal")[1])["entries"]
    assert [(entry["method"], entry["host"], entry["status"]) for entry in entries] == [("CONNECT", "127.0.0.1", 403)]


CONFIGURATION = Configuration(
    project="p", repository="o/r", workflow="publish-pypi.yml", environments={"pypi": "pypi", "testpypi": "testpypi"}
)


def test_a_configuration_survives_writing() -> None:
    """What is written is read back, and the digest follows the content, not the order."""
    assert Configuration.read(CONFIGURATION.write()) == CONFIGURATION
    turned = dict(reversed(list(CONFIGURATION.environments.items())))
    assert Configuration(project="p", repository="o/r", workflow="publish-pypi.yml", environments=turned).digest == (
        CONFIGURATION.digest
    )


def _changed(**change: object) -> bytes:
    content: Mapping[str, object] = {**json.loads(CONFIGURATION.write()), **change}
    return json.dumps(content).encode()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["pypi", "testpypi", "x"]), inner),
    max_leaves=6,
)


@given(st.fixed_dictionaries(dict.fromkeys(json.loads(CONFIGURATION.write()), _JSON)))
def test_a_configuration_is_read_whole_or_not_at_all(content: dict[str, object]) -> None:
    """Whatever JSON the fields hold, it is refused or comes back as it was."""
    try:
        read = Configuration.read(json.dumps(content).encode())
    except ValueError:
        return
    assert json.loads(read.write()) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"null",
        _changed(project=3),
        _changed(extra="x"),
        _changed(environments={"pypi": "pypi"}),
        _changed(environments={"pypi": "pypi", "testpypi": None}),
        _changed(environments="pypi"),
    ],
)
def test_a_bad_configuration_is_refused(content: bytes) -> None:
    """Whatever is not a configuration is a ValueError, never something half read."""
    with pytest.raises(ValueError):
        Configuration.read(content)
