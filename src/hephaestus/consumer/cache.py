"""The folder where wheelhouses are kept: filled by whole steps, so that a killed run leaves it as before or as after.

What is fetched and unpacked lies in a private folder (mode 0700) of the same file system until it has been verified;
then it is renamed into place. Only a folder that bears our marker is ever removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hephaestus.consumer.exposure import exposed, ours
from hephaestus.consumer.refusals import PlaceExposed, PlaceTaken, PlaceUnwritable
from hephaestus.release.archive import Member
from hephaestus.release.boundary import boundary
from hephaestus.release.files import place
from hephaestus.release.manifest import digest_of
from hephaestus.services.transfer import Rest

__all__ = ["MARKER", "Unpacked", "WheelhouseCache", "storage_failures"]

#: Says, in a folder of unpacked wheels, that this program made it and from which archive.
MARKER = ".hephaestus-wheelhouse.json"

_PRIVATE = ".hephaestus-incoming-"
_RESTS = ".hephaestus-rest"
_LOCK = ".hephaestus.lock"
_STORAGE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR,
    errno.ELOOP,
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """A folder of unpacked members: the archive's SHA-256 (hex) and each member's ``sha256:<hex>``."""

    folder: Path
    archive: str
    sha256: str
    members: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, archive: str, sha256: str, members: Sequence[Member]) -> Unpacked:
        """What was just unpacked into ``folder``; leaves the marker there."""
        unpacked = cls(
            folder=folder, archive=archive, sha256=sha256, members={member.name: member.digest for member in members}
        )
        content = {"schema": 1, "archive": archive, "sha256": sha256, "members": dict(unpacked.members)}
        (folder / MARKER).write_text(json.dumps(content, indent=1), encoding="utf-8")
        return unpacked

    @classmethod
    def found(cls, folder: Path) -> Unpacked | None:
        """What the marker in ``folder`` says; None when there is none that can be read."""
        marker = folder / MARKER
        if folder.is_symlink() or marker.is_symlink() or not marker.is_file():
            return None
        try:
            data: Any = json.loads(marker.read_text(encoding="utf-8"))
            members = {str(name): str(digest) for name, digest in data["members"].items()}
            return cls(folder=folder, archive=str(data["archive"]), sha256=str(data["sha256"]), members=members)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @property
    def wheels(self) -> dict[str, str]:
        """The wheels among the members, with their digests."""
        return {name: digest for name, digest in self.members.items() if name.endswith(".whl")}

    @property
    def intact(self) -> bool:
        """Whether the folder holds exactly these members with these bytes; every one is read."""
        there = {path.name: path for path in self.folder.iterdir() if path.name != MARKER}
        return set(there) == set(self.members) and all(
            path.is_file() and not path.is_symlink() and digest_of(path) == self.members[name]
            for name, path in there.items()
        )


@contextmanager
def storage_failures(folder: Path) -> Iterator[None]:
    """Turn a full or unwritable disk into PlaceUnwritable; anything else is a defect and passes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        raise PlaceUnwritable(path=Path(error.filename or folder), error=error) from error


