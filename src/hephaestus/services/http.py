"""The one way over the network: HTTP with manners, on top of urllib3 (imported when first used).

Timeouts always, a bounded number of attempts, Retry-After obeyed within a budget, proxies from the environment but
never for the loopback, no redirect unless asked for, never a credential along with one, no answer without a limit.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

from hephaestus.release.boundary import boundary
from hephaestus.services.address import Address
from hephaestus.services.errors import (
    AddressRefused,
    AnswerInvalid,
    AnswerTooLarge,
    CertificateRefused,
    RedirectRefused,
    UnexpectedStatus,
    Unreachable,
)
from hephaestus.services.patience import Patience, Setback, judged
from hephaestus.services.transfer import Arrival, Downloaded, FileBody, Progress, Promise, Rest

if TYPE_CHECKING:
    import urllib3

__all__ = ["Answer", "HttpClient", "Redirects"]

_CHUNK = 1 << 20
_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})
_REPEATABLE = _SAFE | {"PUT", "DELETE", "PATCH"}
_Result = TypeVar("_Result")


class Redirects(Enum):
    """What to do when sent elsewhere (GET and HEAD only; anything else is always refused)."""

    REFUSE = "refuse"
    SAME_ORIGIN = "same origin"
    """Followed with all headers, to the same scheme, host and port only."""
    ANONYMOUS = "anonymous"
    """Followed anywhere proper, without Authorization: for downloads that the target signs by itself."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer, read whole. ``headers`` has lower-case names; ``url`` is where it came from in the end."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text, for messages."""
        return self.body.decode("utf-8", "replace")

    def json(self, *, media: Collection[str] = ("application/json",)) -> Any:
        """The body as JSON; raises AnswerInvalid for another content type or what does not parse."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in media:
            raise AnswerInvalid(url=self.url, defect=f"content type {kind or 'missing'!r}, not {' or '.join(media)}")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise AnswerInvalid(url=self.url, defect=f"not JSON ({error})") from error


