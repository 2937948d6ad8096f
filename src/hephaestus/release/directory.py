"""The release directory: everything one release consists of, in one folder, changed only by whole steps.

A stage's outputs arrive in a transaction: they are made in ``.staged/<stage>/``, the receipt is written there
last (the point of no return), then every file is renamed into place and the receipt after them. A run killed
before that point is rolled back by the next one, after it rolled forward; nothing in between can be seen.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from hephaestus.release.boundary import boundary
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.files import TEMPORARY_PREFIX, NotWritableError, place, sync_folder, write_text
from hephaestus.release.manifest import SUMS, compare, digest_of, settled_digest
from hephaestus.release.receipts import Receipt, ReceiptError

__all__ = ["BURNED", "STAGES", "DirectoryDamagedError", "ReleaseDirectory", "Staging"]

#: Every stage that leaves a receipt, in the order of the chain.
STAGES = (
    "build", "sign", "check", "upload-testpypi", "smoke", "upload-pypi", "wheelhouse", "sign-wheelhouse",
    "github-release", "verify",
)  # fmt: skip

#: Where each stage puts its files. Without its receipt they are nobody's: the stage looks at them again.
_TERRITORY: Mapping[str, tuple[str, ...]] = {
    "build": ("dist/", SUMS),
    "sign": ("bundles/", "attestations/"),
    "wheelhouse": ("wheelhouse/",),
    "sign-wheelhouse": ("bundles/",),
}

_STAGED = ".staged"
_RECEIPTS = "receipts"
_SUMMARY = "summary.json"
#: File names that an index has refused for ever (``release.burned``).
BURNED = "burned.json"

#: Errors of the system that a person can do something about, whatever was being written.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class DirectoryDamagedError(ReleaseError):
    """Raised when the release directory does not hold exactly what its receipts say."""

    def __init__(self, *, directory: Path, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            what=f"{directory.name}: the release directory does not hold what its receipts say",
            why="files that no stage put there, or that changed since, must never be released",
            details=[finding.line() for finding in findings],
            next_step="move foreign files away and restore changed or missing ones from the artifact of the run that "
            "made them; an unpublished release can start afresh with `nox -s build -- --redo`",
        )


@dataclass(frozen=True, kw_only=True)
class Staging:
    """A transaction in progress: ``folder`` takes the outputs at their paths within the release directory.

    ``digests`` may hold the ``sha256:<hex>`` of outputs that were hashed while they were written; the others are
    read once more when they are put into place.
    """

    stage: str
    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where the output ``name`` is to be written; its folder exists."""
        path = self.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, kw_only=True)
