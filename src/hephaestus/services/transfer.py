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

__all__ = ["Arrival", "Downloaded", "FileBody", "Progress", "Promise", "Rest", "sha256_of"]

Progress = Callable[[int, int], None]
"""Called with the bytes moved so far and the bytes in all (0 when not known)."""

# One chunk has to leave within the connect timeout (a send's timeout counts for the whole of it): 64 KiB in 10 s
# lets a line of 7 kB/s through, 1 MiB would need 105 kB/s.
_CHUNK = 1 << 16
# RFC 9110, section 8.8.3, in ASCII; a weak one (W/) names something alike, not these bytes.
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"\Z')
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


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Where a download that breaks off leaves what has arrived, for the next run: ``path``, beside it the ETag.

    ``path`` is in a folder that only we can write to, on the file system of the target.
    """

    path: Path

    @property
    def note(self) -> Path:
        """Where the ETag stands."""
        return self.path.with_name(f"{self.path.name}.etag")

    def etag(self) -> str:
        """The ETag of what is there; empty when nothing is there that could be gone on with."""
        if not all(path.is_file() and not path.is_symlink() for path in (self.path, self.note)):
            return ""
        text = self.note.read_text(encoding="ascii", errors="replace")
        return text if _STRONG_ETAG.match(text) else ""

    def drop(self) -> None:
        """Leave nothing."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class Arrival:
    """A download while it arrives, over as many attempts as it takes. Close it: an unfinished rest is removed.

    An attempt that was cut is gone on with where it ended, when the service names its bytes by a strong ETag: with
    ``If-Range`` it sends the rest only if the file is still the same, else all of it (RFC 9110, section 13.1.5).
    With ``rest`` a broken download is gone on with in another process too, where a SHA-256 was promised.
    """

    def __init__(
        self, target: Path, *, url: str, promise: Promise, progress: Progress | None, rest: Rest | None = None
    ) -> None:
        self._target = target
        self._url = url
        self._promise = promise
        self._progress = progress
        self._partial: Path | None = None
        self._digest = hashlib.sha256()
        self._arrived = 0
        self._etag = ""
        self._continued = False
        self._rest = rest if promise.sha256 is not None else None
        if self._rest is not None:
            self._resume(self._rest)

    def __enter__(self) -> Arrival:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        worthless = error is None or isinstance(error, DownloadMismatch | AnswerTooLarge | FileNotWritten)
        if self._rest is not None and (worthless or not self._etag):
            self._rest.drop()
        if self._rest is None and self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def _resume(self, rest: Rest) -> None:
        """Take over what an earlier process left; it was not read to its end, so the digest has the last word."""
        self._partial = rest.path
        try:
            etag = rest.etag()
            if not etag:
                rest.drop()
                return
            with rest.path.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    self._digest.update(chunk)
                    self._arrived += len(chunk)
        except OSError as error:
            cause = error.strerror or str(error)
            raise FileNotWritten(url=self._url, path=str(rest.path), cause=cause) from error
        self._etag = etag
        if self._promise.size is not None and self._arrived >= self._promise.size:
            self.forget()

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
            strong = _STRONG_ETAG.match(etag) and headers.get("accept-ranges") != "none"
            self._etag = etag if strong else ""
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
        if self._rest is not None and not self._arrived:
            self._rest.drop()
            if self._etag:
                self._rest.note.write_text(self._etag, encoding="ascii")
        with self._partial.open("r+b" if self._partial.exists() else "xb") as stream:
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
