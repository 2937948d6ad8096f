"""Files on the wire: a request body streamed from a file, an answer streamed into one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hephaestus.services.errors import AnswerTooLarge, DownloadMismatch, FileNotWritten

__all__ = ["Downloaded", "FileBody", "Progress", "Promise", "sha256_of"]

Progress = Callable[[int, int], None]
"""Called with the bytes moved so far and the bytes in all (0 when not known)."""

# One chunk has to leave within the connect timeout (a send's timeout counts for the whole of it): 64 KiB in 10 s
# lets a line of 7 kB/s through, 1 MiB would need 105 kB/s.
_CHUNK = 1 << 16


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

    def keep(
        self, chunks: Iterable[bytes], target: Path, *, url: str, total: int, progress: Progress | None
    ) -> Downloaded:
        """Write ``chunks`` to ``target``, which appears (or is replaced) only when the promise is kept.

        Raises DownloadMismatch, AnswerTooLarge, FileNotWritten; ``target`` is then as it was.
        """
        try:
            return self._keep(chunks, target, url=url, total=total, progress=progress)
        except OSError as error:
            raise FileNotWritten(url=url, path=str(target), cause=error.strerror or str(error)) from error

    def _keep(
        self, chunks: Iterable[bytes], target: Path, *, url: str, total: int, progress: Progress | None
    ) -> Downloaded:
        digest, arrived = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:64]}.", suffix=".part")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                for chunk in chunks:
                    arrived += len(chunk)
                    self._still_possible(url, arrived)
                    digest.update(chunk)
                    stream.write(chunk)
                    if progress is not None:
                        progress(arrived, self.size or total)
                stream.flush()
                os.fsync(stream.fileno())
            self._kept(url, arrived, digest.hexdigest())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return Downloaded(path=target, size=arrived, sha256=digest.hexdigest())

    def _still_possible(self, url: str, arrived: int) -> None:
        if self.size is not None and arrived > self.size:
            expected = f"{self.size} bytes"
            raise DownloadMismatch(url=url, subject="its size", expected=expected, actual="more than that")
        if arrived > self.limit:
            raise AnswerTooLarge(url=url, limit=self.limit)

    def _kept(self, url: str, size: int, sha256: str) -> None:
        if self.size is not None and size != self.size:
            expected = f"{self.size} bytes"
            raise DownloadMismatch(url=url, subject="its size", expected=expected, actual=f"{size} bytes")
        if self.sha256 is not None and sha256 != self.sha256:
            raise DownloadMismatch(url=url, subject="its SHA-256", expected=self.sha256, actual=sha256)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
