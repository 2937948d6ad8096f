"""The process that hosts all stand-ins of one state folder: detached, one at a time, gone when idle.

Run as ``python -I APPLICATION standins --state DIR --config FILE ...``. It writes one line to its standard
output once everything listens and closes it; whoever started it reads to the end of that output.

What lies in the state folder: ``host.json`` (addresses and secret) and ``run/`` (the trust configuration) only while
the process lives; everything else stays and holds no port.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hephaestus.standins.activity import Activity, Retired
from hephaestus.standins.control import Control
from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Handler, Listener, Request, Response
from hephaestus.standins.journal import Journal
from hephaestus.standins.private import write_private
from hephaestus.standins.proxy import ConnectProxy
from hephaestus.standins.services import INDEX_NAMES, Configuration, Services
from hephaestus.standins.tls import ServerCertificate

__all__ = ["AlreadyHosted", "HostProcess", "main"]

#: Exit codes: the state folder is in use; nobody waits for the stand-ins any more.
ALREADY_HOSTED = 3
STARTER_GONE = 4
_LOCK_WAIT = 10.0
_LONGEST_TICK = 1.0


class AlreadyHosted(Exception):
    """Raised when another process hosts this state folder."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    state: Path
    config: Path
    idle_seconds: float
    code: str
    foreground: bool


