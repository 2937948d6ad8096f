"""The hand-over between CI jobs: the release directory as an artifact, its digest through a second channel.

An artifact store proves transport at best. So each job states one digest over everything its stage rests on -
receipts and outputs - as a job output, and the next job holds what it received against it before anything else.
A word is ``<stage>=sha256:<64 hex>``; several are separated by blanks, where a job takes in several directories.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hephaestus.release.chain import REQUIRES, closure
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.manifest import digest_of, is_digest, manifest_digest

__all__ = ["HandoverError", "handover_findings", "read_words", "stated"]


class HandoverError(ReleaseError):
    """Raised when the words of a hand-over cannot be read; nothing was looked at."""

    def __init__(self, *, word: str, problem: str) -> None:
        super().__init__(
            what=f"the manifest digest {word!r} {problem}",
            why="it comes from the job before this one; without it nothing proves that its files are what arrived",
            next_step="give this job `HEPHAESTUS_MANIFEST: ${{ needs.<job>.outputs.manifest }}`, one word a needed job",
        )


def stated(directory: ReleaseDirectory, stage: str) -> str:
    """The word of ``stage``: ``<stage>=sha256:<hex>`` over every receipt and output it rests on. Raises OSError."""
    return f"{stage}={_digest(directory, closure(stage))}"


def read_words(text: str) -> dict[str, str]:
    """Read ``text`` into ``{stage: "sha256:<hex>"}``; an empty text is an empty mapping. Raises HandoverError."""
    words: dict[str, str] = {}
    for word in text.split():
        stage, _, digest = word.partition("=")
        if stage not in REQUIRES:
            raise HandoverError(word=word, problem="names no stage")
        if not is_digest(digest):
            raise HandoverError(word=word, problem="is not <stage>=sha256:<64 hex digits>")
        if words.setdefault(stage, digest) != digest:
            raise HandoverError(word=word, problem=f"contradicts another one of {stage}")
    return words


def handover_findings(directory: ReleaseDirectory, words: Mapping[str, str], *, needed: Iterable[str]) -> list[Finding]:
    """Hold a received directory against the words: each digest, nothing beyond them, every needed stage covered.

    Files are held against their receipts by every stage anyway; here the receipts are held against the other job.
    Raises ReceiptError.
    """
    findings = []
    covered: set[str] = set()
    for stage, expected in words.items():
        parts = closure(stage)
        covered.update(parts)
        # A stage that policy leaves out leaves no receipt; its job states what there is.
        found = _digest(directory, parts)
        if found != expected:
            findings.append(
                Finding(
                    code="handover-differs",
                    subject=stage,
                    message=f"its job handed over {expected}, what arrived is {found}",
                    remedy="re-run the job that made it; if that differs again, stop: the artifact was changed",
                )
            )
    findings += [
        Finding(
            code="handover-uncovered",
            subject=stage,
            message="its receipt arrived, but no job vouches for it",
            remedy=f"add the output of job {stage} to HEPHAESTUS_MANIFEST, or leave its artifact out",
        )
        for stage in directory.receipts()
        if stage not in covered
    ]
    findings += [
        Finding(
            code="handover-missing",
            subject=stage,
            message="no digest of it was handed over",
            remedy=f"give this job `HEPHAESTUS_MANIFEST` with `${{{{ needs.{stage}.outputs.manifest }}}}`",
        )
        for stage in needed
        if stage not in covered
    ]
    if directory.unfinished:
        # Recovery would put it into place after this, and no word is about it; jobs hand over finished work only.
        findings.append(
            Finding(
                code="handover-unfinished",
                subject=".staged",
                message="an unfinished step arrived with it, which would replace what the words are about",
                remedy="stop: no job hands over unfinished work; the artifact was changed",
            )
        )
    return findings


def _digest(directory: ReleaseDirectory, stages: Iterable[str]) -> str:
    files: dict[str, str] = {}
    for stage in stages:
        receipt = directory.receipt(stage)
        if receipt is None:
            continue
        files[f"receipts/{stage}.json"] = digest_of(directory.path / "receipts" / f"{stage}.json")
        files |= receipt.outputs
    return manifest_digest(files)