class WheelhouseCache:
    """One folder of archives and their unpacked wheels; ``told`` hears when another run is waited for."""

    def __init__(self, folder: Path, *, told: Callable[[str], None]) -> None:
        self.folder = folder
        self._told = told

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Hold the folder's lock; gives a private folder in it, which is gone afterwards, as are those of dead runs.

        Raises PlaceExposed, PlaceUnwritable.
        """
        from filelock import FileLock, Timeout

        with storage_failures(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if problem := exposed(self.folder):
                raise PlaceExposed(path=self.folder, problem=problem)
        lock = FileLock(self.folder / _LOCK)
        with storage_failures(self.folder):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._told(f"another run works in {self.folder}; waiting for it")
                lock.acquire()
        try:
            # Nobody else is alive in here: whatever lies around was left by a run that was killed.
            for path in self.folder.glob(f"{_PRIVATE}*"):
                if not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
            with storage_failures(self.folder):
                private = Path(tempfile.mkdtemp(prefix=_PRIVATE, dir=self.folder))
            boundary("private folder made")
            try:
                yield private
            finally:
                shutil.rmtree(private, ignore_errors=True)
                with contextlib.suppress(OSError):
                    (self.folder / _RESTS).rmdir()  # stays while something is in it
        finally:
            lock.release()

    def rest(self, sha256: str) -> Rest | None:
        """Where a download of that digest (hex) leaves what has arrived when it breaks off; rests of others go.

        None without a digest, and where the folder for it is there but not ours alone.
        """
        folder = self.folder / _RESTS
        with storage_failures(self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            told = folder.lstat()
            alone = sys.platform == "win32" or (told.st_uid == os.geteuid() and not told.st_mode & 0o077)
            if not sha256 or not stat.S_ISDIR(told.st_mode) or not alone:
                return None
            rest = Rest(path=folder / f"{sha256}.part")
            for path in folder.iterdir():
                if path not in (rest.path, rest.note):
                    path.unlink()
        return rest

    def archive(self, name: str) -> Path:
        """Where the archive of that name is kept."""
        return self.folder / name

    def unpacked(self, name: str) -> Path:
        """Where the archive of that name is unpacked: beside it, without ``.tar.gz`` (facts: consumers, section 3)."""
        return self.folder / name.removesuffix(".tar.gz")

    def kept_archive(self, name: str, *, sha256: str, overwrite: bool, private: Path) -> Path | None:
        """The archive if it is here with these bytes, as a file in ``private`` that nobody can exchange any more.

        Raises PlaceTaken when other bytes have its place.
        """
        path, own = self.archive(name), private / name
        if not path.exists() and not path.is_symlink():
            return None
        with storage_failures(self.folder):
            if path.is_file() and not path.is_symlink() and sha256:
                _borrow(path, own)
                if digest_of(own) == f"sha256:{sha256}":
                    return own
                own.unlink()
        if overwrite and (path.is_file() or path.is_symlink()):
            return None
        raise PlaceTaken(
            path=path,
            problem="is there already, with other bytes than the release's",
            next_step="replace it with `--overwrite`, or choose another folder with `--destination`",
        )

    def check_unpacked(self, name: str, *, sha256: str, overwrite: bool) -> None:
        """Whether the archive may be unpacked here, before anything large is fetched.

        Raises PlaceTaken for a folder that we did not make, whatever ``overwrite`` says, and for one that we made
        from another archive unless ``overwrite``.
        """
        folder = self.unpacked(name)
        if not folder.exists() and not folder.is_symlink():
            return
        # In a sticky folder anybody may have made it, and could change it once it was read.
        found = Unpacked.found(folder) if ours(folder) else None
        if found is None:
            raise PlaceTaken(
                path=folder,
                problem="is in the way: this program did not make it, so not even --overwrite removes it",
                next_step="move it away, or choose another folder with `--destination`",
            )
        if found.sha256 != sha256 and not overwrite:
            raise PlaceTaken(
                path=folder,
                problem=f"holds the wheels of another archive ({found.sha256[:12]}...)",
                next_step="replace it with `--overwrite`, or choose another folder with `--destination`",
            )

    def keep(self, private: Path, *, archive: Path, unpacked: Unpacked | None) -> None:
        """Rename what was verified into place: the archive, then its wheels. Raises PlaceUnwritable."""
        with storage_failures(self.folder):
            place(archive, self.archive(archive.name))
            if unpacked is None:
                return
            target = self.unpacked(unpacked.archive)
            there = Unpacked.found(target)
            if there is not None and there.members == unpacked.members and there.intact:
                return
            if target.exists():
                # A folder that has content cannot be replaced in one step; killed in between, it is unpacked again.
                place(target, private / "former")
            place(unpacked.folder, target)

    def remove_unpacked(self, name: str) -> bool:
        """Remove the unpacked wheels of an archive if we made them; whether anything was removed."""
        folder = self.unpacked(name)
        if Unpacked.found(folder) is None:
            return False
        with storage_failures(self.folder):
            shutil.rmtree(folder)
        return True


def _borrow(path: Path, own: Path) -> None:
    """Have a file under a second name that is ours alone: a link where nobody else can write to it, else a copy."""
    told = path.lstat()
    if sys.platform != "win32" and told.st_uid == os.geteuid() and not told.st_mode & 0o022:
        with contextlib.suppress(OSError):  # a file system without links
            os.link(path, own, follow_symlinks=False)
            return
    shutil.copyfile(path, own, follow_symlinks=False)
