"""Gates of an upload: what must hold of the attestations, and what the index has that makes it impossible."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hephaestus.release.burned import burned_names
from hephaestus.release.errors import Finding
from hephaestus.release.versions import bump_command
from hephaestus.services.index import IndexProject, UploadPlan
from hephaestus.stages.proofs import distributions, outputs_of
from hephaestus.stages.stage import Context
from hephaestus.stages.verification import Proof, attestation_of, refusals, verify

__all__ = ["attestation_findings", "burned_findings", "impossible", "signature_findings"]


def attestation_findings(context: Context) -> list[Finding]:
    """Every distribution has an attestation, and they were made under the identity of this release."""
    signed = outputs_of(context, "sign")
    findings = [
        Finding(
            code="no-attestation",
            subject=Path(path).name,
            message="has no attestation; an index takes it with the upload or never",
            remedy="nox -s sign",
        )
        for path in distributions(context)
        if attestation_of(Path(path).name) not in signed
    ]
    receipt = context.directory.receipt("sign")
    expected = context.world.publisher.subject
    if receipt is None or receipt.evidence.get("identity") == expected:
        return findings
    other = Finding(
        code="other-identity",
        subject="sign",
        message=f"signed as {receipt.evidence.get('identity')}, this release expects {expected}",
        remedy="nox -s sign",
    )
    return [*findings, other]


def signature_findings(context: Context) -> list[Finding]:
    """Every attestation verifies, under the identity of this release."""
    proofs = [
        Proof(
            file=context.directory.path / path,
            proof=context.directory.path / attestation_of(Path(path).name),
            kind="attestation",
        )
        for path in distributions(context)
    ]
    return refusals(verify(context, proofs), subject=context.world.publisher.subject)


def impossible(
    context: Context, remote: IndexProject | None, plan: UploadPlan, *, index: str, now: datetime
) -> list[Finding]:
    """What can never be uploaded, by what the index has: ``index`` is what it is called."""
    anew = f"raise the version (`{bump_command(context.project.version)}`)"
    never = f"these bytes can never be uploaded: {anew} and release that"
    findings = [
        Finding(code="conflict", subject=file.filename, message=file.reason, remedy=never) for file in plan.conflicts
    ]
    findings += [
        Finding(
            code="foreign-on-index",
            subject=file.filename,
            message=f"is on {index} under this version and is none of ours (sha256 {file.sha256})",
            remedy=f"find out who uploaded it before anything else; then {anew}",
        )
        for file in plan.foreign
    ]
    if plan.too_late(now):
        findings.append(
            Finding(
                code="too-late",
                subject=context.project.version,
                message=f"{index} takes no more files of it; {plan.until(now)}",
                remedy=f"{anew} and release that",
            )
        )
    if remote is not None and remote.status != "active" and not plan.complete:
        findings.append(
            Finding(
                code=remote.status,
                subject=context.project.normalized,
                message=f"is {remote.status} on {index} and takes no uploads {remote.reason}".rstrip(),
                remedy="unarchive it in the project's settings"
                if remote.status == "archived"
                else "read the e-mail to the project's owners: the index's administrators decide",
            )
        )
    return findings


def burned_findings(context: Context, plan: UploadPlan, *, index: str) -> list[Finding]:
    """Missing files whose names the index has refused for ever in an earlier run: nothing is sent to hear it again."""
    burned = burned_names(context.directory, index)
    anew = bump_command(context.project.version)
    return [
        Finding(
            code="name-burned",
            subject=file.filename,
            message=f"this name was used on {index} by a file that has since been deleted, it said on "
            f"{burned[file.filename]}; a name is used once for ever",
            remedy=f"raise the version and release that: `{anew}`",
        )
        for file in plan.missing
        if file.filename in burned
    ]
