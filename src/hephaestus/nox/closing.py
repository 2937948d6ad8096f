"""The last words of a run in which a stage refused: the next command, after everything nox itself has to say."""

from __future__ import annotations

import atexit
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import nox

__all__ = ["Refusal", "remember", "say"]

#: More of them would push the first out of sight, which is what the last words are there against.
_DETAILS = 3

_REFUSALS: list[Refusal] = []


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One session that refused. ``message`` is the whole message that was shown, secrets taken out."""

    session: str
    message: str

    def lines(self) -> list[str]:
        """What happened, the first reasons, where the whole message is, and last the next command."""
        what, *rest = self.message.splitlines()
        reasons = [line for line in rest if line.startswith("  - ")]
        left = len(reasons) - _DETAILS
        where = f'  (the whole message is above, after "Session {self.session} aborted")'
        ends = [line for line in rest if line.startswith(("  with:", "  next:"))]
        return [what, *reasons[:_DETAILS], *([f"  - and {left} more"] if left > 0 else []), where, *reversed(ends)]


def remember(session: nox.Session, message: str) -> None:
    """Keep a refusal until nox ends, and say it again then; nothing where nox says nothing after the message itself.

    Nox follows a refusal with a line for each session that needed it and with a summary of all: what to do would
    scroll away. Under ``-j`` each session is a nox of its own and knows of no other: nothing is said again.
    """
    # Nox offers no public way to ask; a test with real nox holds this attribute.
    if len(session._runner.manifest) < 2:  # noqa: SLF001
        return
    if not _REFUSALS:
        atexit.register(_close)
    _REFUSALS.append(Refusal(session=session.name, message=message))


def say(refusals: Sequence[Refusal], stream: TextIO) -> None:
    """Write the last words: a blank line, then each refusal in the order of the run."""
    lines = [line for refusal in refusals for line in ("", *refusal.lines())]
    stream.write("\n".join([*lines, ""]))
    stream.flush()


def _close() -> None:
    # Nobody is there to read it where the stream is closed, and the exit code is nox's business.
    with contextlib.suppress(OSError, ValueError):
        say(_REFUSALS, sys.stderr)
