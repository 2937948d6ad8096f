"""Finding and starting the host process: one per state folder, whatever happens to whom."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from filelock import FileLock
from worlds.hosts import CONFIGURATION, Hosts, alive, until

import hephaestus
from hephaestus.toolchain.application import Application, application
from hephaestus.worlds import hosting
from hephaestus.worlds.hosting import (
    Host,
    HostNotStartedError,
    HostRefusedError,
    UnknownFaultError,
    ensure_host,
    living_host,
)

#: A process that ensures a host, says which, and waits to be killed.
PARENT = """
import sys, os, threading
from pathlib import Path
from hephaestus.standins.services import Configuration
from hephaestus.worlds.hosting import ensure_host
state, cache, content, python = sys.argv[1:]
host = ensure_host(
    Path(state), python=lambda: Path(python), configuration=Configuration.read(content.encode()),
    cache=Path(cache), environ=os.environ, idle_seconds=60,
)
print(host.pid, flush=True)
threading.Event().wait(60)
"""


def _parent(state: Path, cache: Path, *, python: Path | None = None) -> subprocess.Popen[str]:
    arguments = [str(state), str(cache), CONFIGURATION.write().decode(), str(python or sys.executable)]
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(hephaestus.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


def _said(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_it_outlives_a_killed_parent(tmp_path: Path, cache: Path, start: Hosts) -> None:
    """SIGKILL of whoever started the host does nothing to it: the next session finds it at once."""
    parent = _parent(tmp_path / "state", cache)
    pid = _said(parent)
    _killed(parent)
    host = start(tmp_path / "state", python=_not_needed)
    assert host.pid == pid
    assert os.getsid(pid) == pid


def _not_needed() -> Path:
    pytest.fail("a living host was not recognised")


def test_callers_at_once_share_one(tmp_path: Path, cache: Path, start: Hosts) -> None:
    """Processes and threads that all find no host end up with the same one."""
    parents = [_parent(tmp_path / "state", cache) for _ in range(2)]
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(start(tmp_path / "state").pid)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.extend(_said(parent) for parent in parents)
    for parent in parents:
        _killed(parent)
    assert len(found) == 4
    assert len(set(found)) == 1


def test_idle_leaves_no_process_and_no_address(tmp_path: Path, start: Hosts) -> None:
    """After a stretch without a request the host is gone, and so are host.json and the trust configuration."""
    # Its starter asks it once more when it is ready: that long it must live on a busy machine too.
    host = start(tmp_path / "state", idle_seconds=2.0)
    assert until(lambda: not alive(host.pid))
    assert not (host.state / "host.json").exists()
    assert not host.trust_config.exists()
    assert living_host(host.state) is None
    assert not host.living()


def test_it_goes_when_its_folder_is_removed(tmp_path: Path, start: Hosts) -> None:
    """Somebody who removes the release folder leaves no process behind."""
    host = start(tmp_path / "state")
    host.state.rename(tmp_path / "thrown away")
    assert until(lambda: not alive(host.pid))


def test_a_late_leaver_does_not_take_away_its_successor(tmp_path: Path, start: Hosts) -> None:
    """The host of a removed folder ends without touching the host that now lives under the same path."""
    first = start(tmp_path / "state")
    os.kill(first.pid, signal.SIGSTOP)
    first.state.rename(tmp_path / "thrown away")
    second = start(tmp_path / "state")
    os.kill(first.pid, signal.SIGCONT)
    assert until(lambda: not alive(first.pid))
    assert living_host(second.state) == second
    assert second.trust_config.exists()


def test_sigterm_is_an_orderly_end(tmp_path: Path, start: Hosts) -> None:
    """A plain ``kill`` takes the addresses away too."""
    host = start(tmp_path / "state")
    os.kill(host.pid, signal.SIGTERM)
    assert until(lambda: not alive(host.pid))
    assert not (host.state / "host.json").exists()


def test_a_killed_host_is_replaced(tmp_path: Path, start: Hosts) -> None:
    """host.json of a host that was killed is recognised as stale."""
    first = start(tmp_path / "state")
    os.kill(first.pid, signal.SIGKILL)
    assert until(lambda: not alive(first.pid))
    assert (first.state / "host.json").exists()
    assert living_host(first.state) is None
    second = start(tmp_path / "state")
    assert second.pid != first.pid
    assert second.living()


def test_a_living_process_of_that_id_is_not_enough(tmp_path: Path, start: Hosts) -> None:
    """A host.json whose pid now belongs to somebody else is stale: only the answer with the secret counts."""
    host = start(tmp_path / "state")
    told = json.loads((host.state / "host.json").read_bytes())
    other = tmp_path / "other"
    other.mkdir()
    for change in ({"pid": os.getpid()}, {"secret": "guess"}, {"code": "x"}):
        (other / "host.json").write_text(json.dumps({**told, **change}))
        assert living_host(other) is None
    # All of it true, but of another folder: what a copied project does must not act on the original's stand-ins.
    (other / "host.json").write_text(json.dumps(told))
    assert living_host(other) is None
    assert living_host(host.state) is not None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"pid": 1', '{"pid": 1, "ports": 3}', "\0"])
def test_a_damaged_host_json_is_no_host(tmp_path: Path, content: str) -> None:
    """Whatever lies there, it is either a living host or none."""
    (tmp_path / "host.json").write_text(content)
    assert living_host(tmp_path) is None


def test_other_code_or_configuration_replaces_it(tmp_path: Path, start: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of older code, or for another publisher, is asked to go, and a new one goes on with its state."""
    first = start(tmp_path / "state")
    authority = first.authority.read_bytes()
    renamed = dataclasses.replace(CONFIGURATION, workflow="release.yml")
    second = start(tmp_path / "state", configuration=renamed)
    assert second.configuration == renamed.digest != first.configuration

    def newer(cache: Path) -> Application:
        return dataclasses.replace(application(cache), digest="newer")

    monkeypatch.setattr(hosting, "application", newer)
    third = start(tmp_path / "state", configuration=renamed)
    assert third.code == "newer"
    assert len({first.pid, second.pid, third.pid}) == 3
    assert until(lambda: not alive(first.pid) and not alive(second.pid))
    assert third.authority.read_bytes() == authority