class HttpClient:
    """Sends requests with patience. ``clock`` gives seconds since the epoch (for HTTP dates).

    ``ca_file`` replaces the system's trusted certificates. Close it, or use it as a context manager. Raises the
    errors of ``services.errors`` only.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        ca_file: Path | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._patience = patience or Patience()
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._ca_file = ca_file
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close every kept connection."""
        for pool in self._pools.values():
            pool.clear()
        self._pools.clear()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | FileBody | None = None,
        expect: Collection[int] = (200,),
        redirects: Redirects = Redirects.REFUSE,
        repeat: bool | None = None,
        limit: int = 32 * _CHUNK,
    ) -> Answer:
        """Send one request and read its answer of at most ``limit`` bytes.

        ``expect`` are the statuses returned; any other raises. ``repeat``: whether the request may be sent again
        when it may have arrived before (never for POST unless said); refused connections and rate limits are
        always tried again.
        """

        changing = method not in ("GET", "HEAD")

        def once() -> Answer:
            if changing:
                boundary(f"request {method}")
            with self._exchange(method, url, headers or {}, body, redirects) as (place, response):
                content = self._read(place, response, limit)
                if changing:
                    boundary(f"answered {method}")
                found = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer(url=place, status=response.status, headers=found, body=content)
            if answer.status not in expect:
                raise self._refused(method, answer)
            return answer

        return self._patiently(once, repeat=method in _REPEATABLE if repeat is None else repeat)

    def download(
        self,
        url: str,
        target: Path,
        *,
        headers: Mapping[str, str] | None = None,
        sha256: str | None = None,
        size: int | None = None,
        limit: int = 4096 * _CHUNK,
        progress: Progress | None = None,
        redirects: Redirects = Redirects.ANONYMOUS,
        rest: Rest | None = None,
    ) -> Downloaded:
        """Stream ``url`` into ``target``, which appears (or is replaced) only when whole and as promised.

        A transfer that is cut goes on where it ended, where the service allows it, in this call and with ``rest`` in a
        later one (see Arrival). ``sha256`` (hex) and ``size`` (bytes) are checked when given; raises DownloadMismatch.
        """
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        promise = Promise(limit=limit, sha256=sha256, size=size)
        with Arrival(target, url=url, promise=promise, progress=progress, rest=rest) as arrival:

            def once() -> Downloaded:
                with self._exchange("GET", url, {**asked, **arrival.wish()}, None, redirects) as (place, response):
                    found = {name.lower(): value for name, value in response.headers.items()}
                    partial = response.status == 206 and arrival.continues(found)
                    if response.status == 200 or partial:
                        chunks = response.stream(_CHUNK, decode_content=False)
                        if whole := arrival.take(chunks, headers=found, partial=partial):
                            return whole
                    elif response.status not in (206, 416):
                        body = self._read(place, response, _CHUNK)
                        raise self._refused("GET", Answer(url=place, status=response.status, headers=found, body=body))
                    arrival.forget()
                    raise _cut(place, ConnectionError("the rest of a cut download did not fit"), sent=True)

            return self._patiently(once, repeat=True)

    def pause(self, attempt: int) -> bool:
        """Wait as before another attempt after ``attempt`` ones; False, at once, when the patience has ended.

        For callers who must look before they send something again.
        """
        if attempt >= self._patience.attempts:
            return False
        self._sleep(self._patience.wait(attempt, asked=None, jitter=self._jitter()))
        return True

    def _patiently(self, once: Callable[[], _Result], *, repeat: bool) -> _Result:
        """Run ``once`` until it succeeds, fails for good, or the patience ends."""
        waited, attempt = 0.0, 1
        while True:
            try:
                return once()
            except Setback as setback:
                wait = self._patience.wait(attempt, asked=setback.wait, jitter=self._jitter())
                lasting = setback.executed and not repeat
                if lasting or attempt >= self._patience.attempts or waited + wait > self._patience.budget_seconds:
                    raise setback.error(attempts=attempt, wait=wait) from setback.__cause__
                self._sleep(wait)
                waited, attempt = waited + wait, attempt + 1

    @contextmanager
    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | FileBody | None,
        redirects: Redirects,
    ) -> Iterator[tuple[str, urllib3.BaseHTTPResponse]]:
        """One attempt: send, follow what may be followed, hand out the open answer, translate every fault."""
        import urllib3
        from urllib3 import exceptions

        place, sent = url, {"User-Agent": self._user_agent, "Accept-Encoding": "gzip", **headers}
        response: urllib3.BaseHTTPResponse | None = None
        try:
            for _ in range(_HOPS + 1):
                address = Address.parse(place)
                response = self._pool(address).request(
                    method,
                    place,
                    headers=sent | _length(body),
                    body=body.chunks() if isinstance(body, FileBody) else body,
                    timeout=urllib3.Timeout(
                        connect=self._patience.connect_seconds, read=self._patience.silence_seconds
                    ),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                if response.status not in _REDIRECTS:
                    yield place, response
                    return
                goal = urljoin(place, response.headers.get("location", ""))
                _may_follow(method, address, goal, redirects)
                if redirects is Redirects.ANONYMOUS:
                    sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
                response.drain_conn()
                place = goal
            raise RedirectRefused(url=url, location=place)
        except (exceptions.LocationParseError, exceptions.LocationValueError) as error:
            raise AddressRefused(url=place, reason="it cannot be parsed") from error
        except exceptions.DecodeError as error:
            raise AnswerInvalid(url=place, defect=f"its content encoding is broken ({error})") from error
        except exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
                raise CertificateRefused(url=place, cause=str(error)) from error
            raise _cut(place, error, sent=True) from error
        except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyError) as error:
            raise _cut(place, error, sent=False) from error
        except exceptions.HTTPError as error:
            raise _cut(place, error, sent=True) from error
        finally:
            if response is not None:
                # Closing instead of releasing: what was not read to its end must not be met by the next request.
                _finish(response)

    def _read(self, place: str, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        parts, size = [], 0
        for chunk in response.stream(1 << 16, decode_content=True):
            size += len(chunk)
            if size > limit:
                raise AnswerTooLarge(url=place, limit=limit)
            parts.append(chunk)
        return b"".join(parts)

    def _refused(self, method: str, answer: Answer) -> Setback | UnexpectedStatus:
        setback = judged(answer.url, answer.status, answer.headers, answer.text, now=self._clock())
        return setback or UnexpectedStatus(url=answer.url, method=method, status=answer.status, body=answer.text)

    def _pool(self, address: Address) -> urllib3.PoolManager:
        import urllib3

        proxy = address.proxy()
        if proxy not in self._pools:
            shared: dict[str, Any] = {"ca_certs": str(self._ca_file)} if self._ca_file else {}
            if proxy is None:
                self._pools[proxy] = urllib3.PoolManager(**shared)
            else:
                via = Address.proxy_parts(proxy)
                self._pools[proxy] = urllib3.ProxyManager(via.url, proxy_headers=via.headers, **shared)
        return self._pools[proxy]


def _cut(url: str, error: Exception, *, sent: bool) -> Setback:
    def failure(attempts: int, _wait: float) -> Unreachable:
        return Unreachable(url=url, cause=str(error) or type(error).__name__, attempts=attempts, sent=sent)

    return Setback(failure=failure, executed=sent)


def _may_follow(method: str, here: Address, goal: str, redirects: Redirects) -> None:
    there = Address.parse(goal)
    same = there.origin == here.origin
    proper = same or (there.loopback == here.loopback and (there.scheme, here.scheme) != ("http", "https"))
    allowed = {Redirects.REFUSE: False, Redirects.SAME_ORIGIN: same, Redirects.ANONYMOUS: proper}[redirects]
    if method not in _SAFE or goal == here.url or not allowed:
        raise RedirectRefused(url=here.url, location=goal)


def _length(body: bytes | FileBody | None) -> dict[str, str]:
    """A streamed body's length, said beforehand: GitHub takes no chunked upload."""
    return {"Content-Length": str(body.size)} if isinstance(body, FileBody) else {}


def _finish(response: urllib3.BaseHTTPResponse) -> None:
    if not response.closed:
        response.close()
    response.release_conn()
