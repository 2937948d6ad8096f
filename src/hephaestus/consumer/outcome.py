"""What came of an installation: for people in a few lines, for programs as JSON (docs/installing.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hephaestus.consumer.origins import Installed
from hephaestus.consumer.verdict import Verdict
from hephaestus.release.errors import ReleaseError

__all__ = ["FetchedFile", "Outcome", "refusal_data"]


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """A file of the release: its size in bytes, its SHA-256 (hex), where it is kept, whether it was there before."""

    name: str
    size: int | None
    sha256: str
    path: str = ""
    reused: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One installation. ``state`` is ``installed``, ``downloaded`` or ``planned``; ``place`` repository or index."""

    state: str
    source: str
    place: str
    release: str
    files: tuple[FetchedFile, ...]
    python: str = ""
    folder: Path | None = None
    installed: tuple[Installed, ...] = ()
    verdicts: Sequence[Verdict] = ()
    warnings: Sequence[str] = field(default_factory=tuple)

    def data(self) -> dict[str, Any]:
        """As JSON data, schema 1."""
        return {
            "schema": 1,
            "state": self.state,
            "source": self.source,
            "place": self.place,
            "release": self.release,
            "files": [asdict(file) for file in self.files],
            "python": self.python,
            "folder": str(self.folder) if self.folder is not None else None,
            "installed": [
                {key: getattr(one, key) for key in ("name", "version", "url", "sha256")} for one in self.installed
            ],
            "checks": [
                {"state": one.state.value, "subject": one.subject, "reason": one.reason} for one in self.verdicts
            ],
            "warnings": list(self.warnings),
        }

    def text(self) -> str:
        """The lines for people: every proof, then what was done."""
        lines = [verdict.text() for verdict in self.verdicts]
        names = ", ".join(file.name for file in self.files)
        if self.state == "planned":
            done = f"would install {names} from {self.place} ({self.release}) into {self.python}; nothing was changed"
        elif self.state == "downloaded":
            done = f"downloaded {names} from {self.place} ({self.release}) into {self.folder}; nothing was installed"
        else:
            count = f"{len(self.installed)} distribution{'' if len(self.installed) == 1 else 's'}"
            done = f"installed {names} from {self.place} ({self.release}) into {self.python}: {count} new or changed"
        return "\n".join([*lines, done])


def refusal_data(error: ReleaseError) -> dict[str, Any]:
    """A refusal as JSON data, schema 1; ``error`` is the kind's name, stable for programs."""
    return {
        "schema": 1,
        "state": "refused",
        "error": type(error).__name__,
        "what": error.what,
        "why": error.why,
        "details": list(error.details),
        "next": error.next_step,
    }