def test_faults_are_armed_once_a_run(tmp_path: Path, start: Hosts) -> None:
    """A fault strikes in the run that asks for it, once, whichever session comes first; the next run is clean."""

    def status(host: Host) -> int:
        try:
            with urllib.request.urlopen(host.url("pypi") + "/_/oidc/audience") as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    host = start(tmp_path / "state", faults=["pypi:oidc-off"], run="1")
    assert status(host) == 403
    start(tmp_path / "state", faults=["pypi:oidc-off"], run="1")
    assert status(host) == 200
    start(tmp_path / "state", faults=["pypi:oidc-off"], run="2")
    start(tmp_path / "state")  # a caller without an opinion leaves them as they are
    assert status(host) == 403
    start(tmp_path / "state", faults=["pypi:oidc-off"], run="3")
    start(tmp_path / "state", faults=[], run="4")
    assert status(host) == 200


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nonsense", "nonsense"),
        ("pypy:503", "known: github, oidc, pypi, sigstore, testpypi"),
        ("pypi:fulcio-500", "pypi knows: .*stored-500"),
        ("oidc:lag", "oidc knows: .*wrong-key"),
        ("sigstore:lag", "sigstore knows: .*rekor-500"),
        ("github:lag", "github knows: .*created-reset"),
    ],
)
def test_a_fault_nobody_suffers_is_named(shared: Host, fault: str, said: str) -> None:
    """A mistyped fault is an error that repeats it and lists what there is, and nothing is armed."""
    with pytest.raises(UnknownFaultError, match=said) as caught:
        shared.arm(["pypi:oidc-off", fault], run=fault)
    assert fault in caught.value.what
    with urllib.request.urlopen(shared.url("pypi") + "/_/oidc/audience") as response:
        assert response.status == 200


def test_what_the_host_cannot_do_is_no_silence(shared: Host) -> None:
    """An answer that says no is told apart from no answer."""
    with pytest.raises(HostRefusedError, match="not understood"):
        shared.jobs({"repository": "only"}, ["-"])
    assert shared.living()


def test_no_interpreter_is_said(tmp_path: Path, start: Hosts) -> None:
    """An environment that is not there is a clear failure."""
    with pytest.raises(HostNotStartedError, match="no-such-python"):
        start(tmp_path / "state", python=lambda: tmp_path / "no-such-python")


