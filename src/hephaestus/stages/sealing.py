"""Sealing: once a file of this version is on an index of this world, its bytes can never be others.

An index refuses other bytes under a used name for ever, and ignores new attestations of a file it has. What would
change sealed bytes is therefore stopped here, before it could half-publish a version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.versions import bump_command
from hephaestus.services.errors import ServiceError
from hephaestus.stages.indexes import http_client, index_client
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import Index, TestPyPIPolicy

__all__ = ["Ask", "SealedError", "Seals", "ask_index", "hold_seals", "inquire", "sealed", "sealing_findings"]

Ask = Callable[[Index, str, str], Mapping[str, str]]
"""Asks one index for the files of one version of a project: file name to ``sha256:<hex>``. Raises ServiceError."""

#: What stands where an index gives no sha256 of a file: equal to nothing.
_UNKNOWN = "sha256 not told"


class SealedError(ReleaseError):
    """Raised when a build came out other than what an index of this world holds for ever."""

    def __init__(self, *, version: str, differences: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
        super().__init__(
            what=f"version {version} is sealed: {', '.join(sorted(differences))} already has other bytes of it",
            why="an index never takes other bytes under a name it has seen; nothing of this build was kept",
            details=[
                f"{index}: {name} has {theirs} there, this build made {ours}"
                for index, files in sorted(differences.items())
                for name, (theirs, ours) in sorted(files.items())
            ],
            next_step="bring back the release directory of the run that made those files (in CI its artifact), or "
            f"release the change as a new version: `{bump_command(version)}`. In a rehearsal any edit "
            "of the source opens a fresh world, unless `-- --keep-world` holds on to this one",
        )


class UnansweredError(ReleaseError):
    """Raised when bytes would change while an index could not say whether it has sealed the old ones."""

    def __init__(self, *, index: str, cause: ReleaseError, changed: list[str]) -> None:
        super().__init__(
            what=f"{index} did not say whether it has files of this version: {cause.what}",
            why=f"this build changed {', '.join(changed)}; were the former bytes sealed, they could not be replaced",
            next_step=cause.next_step or "run the same command again",
        )


@dataclass(frozen=True, kw_only=True)
class Seals:
    """What the indexes hold of this version, by index and file name; ``unanswered``: why one could not be asked."""

    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unanswered: Mapping[str, ReleaseError] = field(default_factory=dict)

    @property
    def where(self) -> tuple[str, ...]:
        """The indexes that hold any file of this version."""
        return tuple(sorted(index for index, files in self.files.items() if files))


def ask_index(index: Index, name: str, version: str) -> dict[str, str]:
    """Ask the index's own simple JSON, past every cache. Raises ServiceError."""
    with http_client() as http:
        files = index_client(index, http).release_files(name, version)
    return {file.filename: f"sha256:{file.sha256}" if file.sha256 else _UNKNOWN for file in files}


def inquire(context: Context, *, ask: Ask = ask_index) -> Seals:
    """Ask every index of this world; one that cannot be asked is recorded, not raised.

    Where policy makes Test PyPI optional, its silence is only said: it must not stop what it would not stop later.
    """
    files: dict[str, Mapping[str, str]] = {}
    unanswered: dict[str, ReleaseError] = {}
    for name, index in context.world.indexes.items():
        try:
            files[index.name] = dict(ask(index, context.project.normalized, context.project.version))
        except ServiceError as error:
            if name == "testpypi" and context.world.policy.testpypi is TestPyPIPolicy.OPTIONAL:
                context.narrator.warn(
                    f"{name} does not answer; passed over because the policy makes it optional: what it "
                    f"already has of this version is not known; `nox -s build` asks again"
                )
                continue
            unanswered[index.name] = error
    return Seals(files=files, unanswered=unanswered)


def sealed(context: Context, *, ask: Ask = ask_index) -> dict[str, dict[str, str]]:
    """Files of this version on each index of this world: index to file name to ``sha256:<hex>``.

    Raises ServiceError for the first index that cannot be asked: silence is no proof of absence.
    """
    seals = inquire(context, ask=ask)
    for error in seals.unanswered.values():
        raise error
    return {index: dict(files) for index, files in seals.files.items()}


def sealing_findings(context: Context, seals: Seals) -> list[Finding]:
    """What sealing says before anything is made.

    A sealed version may still be built to reproduce its bytes (a warning says so). An index that does not answer
    refuses, unless distributions are in place already: then only a build that changes them is refused, later.
    """
    receipt = context.directory.receipt("build")
    former = [path for path in (receipt.outputs if receipt is not None else ()) if path.startswith("dist/")]
    findings = [
        Finding(
            code="sealed",
            subject=index,
            message=f"has {_files(len(seals.files[index]))} of version {context.project.version} already: this build "
            "must reproduce the same bytes, or it is thrown away",
            remedy="go on where this is the commit that was uploaded; any change is a new version: "
            f"`{bump_command(context.project.version)}`",
            severity=Severity.WARNING,
        )
        for index in seals.where
    ]
    for index, error in sorted(seals.unanswered.items()):
        message = f"could not be asked whether it has files of this version: {error.what}"
        if former:
            message += "; only a build that changes nothing will be kept"
        severity = Severity.WARNING if former else Severity.ERROR
        remedy = error.next_step
        findings.append(
            Finding(code="index-unanswered", subject=index, message=message, remedy=remedy, severity=severity)
        )
    return findings


def hold_seals(context: Context, seals: Seals, made: Mapping[str, str]) -> None:
    """Hold what was made (file name to ``sha256:<hex>``) against the seals; raises SealedError, UnansweredError.

    Every file an index has must be among those made, byte for byte; a file it lacks may yet be added. An index
    that did not answer is satisfied only by the very files that are in place already.
    """
    differences = {
        index: {
            name: (theirs, made.get(name, "no such file")) for name, theirs in files.items() if made.get(name) != theirs
        }
        for index, files in seals.files.items()
    }
    if differing := {index: files for index, files in differences.items() if files}:
        raise SealedError(version=context.project.version, differences=differing)
    for index, cause in sorted(seals.unanswered.items()):
        receipt = context.directory.receipt("build")
        former = {
            path.removeprefix("dist/"): digest
            for path, digest in (receipt.outputs if receipt is not None else {}).items()
            if path.startswith("dist/")
        }
        if changed := sorted(name for name in {*former, *made} if former.get(name) != made.get(name)):
            raise UnansweredError(index=index, cause=cause, changed=changed)


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count} files"