class ReleaseDirectory:
    """``release/<version>/`` or ``release/rehearsal/<version>/``."""

    path: Path

    @property
    def dist(self) -> Path:
        """The distributions, and nothing else ever."""
        return self.path / "dist"

    def receipt(self, stage: str) -> Receipt | None:
        """The receipt of ``stage``, or None; raises ReceiptError when there is one that cannot be read."""
        path = self.path / _RECEIPTS / f"{stage}.json"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ReceiptError(source=f"{_RECEIPTS}/{path.name}", problem=f"cannot be read ({error})") from error
        receipt = _parsed(text, source=f"{_RECEIPTS}/{path.name}")
        if receipt.stage != stage:
            problem = f"is the receipt of {receipt.stage}"
            raise ReceiptError(source=f"{_RECEIPTS}/{path.name}", problem=problem)
        return receipt

    def receipts(self) -> dict[str, Receipt]:
        """All receipts present, in the order of the chain; raises ReceiptError."""
        found = ((stage, self.receipt(stage)) for stage in STAGES)
        return {stage: receipt for stage, receipt in found if receipt is not None}

    def manifest(self) -> dict[str, str]:
        """Every file the receipts vouch for, by path; a later stage may not claim an earlier one's file."""
        files: dict[str, str] = {}
        for stage, receipt in self.receipts().items():
            for path, digest in receipt.outputs.items():
                if files.setdefault(path, digest) != digest:
                    problem = f"claims {path}, which an earlier stage put out with another digest"
                    raise ReceiptError(source=f"{_RECEIPTS}/{stage}.json", problem=problem)
        return files

    def damage(self, *, of: Mapping[str, str] | None = None) -> list[Finding]:
        """Hold the folder against its receipts, or only the files of ``of`` (paths to digests) against theirs.

        A file no receipt names is foreign, unless it lies where a stage without a receipt puts its own: that stage
        makes it anew or proves it again, and until then no other stage takes it.
        """
        expected = self.manifest() if of is None else of
        unvouched = tuple(
            place for stage, places in _TERRITORY.items() if self.receipt(stage) is None for place in places
        )
        known = {f"{_RECEIPTS}/{stage}.json" for stage in STAGES} | {_SUMMARY, BURNED}
        present: dict[str, str | None] = {}
        for path in self._walk():
            name = path.relative_to(self.path).as_posix()
            if name in known or (of is not None and name not in of):
                continue
            if name not in expected and any(
                name == place or (place.endswith("/") and name.startswith(place)) for place in unvouched
            ):
                continue
            regular = path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1
            present[name] = settled_digest(path) if regular else None
        return compare(expected, self.path, present=present)

    def _walk(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self.path):
            here = Path(folder)
            if here == self.path and _STAGED in folders:
                folders.remove(_STAGED)
            links = [name for name in folders if (here / name).is_symlink()]
            for name in links:
                folders.remove(name)
            yield from (here / name for name in (*links, *files) if not name.startswith(TEMPORARY_PREFIX))

    @contextmanager
    def staging(self, stage: str) -> Iterator[Staging]:
        """A fresh place for the outputs of ``stage``; removed when the block ends without ``commit``.

        Raises NotWritableError when the block ends because the disk is full or a folder is read-only.
        """
        folder = self.path / _STAGED / stage
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            boundary(f"staging {stage}")
            yield Staging(stage=stage, folder=folder)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            raise NotWritableError(path=self.path, error=error) from error
        finally:
            # Past the point of no return the staged rest is all there is; ``recover`` puts it into place.
            if not (folder / "receipt.json").is_file():
                shutil.rmtree(folder, ignore_errors=True)
                self._drop_empty_staging()

    def commit(self, staging: Staging, receipt: Receipt) -> Receipt:
        """Put the staged outputs and then the receipt into place; returns the receipt with its outputs' digests.

        Raises NotWritableError, or OSError where a rename fails (``staging`` tells it from other errors).
        """
        files = staging.folder / "files"
        made = sorted(path for path in files.rglob("*") if path.is_file()) if files.is_dir() else []
        names = {path.relative_to(files).as_posix(): path for path in made}
        outputs = {name: staging.digests.get(name) or digest_of(path) for name, path in names.items()}
        for path in made:
            _sync_file(path)
        complete = replace(receipt, outputs={**receipt.outputs, **outputs})
        write_text(staging.folder / "receipt.json", complete.render())
        self._roll_forward(staging.folder, complete)
        return complete

    @property
    def unfinished(self) -> bool:
        """Whether something is staged that ``recover`` would put into place or remove."""
        staged = self.path / _STAGED
        return staged.exists() or staged.is_symlink()

    def recover(self) -> list[str]:
        """Finish or undo what a killed run left behind; returns what was done, one line each."""
        done = []
        for folder in sorted((self.path / _STAGED).iterdir()) if (self.path / _STAGED).is_dir() else []:
            pending = folder / "receipt.json"
            if pending.is_file():
                receipt = Receipt.parse(pending.read_text(encoding="utf-8"), source=f"{_STAGED}/{folder.name}")
                self._roll_forward(folder, receipt)
                done.append(f"{folder.name}: an interrupted run had finished its work; it is now in place")
            else:
                done.append(f"{folder.name}: what an interrupted run left behind is gone, nothing else changed")
            shutil.rmtree(folder)
        self._drop_empty_staging()
        for leftover in self.path.rglob(f"{TEMPORARY_PREFIX}*"):
            leftover.unlink()
        return done

    def _roll_forward(self, folder: Path, receipt: Receipt) -> None:
        target = self.path / _RECEIPTS / f"{receipt.stage}.json"
        former = self._former(receipt.stage)
        files = folder / "files"
        for name in receipt.outputs:
            if (files / name).is_file():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                place(files / name, self.path / name)
        self._remove(former - set(receipt.outputs))
        target.parent.mkdir(parents=True, exist_ok=True)
        place(folder / "receipt.json", target)

    def _former(self, stage: str) -> set[str]:
        try:
            receipt = self.receipt(stage)
        except ReceiptError:
            return set()
        return set(receipt.outputs) if receipt is not None else set()

    def _remove(self, names: set[str]) -> None:
        for name in sorted(names):
            (self.path / name).unlink(missing_ok=True)
            boundary(f"removed {name}")
        for folder in {(self.path / name).parent for name in names}:
            if folder.is_dir():
                sync_folder(folder)

    def _drop_empty_staging(self) -> None:
        staged = self.path / _STAGED
        if staged.is_dir() and not any(staged.iterdir()):
            staged.rmdir()


@lru_cache(maxsize=64)
def _parsed(text: str, *, source: str) -> Receipt:
    """The receipt of that text: ten sessions of one run ask for the same ten receipts many times over."""
    return Receipt.parse(text, source=source)


def _sync_file(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