def test_the_end_of_the_log_is_shown(tmp_path: Path, start: Hosts) -> None:
    """A host that dies on its way up is explained by the last lines it wrote."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named cryptography' >&2\nexit 9\n")
    python.chmod(0o700)
    with pytest.raises(HostNotStartedError) as caught:
        start(tmp_path / "state", python=lambda: python)
    assert "No module named cryptography" in str(caught.value)
    assert "exit code 9" in caught.value.what
    assert "next:" in str(caught.value)


def test_a_failure_after_detaching_is_shown_too(tmp_path: Path, start: Hosts) -> None:
    """State that cannot be read ends the host at once, not after the time it had, and the log says why."""
    state = tmp_path / "state"
    (state / "index/pypi").mkdir(parents=True)
    (state / "index/pypi/state.json").write_text("{damaged")
    with pytest.raises(HostNotStartedError) as caught:
        start(state)
    assert "Error" in str(caught.value)
    assert not (state / "host.json").exists()


def test_where_no_process_forks_the_host_is_started_apart(
    tmp_path: Path, start: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows' way: the starter waits for the word and leaves; a host that ends, or hangs, is said all the same."""
    monkeypatch.setattr(hosting, "_FORKS", False)
    host = start(tmp_path / "state")
    assert host.living()
    host.shut_down()
    assert until(lambda: not alive(host.pid))
    (tmp_path / "damaged/index/pypi").mkdir(parents=True)
    (tmp_path / "damaged/index/pypi/state.json").write_text("{damaged")
    with pytest.raises(HostNotStartedError, match="exit code 1"):
        start(tmp_path / "damaged")
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o700)
    with pytest.raises(HostNotStartedError, match="not ready within 0 s"):
        start(tmp_path / "hanging", python=lambda: hangs, start_seconds=0.2)


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path, start: Hosts) -> None:
    """A file where the state folder should be is a clear failure."""
    (tmp_path / "state").write_text("")
    with pytest.raises(HostNotStartedError, match="state"):
        start(tmp_path / "state")


def test_a_starter_killed_meanwhile_leaves_no_host(tmp_path: Path, cache: Path, start: Hosts) -> None:
    """A host that comes up after its starter was killed goes again by itself, and the next caller gets one."""
    os.mkfifo(tmp_path / "gate")
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nread line < "{tmp_path}/gate"\nexec "{sys.executable}" "$@"\n')
    slow.chmod(0o700)
    parent = _parent(tmp_path / "state", cache, python=slow)
    # Opening the gate for writing waits until the slow interpreter stands at it.
    with (tmp_path / "gate").open("w") as gate:
        _killed(parent)
        gate.write("go\n")
    log = tmp_path / "state/host.log"
    assert until(lambda: "has gone" in log.read_text())
    assert not (tmp_path / "state/host.json").exists()
    assert start(tmp_path / "state").living()


def test_waiting_for_another_starter_has_an_end(tmp_path: Path, start: Hosts) -> None:
    """A starter that never gets done does not hold everybody else for ever."""
    (tmp_path / "state").mkdir()
    with FileLock(tmp_path / "state/start.lock"), pytest.raises(HostNotStartedError, match="another process"):
        start(tmp_path / "state", start_seconds=0.05)


def test_a_host_that_hangs_is_waited_for_only_so_long(
    tmp_path: Path, start: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped host that holds its folder ends the wait with an error; no second host slips in."""
    host = start(tmp_path / "state")
    os.kill(host.pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as patch:
            # Only while nobody can answer: what is asked afterwards may take the time a busy machine needs.
            patch.setattr(hosting, "_ANSWER_SECONDS", 0.2)
            with pytest.raises(HostNotStartedError, match="not ready within 1 s"):
                start(tmp_path / "state", start_seconds=1.0)
    finally:
        os.kill(host.pid, signal.SIGCONT)
    assert until(host.living)
    host.shut_down()
    # The one that waited in vain gets the folder now, finds that nobody is waiting any more, and goes.
    assert until(lambda: not alive(host.pid))
    with FileLock(host.state / "host.lock", timeout=300):
        assert not (host.state / "host.json").exists()


def test_the_host_sees_no_credential_of_its_starter(tmp_path: Path, start: Hosts) -> None:
    """The process of the stand-ins has an empty HOME and none of the caller's secrets."""
    environ = {**os.environ, "TWINE_PASSWORD": "a real secret", "HTTPS_PROXY": "http://proxy.example"}
    host = start(tmp_path / "state", environ=environ)
    shown = _environment_of(host.pid)
    assert "HOME=" + str(host.state) in shown
    assert "a real secret" not in shown
    assert "proxy.example" not in shown


def _environment_of(pid: int) -> str:
    kept = Path(f"/proc/{pid}/environ")
    if kept.exists():
        return kept.read_text()
    return subprocess.run(["ps", "eww", "-p", str(pid)], capture_output=True, text=True, check=True).stdout


def test_nothing_secret_is_shown(tmp_path: Path, start: Hosts) -> None:
    """The addresses' text form holds neither the secret nor the token."""
    host = start(tmp_path / "state")
    assert host.secret not in repr(host)
    assert host.github_token not in repr(host)


def test_an_unwritable_cache_is_said(tmp_path: Path) -> None:
    """A cache that cannot be written is a clear failure, not a traceback."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(HostNotStartedError, match="cache"):
        ensure_host(
            tmp_path / "state",
            python=_not_needed,
            configuration=CONFIGURATION,
            cache=tmp_path / "cache",
            environ={},
        )
