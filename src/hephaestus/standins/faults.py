"""Faults a rehearsal asks for (``-- --fault=pypi:503@2``), counted by the service that suffers them."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["Fault", "FaultSyntaxError", "Faults"]

_GRAMMAR = re.compile(
    r"(?P<service>[a-z]+):(?P<kind>[a-z0-9-]+?)(?:=(?P<value>[^@]+?))?(?:@(?P<at>[1-9]\d*))?(?:x(?P<times>[1-9]\d*))?\Z"
)


class FaultSyntaxError(ValueError):
    """Raised when a fault is not written ``SERVICE:KIND[=VALUE][@N][xTIMES]``."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: ``service`` misbehaves as ``kind`` from its ``at``-th matching event on, ``times`` times."""

    service: str
    kind: str
    value: str = ""
    at: int = 1
    times: int = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``SERVICE:KIND[=VALUE][@N][xTIMES]``; raises FaultSyntaxError."""
        match = _GRAMMAR.match(text)
        if match is None:
            raise FaultSyntaxError(text)
        return cls(
            service=match["service"],
            kind=match["kind"],
            value=match["value"] or "",
            at=int(match["at"] or 1),
            times=int(match["times"] or 1),
        )


class Faults:
    """The armed faults of one host, shared by its services' threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._events: list[tuple[Fault, int]] = [(fault, 0) for fault in faults]

    def arm(self, faults: Iterable[Fault]) -> None:
        """Replace all armed faults; their counts start at zero."""
        with self._lock:
            self._events = [(fault, 0) for fault in faults]

    def take(self, service: str, kinds: Collection[str]) -> Fault | None:
        """Count one event that can suffer ``kinds``; return the fault that strikes it, if one does.

        A service calls this once per event (one upload, one simple page, one log entry ...) with every kind
        that event knows, so that ``@N`` counts events of that sort only.
        """
        struck: Fault | None = None
        with self._lock:
            for place, (fault, seen) in enumerate(self._events):
                if fault.service != service or fault.kind not in kinds:
                    continue
                self._events[place] = (fault, seen + 1)
                if struck is None and fault.at <= seen + 1 < fault.at + fault.times:
                    struck = fault
        return struck