class HostProcess:
    """Everything one host has open; ``serve`` returns when it is told to stop, is idle or lost its state folder."""

    def __init__(
        self,
        *,
        state: Path,
        services: Callable[[Faults, str], Services],
        idle_seconds: float,
        code: str,
        configuration: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._activity = Activity(idle=idle_seconds)
        # Looked at several times per idle stretch, so that a short one (tests) is not rounded up to a long one.
        self._tick = min(_LONGEST_TICK, idle_seconds / 4)
        self._stopping = threading.Event()
        self._faults = Faults()
        self._journal = Journal(state / "journal.jsonl", clock=clock)
        self._services = services
        self._about = {"pid": os.getpid(), "code": code, "configuration": configuration, "state": str(state.resolve())}
        self._clock = clock

    def stop(self) -> None:
        """Ask ``serve`` to end; safe from any thread and from a signal handler."""
        self._stopping.set()

    def serve(self, *, ready: Callable[[], None]) -> None:
        """Hold the state folder, open all listeners, call ``ready``, wait; raises AlreadyHosted."""
        lock = FileLock(self._state / "host.lock", mode=0o600)
        try:
            lock.acquire(timeout=_LOCK_WAIT)
        except Timeout as error:
            raise AlreadyHosted(self._state) from error
        with contextlib.ExitStack() as stack:
            stack.callback(lock.release)
            addresses = self._open(stack)
            content = json.dumps(addresses, indent=1).encode()
            # Taken away before the listeners close: nobody is sent to an address that has gone.
            stack.callback(self._withdraw, content)
            write_private(self._state / "host.json", content)
            mark = self._mark()
            # What it took to open is no idle time: on a busy machine a short stretch would be over before it began.
            with self._activity.request():
                ready()
            while not self._stopping.wait(self._tick):
                if mark is None or self._mark() != mark or self._activity.retire():
                    break

    def _open(self, stack: contextlib.ExitStack) -> dict[str, object]:
        secret = secrets.token_urlsafe(32)
        token = secrets.token_urlsafe(32)
        services = self._services(self._faults, token)
        certificate = ServerCertificate.open(
            self._state / "tls", names=[name for names in INDEX_NAMES.values() for name in names], clock=self._clock
        )
        tls = certificate.context()
        ports: dict[str, int] = {}
        listeners: list[Listener] = []
        stack.callback(_close, listeners)

        def listen(name: str, listener: Listener) -> Listener:
            listeners.append(listener)
            ports[name] = listener.port
            return listener

        urls = {
            name: listen(name, Listener(self._watched(name, handler))).url
            for name, handler in services.handlers.items()
        }
        for index in INDEX_NAMES:
            by_name = _by_host_name(services.handlers, default=index)
            listen(f"{index}-tls", Listener(self._watched(f"{index}-tls", by_name), tls=tls))
        proxy = ConnectProxy(
            ports={name: ports[f"{index}-tls"] for index, names in INDEX_NAMES.items() for name in names},
            observe=self._observe_connect,
        )
        listen("proxy", Listener(self._watched("proxy", proxy.handle), connect=proxy.connect))
        control = Control(
            secret=secret,
            about=self._about,
            faults=self._faults,
            kinds=services.faults,
            journal=self._journal,
            job=lambda identity, environment: services.job(urls["oidc"], identity, environment),
            push=services.push,
            stop=self.stop,
        )
        listen("control", Listener(self._guarded(control.handle)))
        run = self._state / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        write_private(run / "trust_config.json", json.dumps(services.trust_config(urls)).encode())
        return {"schema": 1, **self._about, "secret": secret, "github_token": token, "ports": ports}

    def _withdraw(self, announced: bytes) -> None:
        told = self._state / "host.json"
        # Our folder may have been removed and made again; what lies there now is then somebody else's.
        if told.exists() and told.read_bytes() == announced:
            told.unlink()
            shutil.rmtree(self._state / "run", ignore_errors=True)

    def _mark(self) -> tuple[int, int] | None:
        """What tells our state folder from one that was removed, or removed and made again."""
        try:
            return (self._state.stat().st_ino, (self._state / "host.json").stat().st_ino)
        except OSError:
            return None

    def _guarded(self, handler: Handler) -> Handler:
        def handle(request: Request) -> Response:
            try:
                with self._activity.request():
                    return handler(request)
            except Retired:
                return Response(status=503, reason="The host is going", headers={"Connection": "close"})

        return handle

    def _watched(self, service: str, handler: Handler) -> Handler:
        def handle(request: Request) -> Response:
            status = 500
            try:
                response = handler(request)
                status = response.status
            except Exception:
                traceback.print_exc()
                raise
            finally:
                self._journal.record(
                    service=service,
                    method=request.method,
                    host=request.host,
                    path=request.path,
                    status=status,
                    received=len(request.body),
                )
            return response

        return self._guarded(handle)

    def _observe_connect(self, target: str, status: int) -> None:
        # The port of a refused target may be anything, one of ours included: only the name is kept.
        name = target.rpartition(":")[0] or target
        self._journal.record(service="proxy", method="CONNECT", host=name, path="", status=status)


def _close(listeners: Sequence[Listener]) -> None:
    """Close all at once: each one's thread looks only now and then whether it is to end."""
    closers = [threading.Thread(target=listener.close) for listener in listeners]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()


def _by_host_name(handlers: Mapping[str, Handler], *, default: str) -> Handler:
    index_of = {name: index for index, names in INDEX_NAMES.items() for name in names}

    def handle(request: Request) -> Response:
        return handlers[index_of.get(request.host.lower(), default)](request)

    return handle


def main(arguments: Sequence[str] | None = None) -> int:
    """Host until idle; 0 at an orderly end, 1 when the stand-ins cannot start, else the codes above."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    if not options.foreground and not _detach():
        return 0
    # Imported here: the starter's process is done before these libraries are loaded.
    from hephaestus.standins.assembly import open_services

    os.umask(0o077)
    os.chdir("/")
    try:
        content = options.config.read_bytes()
        configuration = Configuration.read(content)
        process = HostProcess(
            state=options.state,
            services=lambda faults, token: open_services(
                options.state, configuration, github_token=token, clock=time.time, faults=faults
            ),
            idle_seconds=options.idle_seconds,
            code=options.code,
            configuration=configuration.digest,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        process.serve(ready=_ready)
    except AlreadyHosted:
        print(f"{options.state} is hosted by another process", file=sys.stderr)  # noqa: T201 - the log is stderr
        return ALREADY_HOSTED
    except BrokenPipeError:
        print("whoever started the stand-ins has gone", file=sys.stderr)  # noqa: T201 - the log is stderr
        return STARTER_GONE
    except Exception:  # noqa: BLE001 - the starter shows the end of this log to a person
        traceback.print_exc()
        return 1
    return 0


def _options(arguments: Sequence[str]) -> _Options:
    parser = argparse.ArgumentParser(prog="standins", allow_abbrev=False)
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument("--config", type=Path, required=True, help="JSON file: what project, published by whom")
    parser.add_argument("--idle-seconds", type=float, default=600.0, help="end after this long without a request")
    parser.add_argument("--code", default="", help="digest of this code, told to whoever asks")
    parser.add_argument("--foreground", action="store_true", help="do not detach from the starting process")
    parsed = parser.parse_args(arguments)
    return _Options(
        state=parsed.state.resolve(),
        config=parsed.config.resolve(),
        idle_seconds=parsed.idle_seconds,
        code=parsed.code,
        foreground=parsed.foreground,
    )


def _detach() -> bool:
    """Leave the starter's session and process; True in the process that goes on. On Windows the starter sees to it."""
    if sys.platform != "win32":
        if os.fork():
            return False
        os.setsid()
    return True


def _ready() -> None:
    """Tell the starter, then let go of its pipe. A starter that gave up has closed it: BrokenPipeError ends us."""
    os.write(sys.stdout.fileno(), b"ready\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (sys.stdin.fileno(), sys.stdout.fileno()):
        os.dup2(nothing, descriptor)
    os.close(nothing)
