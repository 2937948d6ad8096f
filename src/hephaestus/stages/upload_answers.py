"""What an index answers to an upload, translated: what it means, whether waiting helps, what to do.

The beginnings of the messages are those of PyPI's own server (facts: pypi, section 1, measured and read on
2026-11-22); they are looked for anywhere in what twine prints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hephaestus.release.errors import ReleaseError
from hephaestus.services.index import Propagation, PropagationState, UploadPlan

__all__ = ["Answer", "NotShownError", "ProvenanceMissingError", "UploadIncompleteError", "explain"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One kind of answer. ``transient``: the same upload may succeed later, unchanged."""

    pattern: str
    meaning: str
    remedy: str
    transient: bool = False


_NEW_VERSION = "raise the version and release that; this one can never be completed"
_AGAIN = "run the same command again in a few minutes"
_CHECK = "mend it, raise the version, and run `nox -s release` again; `nox -s check` should have said so: report it"

_ANSWERS = (
    Answer(
        pattern="This environment is not supported for trusted publishing|not supported for trusted publishing|"
        r"Credential not found|OIDC token request failed \(code=40[13]",
        meaning="there is no OIDC identity here: this is no CI job, or it lacks `id-token: write`",
        remedy="publish from the workflow; a job needs `permissions: id-token: write`",
    ),
    Answer(
        pattern="invalid-publisher|invalid-pending-publisher",
        meaning="the index knows no Trusted Publisher with the claims of this run",
        remedy="compare repository, workflow file and environment with the publisher in the project's settings",
    ),
    Answer(
        pattern="invalid-reuse-token|reuse-token",
        meaning="the identity token was exchanged before; each works once",
        remedy="re-run the job: it gets a new one",
    ),
    Answer(
        pattern="invalid-token|invalid-payload",
        meaning="the index does not accept the identity token",
        remedy="compare this machine's clock; then re-run the job",
    ),
    Answer(
        pattern="not-enabled|403 [^\n]*/_/oidc/audience",
        meaning="the index has Trusted Publishing switched off at the moment",
        remedy=_AGAIN,
        transient=True,
    ),
    Answer(
        pattern="previously used by a file that has since been deleted",
        meaning="this file name was used and deleted; a name is used once for ever",
        remedy=_NEW_VERSION,
    ),
    Answer(pattern="File already exists", meaning="the index has other bytes under this name", remedy=_NEW_VERSION),
    Answer(
        pattern="older than 14 days",
        meaning="the release is older than 14 days and takes no more files",
        remedy=_NEW_VERSION,
    ),
    Answer(
        pattern="Only one sdist", meaning="the release has an sdist already, another one than ours", remedy=_NEW_VERSION
    ),
    Answer(
        pattern="Non-user identities cannot create new projects",
        meaning="the project does not exist there and the publisher is not pending for this name",
        remedy="add a pending Trusted Publisher for this project on the index, then run the same command again",
    ),
    Answer(
        pattern="Attestations are only supported when using Trusted Publishing",
        meaning="attestations came with a token that was not minted by Trusted Publishing",
        remedy="remove every API token from this environment and publish from the workflow",
    ),
    Answer(
        pattern="Unknown error while trying to verify",
        meaning="the index could not verify the attestations at the moment; Sigstore may be in trouble",
        remedy=_AGAIN,
        transient=True,
    ),
    Answer(
        pattern="Invalid attestations supplied",
        meaning="the index refuses the attestations",
        remedy="`nox -s check` verifies them; compare the publisher's repository and workflow",
    ),
    Answer(
        pattern="isn't allowed to upload to project",
        meaning="this identity may not upload to the project, or the project is archived",
        remedy="look at the project's settings on the index: collaborators, publishers, archived or not",
    ),
    Answer(
        pattern="Read-only mode|uploads are temporarily disabled",
        meaning="the index takes no uploads at the moment",
        remedy=_AGAIN,
        transient=True,
    ),
    Answer(
        pattern="Too many new projects",
        meaning="too many new projects were made from here",
        remedy="wait an hour, then run the same command again",
    ),
    Answer(
        pattern="File too large|Project size too large",
        meaning="the file or the project is too large for the index",
        remedy="ask the index for a higher limit, or make the distribution smaller and raise the version",
    ),
    Answer(
        pattern="Organization account owning this project is inactive",
        meaning="the owning organisation is inactive",
        remedy="an owner of the organisation must set it right on the index",
    ),
    Answer(
        pattern=r"Invalid API Token: [^\n]*[Ee]xpired",
        meaning="the upload token expired midway; the next attempt mints a new one",
        remedy=_AGAIN,
        transient=True,
    ),
    Answer(
        pattern="Invalid or non-existent authentication|Invalid API Token|no longer supported",
        meaning="the index does not accept the credential",
        remedy="re-run the job: Trusted Publishing mints a new one",
    ),
    Answer(
        pattern="RedirectDetected|[Aa]ttempted to redirect",
        meaning="the index answered with a redirect, which an upload must not follow",
        remedy="correct the index's address in the configuration",
    ),
    Answer(
        pattern="CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        meaning="the index's certificate is not trusted here",
        remedy="look at the proxy and certificate settings of this machine",
    ),
    Answer(
        pattern="Invalid distribution file|digest supplied|unsupported platform tag|local versions|direct dependency|"
        "not a valid|is invalid|isn't allowed|too similar",
        meaning="the index refuses the file or its metadata",
        remedy=_CHECK,
    ),
)

