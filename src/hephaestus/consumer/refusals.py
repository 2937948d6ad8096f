"""What an installation is refused for, in words: one class per kind, each with the command that leads on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hephaestus.consumer.verdict import Verdict
from hephaestus.release.errors import Finding, ReleaseError

__all__ = [
    "AssetMissing",
    "DigestsDisagree",
    "FormerNameInstalled",
    "InstallFailed",
    "NotVerified",
    "OptionsRefused",
    "PlaceExposed",
    "PlaceTaken",
    "PlaceUnwritable",
    "ReleaseMissing",
    "TargetMissing",
    "TargetUnfit",
    "Unsigned",
    "WheelsUnfit",
]

_RERUN = "run the same command again"


class OptionsRefused(ReleaseError):
    """Raised before anything is done for options that cannot be followed, all of them at once."""

    def __init__(self, *, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "an option" if len(problems) == 1 else f"{len(problems)} options"
        super().__init__(
            what=problems[0] if len(problems) == 1 else f"{count} cannot be followed",
            why="an option that is not followed to the letter would be one that is ignored",
            details=problems if len(problems) > 1 else (),
            next_step="correct the command; `hephaestus release install --help` lists every option",
        )


class ReleaseMissing(ReleaseError):
    """Raised when there is no release to install: none of that tag or version, or no stable one at all."""

    def __init__(self, *, wanted: str, place: str, hint: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(
            what=f"{place} has no {wanted}{f' ({hint})' if hint else ''}",
            why=why or "drafts and pre-releases are never taken for the latest; a private repository needs a token",
            next_step=next_step or f"name a release that is there with `--tag`, then {_RERUN}",
        )


class AssetMissing(ReleaseError):
    """Raised when a release holds no asset of the kind; ``available`` are the names it does hold."""

    def __init__(self, *, kind: str, pattern: str, release: str, available: Sequence[str], option: str) -> None:
        super().__init__(
            what=f"release {release} has no {kind}: none of its assets matches {pattern!r}",
            why="this release was published without one, or under another name",
            details=[f"it has {name}" for name in available] or ["it has no assets at all"],
            next_step=f"name the asset with `{option}`, or choose another release with `--tag`",
        )


class Unsigned(ReleaseError):
    """Raised when something that would prove the release is not there: checksum, bundle, attestation."""

    def __init__(self, *, subject: str, lacks: str, looked: str) -> None:
        self.lacks = lacks
        super().__init__(
            what=f"{subject} has no {lacks}, so nothing proves whose it is; it was not installed",
            why=f"looked for {looked}; whoever can replace a file could have taken its proof away",
            next_step="install a release that has one (`--tag`), or accept an unproven one with `--allow-unsigned`",
        )


class NotVerified(ReleaseError):
    """Raised when a proof is there and does not hold; ``verdicts`` are all of them."""

    def __init__(self, *, subject: str, verdicts: Sequence[Verdict], expected: str) -> None:
        self.verdicts = tuple(verdicts)
        super().__init__(
            what=f"{subject} is not what {expected} has released; it was not installed",
            why="its signature does not hold: it was tampered with, made by somebody else, or for another tag",
            details=[verdict.text() for verdict in verdicts],
            next_step="do not use this file; if the project signs under another workflow, name it with `--workflow` or "
            "`--sigstore-identity`, else tell its maintainers",
        )


class DigestsDisagree(ReleaseError):
    """Raised when those who state a file's SHA-256 do not state the same; ``stated`` maps each to its digest."""

    def __init__(self, *, name: str, stated: Mapping[str, str]) -> None:
        self.stated = dict(stated)
        super().__init__(
            what=f"{name}: its SHA-256 is not the same everywhere; it was not installed",
            why="one of these was changed after the release: the file, or the list it stands in",
            details=[f"{source} says {digest}" for source, digest in stated.items()],
            next_step="do not use this release; tell its maintainers which of them differ",
        )


