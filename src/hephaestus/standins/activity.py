"""When the host may go: after a stretch of time in which nobody asked anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Activity", "Retired"]


class Retired(Exception):
    """Raised to a request that comes after the host has decided to go."""


class Activity:
    """Counts requests at work; idle means none at work and none ended during the last ``idle`` seconds."""

    def __init__(self, *, idle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._lock = threading.Lock()
        self._at_work = 0
        self._last = clock()
        self._retired = False

    @contextmanager
    def request(self) -> Iterator[None]:
        """The time in which one request is at work; raises Retired when it comes too late."""
        with self._lock:
            if self._retired:
                raise Retired
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                self._last = self._clock()

    def retire(self) -> bool:
        """Whether the host is idle; once it is, every later request is turned away."""
        with self._lock:
            if not self._at_work and self._clock() - self._last >= self._idle:
                self._retired = True
            return self._retired