#: What fits many outputs, and says less than any answer above it. Statuses count only where twine names one: file
#: names and versions hold numbers too.
_GENERAL = (
    Answer(
        pattern=r"(?:HTTPError: |Received \")429\b", meaning="the index asks to slow down (429)", remedy=_AGAIN,
        transient=True,
    ),
    Answer(
        pattern=r"(?:HTTPError: |Received \")(?:408|5\d\d)\b", meaning="the index failed to take it (408 or 5xx)",
        remedy=_AGAIN, transient=True,
    ),
    Answer(
        pattern="TrustedPublishingFailure|[Tt]rusted publishing exchange|retrieve (?:the )?OIDC|OIDC token",
        meaning="the Trusted Publishing exchange failed",
        remedy="re-run the job; if it stays, compare the publisher in the project's settings",
    ),
    Answer(
        pattern="ConnectionError|Connection aborted|RemoteDisconnected|Connection reset|[Tt]imed? ?out|ProtocolError|"
        "Max retries|SSLError|SSLEOFError|did not end within",
        meaning="the connection to the index broke or went silent",
        remedy=_AGAIN,
        transient=True,
    ),
)  # fmt: skip

_UNKNOWN = Answer(pattern="", meaning="the index's answer is not known to this suite", remedy=_AGAIN)


#: What twine says of an exchange that went well; it would be taken for one that did not.
_PROGRESS = re.compile(r"Got OIDC token for audience|Minted upload token|Uploading (?:distributions to )?\S+\s*$")


def explain(output: str) -> Answer:
    """The first kind of answer found in what twine printed."""
    said = "\n".join(line for line in output.splitlines() if not _PROGRESS.search(line))
    return next((answer for answer in (*_ANSWERS, *_GENERAL) if re.search(answer.pattern, said)), _UNKNOWN)


class UploadIncompleteError(ReleaseError):
    """Raised when an upload ended and the index lacks files; says how far it came and until when it can go on."""

    def __init__(self, *, stage: str, index: str, plan: UploadPlan, answer: Answer, output: str) -> None:
        self.answer = answer
        there = len(plan.identical)
        until = f"; to be completed before {plan.deadline:%Y-%m-%d %H:%M} UTC" if plan.deadline is not None else ""
        state = f"{there} of {len(plan.files)} files are on {index}{until}"
        super().__init__(
            what=f"{stage}: {answer.meaning}; {state}",
            why="what is there stays; a rerun sends only what is missing, and only the same bytes",
            details=[*(f"missing: {file.filename}" for file in plan.missing), *_tail(output)],
            next_step=f"{answer.remedy}; `nox -s {stage}` goes on from here" if answer.transient else answer.remedy,
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

    def __init__(self, *, stage: str, index: str, files: Sequence[str]) -> None:
        super().__init__(
            what=f"{stage}: {index} serves {len(files)} files without their attestations",
            why="attestations are taken with the upload only; they cannot be added to these files any more",
            details=files,
            next_step="the release is usable without them; to have them, raise the version and release that",
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


_NOISE = re.compile(f"{_PROGRESS.pattern}|exception was the direct cause|another exception occurred")
