"""Real hosts in processes of their own, and worlds at them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from hephaestus.standins.services import Configuration
from hephaestus.worlds.hosting import Host, HostSilentError, ensure_host
from hephaestus.worlds.rehearsal import rehearsal_world
from hephaestus.worlds.world import World

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENTS = {"pypi": "pypi", "testpypi": "testpypi"}
CONFIGURATION = Configuration(
    project="tiny-thing", repository="someone/tiny-thing", workflow="publish-pypi.yml", environments=ENVIRONMENTS
)


def until(condition: Callable[[], bool], *, seconds: float = 300.0) -> bool:
    """Whether ``condition`` came true in time; looked at every 20 ms."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        pause.wait(0.02)
    return condition()


def alive(pid: int) -> bool:
    """Whether a process of this id is running; one that has ended and waits to be collected is not."""
    try:
        os.kill(pid, 0)
        # The state follows the command in parentheses; where there is no /proc, ended orphans are collected at once.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()


class Hosts:
    """Starts hosts, remembers them, ends what is left of them."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._started: dict[int, Host] = {}

    def __call__(self, state: Path, **options: object) -> Host:
        given = {
            "python": lambda: Path(sys.executable),
            "configuration": CONFIGURATION,
            "cache": self.cache,
            "environ": os.environ,
            "idle_seconds": 120.0,
            **options,
        }
        host = ensure_host(state, **given)  # type: ignore[arg-type]
        self._started[host.pid] = host
        return host

    def end(self) -> None:
        for host in self._started.values():
            with contextlib.suppress(HostSilentError):
                host.shut_down()
        for pid in self._started:
            assert until(lambda pid=pid: not alive(pid)), f"process {pid} is left over"  # type: ignore[misc]


def make_world(host: Host, **options: object) -> World:
    """A rehearsal's world at ``host``; every option of ``rehearsal_world`` can be given."""
    given = {
        "version": "1.0",
        "commit": COMMIT,
        "repository": CONFIGURATION.repository,
        "workflow": CONFIGURATION.workflow,
        "environments": ENVIRONMENTS,
        "host": host,
        "environ": os.environ,
        **options,
    }
    return rehearsal_world(**given)  # type: ignore[arg-type]
