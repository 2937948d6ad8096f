"""A release on a private index, held against digests that somebody vouches for: nobody signs what goes there.

The trust is the reader's: whoever hands over the manifest or the files says what the bytes must be, as the hashes of a
requirements file do. Without either there is nothing to hold the index against, and nothing is verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from hephaestus.consumer.expectation import Pinned, TargetRefused, read_target, release_of
from hephaestus.consumer.indexed import absent, unanswered
from hephaestus.consumer.served import fetched, index_verdicts
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.errors import ReleaseError
from hephaestus.release.manifest import digest_of, parse_sums
from hephaestus.services.errors import ServiceError
from hephaestus.services.index import IndexClient, plan_upload
from hephaestus.services.project import version_of
from hephaestus.services.transfer import Progress

__all__ = ["Agreed", "NothingAgreedError"]

_SIGNATURES = "not looked at: nobody signs a release to a private index; that these are the right bytes is the word of"


class NothingAgreedError(ReleaseError):
    """Raised when a version on a private index is to be verified and nobody says what its bytes must be."""

    def __init__(self, *, target: str, index: str) -> None:
        super().__init__(
            what=f"{target} on {index} cannot be verified: nothing says what its bytes must be",
            why="a private index holds no attestations, and its own digests only repeat what it serves",
            next_step="give the SHA256SUMS of the release with `--sums FILE`, or verify the folder of its files",
        )


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What the files of one version must be: ``files`` maps each name to its SHA-256 (hex); ``source`` says so."""

    pinned: Pinned
    files: dict[str, str] = field(default_factory=dict)
    source: str

    @classmethod
    def read(cls, targets: Sequence[str], *, sums: Path | None, index: str) -> Agreed:
        """Understand a version with ``sums``, or a folder, or files.

        Raises TargetRefused, NothingAgreedError, ManifestError.
        """
        found = [read_target(target) for target in targets]
        text = " ".join(targets) or str(sums)
        pinned = [one for one in found if isinstance(one, Pinned)]
        paths = [one for one in found if isinstance(one, Path)]
        if (paths and (pinned or sums is not None)) or len(pinned) > 1:
            raise TargetRefused(target=text, problem="it is more than one version, or a version and files")
        if sums is not None:
            files, source = _listed(sums), str(sums)
        elif paths:
            files, source = _held(paths), text
        else:
            raise NothingAgreedError(target=text if pinned else "a release", index=index)
        releases = {_release(name) for name in files}
        if pinned:
            wanted = _normal(pinned[0])
            files = {name: digest for name, digest in files.items() if _release(name) == wanted}
            releases = {wanted} if files else set()
        if len(releases) != 1:
            told = ", ".join(sorted(one.text for one in releases)) or "none"
            raise TargetRefused(target=text, problem=f"distributions of one version are wanted; found: {told}")
        return cls(pinned=releases.pop(), files=files, source=source)

    def verdicts(
        self, client: IndexClient, place: str, *, announce: Callable[[str], None], progress: Progress | None
    ) -> list[Verdict]:
        """Every file as the index names it and as it serves it, and what is not proven at all."""
        unsigned = replace(absent("signature", self.pinned.text, f"{_SIGNATURES} {self.source}"), required=False)
        try:
            return [*self._served(client, place, announce=announce, progress=progress), unsigned]
        except ServiceError as error:
            return [unanswered(place, "index", error), unsigned]

    def _served(
        self, client: IndexClient, place: str, *, announce: Callable[[str], None], progress: Progress | None
    ) -> list[Verdict]:
        page = client.project(self.pinned.name)
        there = page.release_files(self.pinned.version) if page is not None else ()
        if page is None or not there:
            return [absent(place, self.pinned.text, "the index has no file of it")]
        plan = plan_upload(self.files, page, self.pinned.version, days=None)
        yanked = [file.filename for file in there if file.yank is not None]
        wrong: dict[str, Verdict] = {}
        with tempfile.TemporaryDirectory(prefix="hephaestus-verify-") as folder:
            for file in there:
                if file.filename in self.files:
                    announce(f"downloading {file.filename}")
                    bad = fetched(client, file, Path(folder) / file.filename, place=place, progress=progress)
                    wrong |= {} if bad is None else {file.filename: bad}
        said = {State.PASS: f"as {self.source} says", State.ABSENT: "it is not there"}
        compared = index_verdicts(place, plan, yanked=yanked, status=page.status)
        told = [replace(one, reason=one.reason or said.get(one.state, "")) for one in compared]
        return [wrong.get(one.subject, one) if one.state is State.PASS else one for one in told]


def _listed(sums: Path) -> dict[str, str]:
    try:
        text = sums.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TargetRefused(target=str(sums), problem=f"it cannot be read ({error})") from error
    listed = parse_sums(text, source=str(sums))
    return {name: digest.removeprefix("sha256:") for name, digest in listed.items() if version_of(name) is not None}


def _held(paths: Sequence[Path]) -> dict[str, str]:
    """The distributions among files, or in a folder: a release directory keeps them in ``dist``."""
    found: dict[str, str] = {}
    try:
        for path in paths:
            folder = path / "dist" if (path / "dist").is_dir() else path
            for file in sorted(folder.iterdir()) if folder.is_dir() else [path]:
                if version_of(file.name) is not None:
                    found[file.name] = digest_of(file).removeprefix("sha256:")
    except OSError as error:
        raise TargetRefused(target=str(paths[0]), problem=f"the disk does not let us ({error})") from error
    return found


def _release(filename: str) -> Pinned:
    release = release_of(filename)
    assert release is not None  # only names of distributions are asked for
    return _normal(release)


def _normal(pinned: Pinned) -> Pinned:
    return Pinned(name=canonicalize_name(pinned.name), version=pinned.version)
