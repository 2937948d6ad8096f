"""How an upload ends badly: what happened, in which state the release is, until when it can go on, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from hephaestus.release.errors import ReleaseError
from hephaestus.release.versions import bump_command
from hephaestus.services.index import Propagation, PropagationState, UploadPlan
from hephaestus.services.uploading import UploadAnswer

__all__ = ["NotShownError", "ProvenanceMissingError", "UploadIncompleteError"]


class UploadIncompleteError(ReleaseError):
    """Raised when an upload ended and the index lacks files; says how far it came and until when it can go on."""

    def __init__(
        self, *, stage: str, index: str, plan: UploadPlan, answer: UploadAnswer, output: str, now: datetime
    ) -> None:
        self.answer = answer
        late = plan.too_late(now)
        there = f"{len(plan.identical)} of {len(plan.files)} files are on {index}"
        bump = bump_command(str(plan.version))
        new = f"raise the version (`{bump}`) and release that; this one can never be completed"
        way_on = answer.way_on(str(plan.version))
        again = f"{way_on}; `nox -s {stage}` goes on from here" if answer.transient else way_on
        super().__init__(
            what="; ".join(filter(None, (f"{stage}: {answer.meaning}", there, plan.until(now)))),
            why="; ".join(
                filter(None, (answer.why, "what is there stays, a rerun sends the missing bytes and no others"))
            ),
            details=[
                *(f"on {index}: {file.filename}" for file in plan.identical),
                *(f"missing: {file.filename}" for file in plan.missing),
                *(f"conflict: {file.filename}: {file.reason}" for file in plan.conflicts),
                *(f"none of ours: {file.filename}" for file in plan.foreign),
                *_tail(output),
            ],
            next_step=new if late or plan.conflicts else again,
        )


class NotShownError(ReleaseError):
    """Raised when what was uploaded is not what the index shows: lag, wrong bytes, a project taken out of view."""

    def __init__(self, *, stage: str, index: str, seen: Propagation) -> None:
        meaning, next_step = _SEEN[seen.state]
        details = [f"{name}: expected sha256 {ours}, served {theirs}" for name, (ours, theirs) in seen.wrong.items()]
        details += [f"not shown: {name}" for name in seen.waiting]
        details += [line for line in (seen.reason, seen.trouble) if line]
        super().__init__(
            what=f"{stage}: {index} {meaning} (asked {seen.polls} times in {seen.seconds:.0f} s)",
            why="an upload counts when the index itself shows every name with our SHA-256",
            details=details,
            next_step=next_step.format(stage=stage),
        )


_SEEN = {
    PropagationState.LAGGING: (
        "has the files, but its simple page does not show them yet; nothing is lost and nothing needs uploading",
        "`nox -s {stage}` again in a few minutes: it only asks",
    ),
    PropagationState.ABSENT: (
        "accepted the upload and shows nothing of it",
        "`nox -s {stage}` again: it asks first and sends only what is missing",
    ),
    PropagationState.WRONG: (
        "serves other bytes than were uploaded: treat this as tampering",
        "promote nothing; compare the files on the index with `release/`, and tell the index's security team",
    ),
    PropagationState.QUARANTINED: (
        "has the project in quarantine",
        "read the e-mail to the project's owners: the index's administrators decide",
    ),
    PropagationState.ARCHIVED: (
        "has the project archived and shows nothing new",
        "unarchive it in the project's settings, then `nox -s {stage}`",
    ),
    PropagationState.UNANSWERED: (
        "does not answer",
        "`nox -s {stage}` again when it does: it asks first and sends only what is missing",
    ),
}


class ProvenanceMissingError(ReleaseError):
    """Raised when the index serves a file without any attestation, although it was uploaded with one."""

    def __init__(self, *, stage: str, index: str, version: str, files: Sequence[str]) -> None:
        super().__init__(
            what=f"{stage}: {index} serves {len(files)} files without their attestations",
            why="attestations are taken with the upload only; they cannot be added to these files any more",
            details=files,
            next_step="the release is usable without them; to have them, raise the version "
            f"(`{bump_command(version)}`) and release that",
        )


def _tail(output: str) -> list[str]:
    """The last lines that say something: no progress, and of a traceback only how it ends."""
    said: list[str] = []
    inside = False
    for line in output.splitlines():
        inside = line.startswith("Traceback ") or (inside and (not line.strip() or line.startswith(" ")))
        if line.strip() and not inside and not _NOISE.search(line):
            said.append(line.strip())
    return said[-6:]


_NOISE = re.compile(
    r"Got OIDC token for audience|Minted upload token|Uploading (?:distributions to )?\S+\s*$"
    r"|exception was the direct cause|another exception occurred"
)