class PlaceTaken(ReleaseError):
    """Raised when something is in the way at the destination that must not be written over."""

    def __init__(self, *, path: Path, problem: str, next_step: str) -> None:
        super().__init__(
            what=f"{path} {problem}",
            why="what this program did not make itself, or was not told to replace, stays as it is",
            next_step=next_step,
        )


class PlaceExposed(ReleaseError):
    """Raised when others can write to the destination: what was proven there could be exchanged before it is used."""

    def __init__(self, *, path: Path, problem: str) -> None:
        super().__init__(
            what=f"{path} {problem}",
            why="between the proof and the installation they could put other files in the place of the proven ones",
            next_step="choose a folder of your own with `--destination`; or, where this one is yours, "
            f"`chmod go-w {path}`, then {_RERUN}",
        )


class PlaceUnwritable(ReleaseError):
    """Raised when the destination cannot be written; what was there before still is."""

    def __init__(self, *, path: Path, error: OSError) -> None:
        super().__init__(
            what=f"{path} cannot be written: {error.strerror or error}",
            why="the disk is full, or the folder is not ours to write to; nothing incomplete was installed",
            next_step=f"make room, or choose another folder with `--destination`, then {_RERUN}",
        )


class TargetUnfit(ReleaseError):
    """Raised when nothing can be installed into the Python that was named."""

    def __init__(self, *, python: str, problem: str, next_step: str) -> None:
        super().__init__(
            what=f"cannot install into {python}: {problem}",
            why="releases are installed by the pip of that Python, or by uv where it has none",
            next_step=next_step,
        )


class FormerNameInstalled(ReleaseError):
    """Raised when two distributions would own the same files: then uninstalling one breaks the other."""

    def __init__(self, *, python: str, there: str, coming: str, command: str) -> None:
        self.command = command
        super().__init__(
            what=f"{there} is installed in {python}, and {coming} has the same files",
            why="it is the same program under its other name; both together share files, and uninstalling either "
            "deletes the other's",
            next_step=f"`{command}`, then {_RERUN} (or go on all the same with `--allow-shared-files`)",
        )


class WheelsUnfit(ReleaseError):
    """Raised when the archive has no wheel of some distribution that fits the Python."""

    def __init__(
        self, *, archive: str, python: str, names: Mapping[str, Sequence[str]], others: Sequence[str] = ()
    ) -> None:
        super().__init__(
            what=f"{archive} does not fit Python {python} on this platform",
            why="it was made for another platform or Python; nothing was installed",
            details=[
                *(f"{name} only as {', '.join(files)}" for name, files in names.items()),
                *(f"the release also has {name}" for name in others),
            ],
            next_step="choose the archive for this platform with `--asset-pattern`, or another Python with `--python`",
        )


class TargetMissing(ReleaseError):
    """Raised when an archive is wanted for a Python and platform that the release was not made for."""

    def __init__(
        self,
        *,
        release: str,
        wanted: str,
        targets: Sequence[str],
        archive: str,
        lacking: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__(
            what=f"release {release} has no archive for {wanted}",
            why="wheels of another platform or Python would be of no use there",
            details=[
                *(f"it has one for {target}" for target in targets),
                *(f"{archive} has {name} only as {', '.join(files)}" for name, files in lacking.items()),
            ],
            next_step="name one of its targets with `--target`, or take any archive by its name with `--asset-pattern`",
        )


class InstallFailed(ReleaseError):
    """Raised when the installer refuses what was verified; holds what it found."""

    def __init__(self, *, subject: str, python: str, findings: Sequence[Finding], next_step: str = "") -> None:
        self.findings = tuple(findings)
        super().__init__(
            what=f"{subject} could not be installed into {python}",
            why="the installer refused it; nothing of it was installed, and what was fetched is kept",
            details=[finding.line() for finding in findings],
            next_step=next_step or f"correct what is named above, then {_RERUN}",
        )
