"""Finding the living host of a state folder, or starting one."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hephaestus.release.boundary import boundary
from hephaestus.release.errors import ReleaseError
from hephaestus.release.files import write_bytes
from hephaestus.standins.services import Configuration
from hephaestus.toolchain.application import Application, application
from hephaestus.worlds.children import isolated

__all__ = [
    "Host",
    "HostNotStartedError",
    "HostRefusedError",
    "HostSilentError",
    "UnknownFaultError",
    "ensure_host",
    "living_host",
]

#: Seconds a new host has from its start until everything listens.
START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_LOG_LINES = 12
#: Whether a process here can leave its starter by itself; on Windows none can.
_FORKS = hasattr(os, "fork")


class HostNotStartedError(ReleaseError):
    """Raised when the stand-ins' process ended, or was not ready in time; ``details`` is the end of its log."""

    def __init__(self, *, problem: str, log: Path) -> None:
        try:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        super().__init__(
            what=f"the stand-ins did not start: {problem}",
            why="a rehearsal needs its local index, identity, Sigstore and GitHub stand-ins",
            details=[line for line in lines if line.strip()][-_LOG_LINES:],
            next_step=f"run the same command again; the whole log is {log}",
        )


class HostSilentError(ReleaseError):
    """Raised when the host of a state folder does not answer as it must; it may have ended meanwhile."""

    def __init__(self, *, asked: str, problem: str) -> None:
        super().__init__(
            what=f"the stand-ins did not answer `{asked}`: {problem}",
            why="their process has ended or is stopped",
            next_step="run the same command again: the stand-ins start anew and keep what they hold",
        )


class HostRefusedError(ReleaseError):
    """Raised when the host answers that it cannot do what it was asked; ``problem`` is in its words."""

    def __init__(self, *, asked: str, problem: str) -> None:
        self.problem = problem
        super().__init__(
            what=f"the stand-ins refused `{asked}`: {problem}",
            why="what they were asked for does not exist, or is not written as they take it",
            next_step="this is a defect of the suite: please report it with the line above",
        )


