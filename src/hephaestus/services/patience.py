"""How long a client goes on when a service stumbles: attempts, waits between them, and what the service asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from hephaestus.services.errors import RateLimited, ServiceDown, ServiceError

__all__ = ["Patience", "Setback", "judged", "retry_after"]

_DOWN = frozenset({500, 502, 503, 504})
_UNSAID = 60.0
"""Seconds to wait after a rate limit that names no time (GitHub's documentation: at least one minute)."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Limits of one request. Times are in seconds; ``attempts`` counts all of them, the first included.

    ``budget_seconds`` bounds the waiting between attempts in all: a service that asks for more is refused at once.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 60.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    budget_seconds: float = 300.0

    def wait(self, attempt: int, *, asked: float | None, jitter: float) -> float:
        """Seconds before the next attempt: doubling, spread by ``jitter`` in [0, 1), never less than ``asked``."""
        own = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 32)) * (0.5 + jitter / 2)
        return own if asked is None else asked + own


class Setback(Exception):  # a signal inside the client, turned into a ServiceError before it leaves
    """Raised by one attempt that may be worth another. ``executed``: the request may have had its effect."""

    def __init__(
        self, *, failure: Callable[[int, float], ServiceError], executed: bool, wait: float | None = None
    ) -> None:
        super().__init__()
        self._failure = failure
        self.executed = executed
        self.wait = wait

    def error(self, *, attempts: int, wait: float) -> ServiceError:
        """The error to raise when there is no further attempt."""
        return self._failure(attempts, wait)


def judged(url: str, status: int, headers: Mapping[str, str], text: str, *, now: float) -> Setback | None:
    """Whether an answer of ``status`` is a setback; None when trying again is pointless."""
    asked = retry_after(headers.get("retry-after", ""), now=now)
    limited = status == 403 and (
        "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in text.lower()
    )
    if status == 429 or limited:
        wait = asked if asked is not None else _until_reset(headers, now=now)

        def too_many(_attempts: int, _wait: float) -> RateLimited:
            return RateLimited(url=url, status=status, retry_after=wait)

        return Setback(failure=too_many, executed=False, wait=wait)
    if status in _DOWN:

        def down(attempts: int, _wait: float) -> ServiceDown:
            return ServiceDown(url=url, status=status, reason=text, attempts=attempts)

        return Setback(failure=down, executed=True, wait=asked)
    return None


def retry_after(value: str, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; None when it says neither."""
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _until_reset(headers: Mapping[str, str], *, now: float) -> float:
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdecimal():
        return max(0.0, float(reset[:12]) - now)
    return _UNSAID
