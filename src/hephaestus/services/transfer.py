"""Files on the wire: a request body streamed from a file, an answer streamed into one."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hephaestus.services.errors import AnswerTooLarge, DownloadMismatch, FileNotWritten

__all__ = ["Arrival", "Downloaded", "FileBody", "Progress", "Promise", "sha256_of"]

Progress = Callable[[int, int], None]
"""Called with the bytes moved so far and the bytes in all (0 when not known)."""

# One chunk has to leave within the connect timeout (a send's timeout counts for the whole of it): 64 KiB in 10 s
# lets a line of 7 kB/s through, 1 MiB would need 105 kB/s.
_CHUNK = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)\Z")


@dataclass(frozen=True, kw_only=True)
class FileBody:
    """A request body streamed from a file."""

    path: Path
    progress: Progress | None = None

    @property
    def size(self) -> int:
        """The file's size in bytes, now."""
        return self.path.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, told to ``progress`` as they leave."""
        total, done = self.size, 0
        with self.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
                done += len(chunk)
                if self.progress is not None:
                    self.progress(done, total)


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """A file that arrived whole: its size in bytes and its SHA-256."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a download has to be: at most ``limit`` bytes, and of this size and SHA-256 where they are known."""

    limit: int
    sha256: str | None = None
    size: int | None = None

    def still_possible(self, url: str, arrived: int) -> None:
        """Raise DownloadMismatch or AnswerTooLarge as soon as too much has arrived."""
        if self.size is not None and arrived > self.size:
            expected = f"{self.size} bytes"
            raise DownloadMismatch(url=url, subject="its size", expected=expected, actual="more than that")
        if arrived > self.limit:
            raise AnswerTooLarge(url=url, limit=self.limit)

    def kept(self, url: str, size: int, sha256: str) -> None:
        """Raise DownloadMismatch unless what has arrived is what was promised."""
        if self.size is not None and size != self.size:
            expected = f"{self.size} bytes"
            raise DownloadMismatch(url=url, subject="its size", expected=expected, actual=f"{size} bytes")
        if self.sha256 is not None and sha256 != self.sha256:
            raise DownloadMismatch(url=url, subject="its SHA-256", expected=self.sha256, actual=sha256)


class Arrival:
    """A download while it arrives, over as many attempts as it takes. Close it: an unfinished rest is removed.

    An attempt that was cut is gone on with where it ended, when the service names its bytes by a strong ETag: with
    ``If-Range`` it sends the rest only if the file is still the same, else all of it (RFC 9110, section 13.1.5).
    """

    def __init__(self, target: Path, *, url: str, promise: Promise, progress: Progress | None) -> None:
        self._target = target
        self._url = url
        self._promise = promise
        self._progress = progress
        self._partial: Path | None = None
        self._digest = hashlib.sha256()
        self._arrived = 0
        self._etag = ""
        self._continued = False

    def __enter__(self) -> Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def wish(self) -> dict[str, str]:
        """What the next request asks for: the rest, where one can be told."""
        if not self._arrived or not self._etag:
            return {}
        return {"Range": f"bytes={self._arrived}-", "If-Range": self._etag}

    def forget(self) -> None:
        """Begin anew: what has arrived cannot be gone on with."""
        self._digest, self._arrived, self._etag, self._continued = hashlib.sha256(), 0, "", False

    def continues(self, headers: Mapping[str, str]) -> bool:
        """Whether a partial answer (206) is the rest of what has arrived; forgets that when it is not."""
        match = _CONTENT_RANGE.match(headers.get("content-range", ""))
        same = headers.get("etag", self._etag) == self._etag
        if match and same and self._arrived and int(match[1]) == self._arrived:
            self._continued = True
            return True
        self.forget()
        return False

    def take(self, chunks: Iterable[bytes], *, headers: Mapping[str, str], partial: bool) -> Downloaded | None:
        """Write what comes; the file is at its place when the promise is kept.

        None: a continued download is not what was promised, so that it has to be asked for whole.
        Raises DownloadMismatch, AnswerTooLarge, FileNotWritten; the target is then as it was.
        """
        if not partial:
            self.forget()
            etag = headers.get("etag", "")
            self._etag = "" if etag.startswith("W/") or headers.get("accept-ranges") == "none" else etag
        announced = headers.get("content-length", "")
        total = self._promise.size or (self._arrived + int(announced) if announced.isdecimal() else 0)
        try:
            self._write(chunks, total)
            try:
                self._promise.kept(self._url, self._arrived, self._digest.hexdigest())
            except DownloadMismatch:
                if not self._continued:
                    raise
                self.forget()
                return None
            assert self._partial is not None  # written just now
            self._partial.replace(self._target)
        except OSError as error:
            cause = error.strerror or str(error)
            raise FileNotWritten(url=self._url, path=str(self._target), cause=cause) from error
        return Downloaded(path=self._target, size=self._arrived, sha256=self._digest.hexdigest())

    def _write(self, chunks: Iterable[bytes], total: int) -> None:
        if self._partial is None:
            folder, name = self._target.parent, self._target.name
            handle, path = tempfile.mkstemp(dir=folder, prefix=f".{name[:64]}.", suffix=".part")
            os.close(handle)
            self._partial = Path(path)
        with self._partial.open("r+b") as stream:
            stream.truncate(self._arrived)
            stream.seek(self._arrived)
            for chunk in chunks:
                # Counted only when written: after a cut, the file holds exactly what was counted and hashed.
                self._promise.still_possible(self._url, self._arrived + len(chunk))
                stream.write(chunk)
                self._digest.update(chunk)
                self._arrived += len(chunk)
                if self._progress is not None:
                    self._progress(self._arrived, total)
            stream.flush()
            os.fsync(stream.fileno())


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