class UnknownFaultError(ReleaseError):
    """Raised when a fault asked for is malformed, or of a service or kind that does not exist."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what=f"--fault={problem}",
            why="a fault that never strikes would make this rehearsal prove nothing",
            next_step="write SERVICE:KIND[=VALUE][@N][xTIMES], for example `-- --fault=pypi:503@2`",
        )


@dataclass(frozen=True, kw_only=True)
class Host:
    """The addresses of a living host. Ports change with every start and must not be stored.

    ``ports`` has one entry per listener: ``pypi``, ``testpypi``, ``pypi-tls``, ``testpypi-tls``, ``oidc``,
    ``fulcio``, ``rekor-v1``, ``rekor-v2``, ``timestamp``, ``github``, ``proxy``, ``control``.
    """

    state: Path
    pid: int
    code: str
    configuration: str
    ports: Mapping[str, int]
    secret: str = field(repr=False)
    github_token: str = field(repr=False)

    def url(self, name: str) -> str:
        """``http://127.0.0.1:PORT`` (or https) of one listener, without a trailing slash."""
        scheme = "https" if name.endswith("-tls") else "http"
        return f"{scheme}://127.0.0.1:{self.ports[name]}"

    @property
    def trust_config(self) -> Path:
        """Sigstore's trust configuration of this host; there only while the host lives."""
        return self.state / "run" / "trust_config.json"

    @property
    def authority(self) -> Path:
        """PEM of the throw-away authority that the TLS listeners' certificate is from."""
        return self.state / "tls" / "authority.pem"

    def living(self) -> bool:
        """Whether the process behind these addresses answers, knows our secret, is the one it was, and serves us.

        The state folder may be a copy of another one, addresses included: what the copy does must not act there.
        """
        try:
            about = self.ask("GET", "/ping")
        except HostSilentError:
            return False
        told = (about.get("pid"), about.get("code"), about.get("state"))
        return told == (self.pid, self.code, str(self.state.resolve()))

    def jobs(self, identity: Mapping[str, Any], environments: Sequence[str]) -> dict[str, dict[str, str]]:
        """The variables that make a child a workflow job of ``identity``, per deployment environment (``-``: none)."""
        return self.ask("POST", "/jobs", {"identity": dict(identity), "environments": list(environments)})

    def push(self, commits: Sequence[str], *, tag: str) -> None:
        """Put commits (oldest first) and a tag on the last of them on the GitHub stand-in, as ``git push`` would."""
        self.ask("POST", "/push", {"commits": list(commits), "tag": tag})

    def arm(self, faults: Sequence[str], *, run: str = "") -> None:
        """Replace the armed faults; nothing happens when the same ``run`` has armed the same ones already.

        Raises UnknownFaultError when one is malformed or of a kind its service does not know.
        """
        key = hashlib.sha256(json.dumps([run, *faults]).encode()).hexdigest()
        try:
            self.ask("POST", "/faults", {"key": key, "faults": list(faults)})
        except HostRefusedError as error:
            raise UnknownFaultError(problem=error.problem) from error

    def journal(self, *, after: int = 0) -> list[dict[str, Any]]:
        """What was asked of the stand-ins, oldest first, without the first ``after`` entries."""
        entries: list[dict[str, Any]] = self.ask("GET", f"/journal?after={after}")["entries"]
        return entries

    def shut_down(self) -> None:
        """Ask the host to end; it withdraws its addresses first. Raises HostSilentError."""
        self.ask("POST", "/shutdown", {})

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One question to the control listener; raises HostSilentError, HostRefusedError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=_ANSWER_SECONDS)
        asked = f"{method} {path}"
        try:
            connection.request(
                method,
                path,
                body=None if content is None else json.dumps(content).encode(),
                headers={"Authorization": f"Bearer {self.secret}"},
            )
            response = connection.getresponse()
            body = response.read()
            answer = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HostSilentError(asked=asked, problem=str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if not isinstance(answer, dict) or response.status not in (200, 202, 400):
            problem = answer.get("error", "") if isinstance(answer, dict) else ""
            raise HostSilentError(asked=asked, problem=problem or f"status {response.status}")
        if response.status == 400:
            raise HostRefusedError(asked=asked, problem=str(answer.get("error", "")))
        return answer


def living_host(state: Path) -> Host | None:
    """The host that serves ``state`` now, or None: no file, a damaged one, or one left by a killed process."""
    try:
        told = json.loads((state / "host.json").read_bytes())
        host = Host(
            state=state,
            pid=told["pid"],
            code=told["code"],
            configuration=told["configuration"],
            ports=dict(told["ports"]),
            secret=told["secret"],
            github_token=told["github_token"],
        )
        return host if host.living() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure_host(
    state: Path,
    *,
    python: Callable[[], Path],
    configuration: Configuration,
    cache: Path,
    environ: Mapping[str, str],
    idle_seconds: float = 600.0,
    faults: Sequence[str] | None = None,
    run: str = "",
    start_seconds: float = START_SECONDS,
) -> Host:
    """A living host of ``state`` with this code and configuration, started when there is none.

    ``python`` makes the stand-ins' environment, only if a host must be started; ``cache`` holds application
    directories; ``faults`` (None: leave as they are) are armed once per ``run``. Any number of callers at once get
    one host. Raises HostNotStartedError, HostSilentError, UnknownFaultError.
    """
    state = state.resolve()
    log = state / "host.log"
    try:
        code = application(cache)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostNotStartedError(problem=f"{error.filename}: {error.strerror or error}", log=log) from error

    def current() -> Host | None:
        host = living_host(state)
        fits = host is not None and (host.code, host.configuration) == (code.digest, configuration.digest)
        return host if fits else None

    host = current()
    if host is None:
        try:
            with FileLock(state / "start.lock", timeout=2 * start_seconds):
                host = current() or _started(
                    state,
                    python=python(),
                    code=code,
                    configuration=configuration,
                    environ=environ,
                    idle_seconds=idle_seconds,
                    log=log,
                    seconds=start_seconds,
                )
        except Timeout as error:
            raise HostNotStartedError(
                problem=f"another process has been starting them for {2 * start_seconds:.0f} s", log=log
            ) from error
    if faults is not None:
        host.arm(faults, run=run)
    return host


def _started(
    state: Path,
    *,
    python: Path,
    code: Application,
    configuration: Configuration,
    environ: Mapping[str, str],
    idle_seconds: float,
    log: Path,
    seconds: float,
) -> Host:
    outdated = living_host(state)
    if outdated is not None:
        # The new process waits for the state folder's lock until this one has let go of it.
        outdated.shut_down()
    config = state / "configuration.json"
    write_bytes(config, configuration.write())
    command = code.command(python, "standins", "--state", str(state), "--config", str(config), "--code", code.digest)
    with log.open("wb") as stream:
        boundary("child start standins")
        try:
            said, ended = (_detaching if _FORKS else _detached)(
                [*command, "--idle-seconds", str(idle_seconds)],
                seconds=seconds,
                stdin=subprocess.DEVNULL,
                stderr=stream,
                env=isolated(environ, home=state / "home" / "standins"),
                cwd=state,
            )
        except subprocess.TimeoutExpired as error:
            raise HostNotStartedError(problem=f"not ready within {seconds:.0f} s", log=log) from error
        except OSError as error:
            raise HostNotStartedError(problem=f"{python}: {error.strerror or error}", log=log) from error
    boundary("child end standins")
    host = living_host(state)
    if b"ready" not in said or host is None:
        code_shown = f" (exit code {ended})" if ended else ""
        raise HostNotStartedError(problem=f"their process ended before it was ready{code_shown}", log=log)
    return host


def _detaching(command: Sequence[str], *, seconds: float, **streams: Any) -> tuple[bytes, int]:
    """Run the starter to its end: it ends when the host has let go of its standard output, ready or ended itself."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, timeout=seconds, start_new_session=True, check=False, **streams
    )
    return done.stdout, done.returncode


def _detached(command: Sequence[str], *, seconds: float, **streams: Any) -> tuple[bytes, int]:
    """Start the host as a process apart, and leave it when it has said that it is ready, or nothing more to come."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    process = subprocess.Popen([*command, "--foreground"], stdout=subprocess.PIPE, creationflags=flags, **streams)
    said: list[bytes] = []
    assert process.stdout is not None
    with process.stdout as stream:
        reader = threading.Thread(target=lambda: said.append(stream.readline()), daemon=True)
        reader.start()
        reader.join(seconds)
        if reader.is_alive():
            process.kill()
            process.wait()
            reader.join()
            raise subprocess.TimeoutExpired(process.args, seconds)
    if not said[0]:
        return b"", process.wait(seconds)
    process.returncode = 0  # it lives on, and nobody here waits for it
    return said[0], 0
