"""What was asked of the stand-ins, in order, one JSON object a line; no port, no secret, no body."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Journal"]

#: A journal longer than this is begun anew when the host starts.
_LIMIT = 4 << 20


class Journal:
    """An append-only file shared by the listeners' threads; ``clock`` gives seconds since the epoch."""

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._mend()

    def _mend(self) -> None:
        """Begin anew when too long; drop a last line that a kill has cut short, so that none is glued to it."""
        if not self._path.exists():
            return
        kept = self._path.read_bytes()
        whole = kept[: kept.rfind(b"\n") + 1] if len(kept) <= _LIMIT else b""
        if whole != kept:
            os.truncate(self._path, len(whole))

    def record(self, *, service: str, method: str, host: str, path: str, status: int, received: int = 0) -> None:
        """Append one answered request; ``received`` counts the bytes of its body."""
        entry = {
            "at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds"),
            "service": service,
            "method": method,
            "host": host,
            "path": path,
            "status": status,
            "received": received,
        }
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        with self._lock, self._path.open("a", encoding="utf-8") as stream:
            stream.write(line)

    def entries(self, *, after: int = 0) -> list[dict[str, Any]]:
        """All entries but the first ``after``, oldest first; a last line cut short by a kill is left out."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines(keepends=True)[after:] if line.endswith("\n")]
