"""Proofs: gates that several stages share - which receipts are there, and for which bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hephaestus.release.errors import Finding
from hephaestus.release.receipts import Receipt
from hephaestus.stages.stage import Context

__all__ = ["PASSED_OVER", "distributions", "outputs_of", "passed_over", "unproven"]

#: The state an upload records when its index was down and policy let the release go on without it.
PASSED_OVER = "unavailable, passed over (optional by policy)"


def passed_over(uploaded: Receipt | None) -> bool:
    """Whether this receipt of an upload says that its index was down and nothing was sent to it."""
    return uploaded is not None and uploaded.evidence.get("state") == PASSED_OVER


def outputs_of(context: Context, stage: str, *, below: str = "") -> dict[str, str]:
    """What ``stage`` put out, by path and digest, optionally only below one folder.

    Empty without a receipt, and for a stage that policy leaves out: what another world left is no part of this one.
    """
    receipt = context.directory.receipt(stage)
    if receipt is None or stage in context.world.policy.left_out:
        return {}
    return {path: digest for path, digest in receipt.outputs.items() if path.startswith(below)}


def distributions(context: Context) -> dict[str, str]:
    """The distributions of this release: ``dist/...`` paths to digests, as build recorded them."""
    return outputs_of(context, "build", below="dist/")


def unproven(context: Context, stages: Iterable[str]) -> list[Finding]:
    """Hold each stage's receipt against the files as they are now: it must exist, and be about these very bytes.

    Stages that policy leaves out have none to show.
    """
    stages = [stage for stage in stages if stage not in context.world.policy.left_out]
    findings: list[Finding] = []
    manifest = context.directory.manifest()
    for stage in stages:
        receipt = context.directory.receipt(stage)
        if receipt is None:
            message = "has not been done for this release: there is no receipt"
            findings.append(Finding(code="no-receipt", subject=stage, message=message, remedy=f"nox -s {stage}"))
            continue
        findings += _about_other_bytes(receipt, manifest)
        findings += _about_another_release(context, receipt)
    present = {path for stage in stages for path in outputs_of(context, stage)}
    for finding in context.directory.damage(of={path: manifest[path] for path in present}):
        findings.append(finding)
    return findings


def _about_other_bytes(receipt: Receipt, manifest: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            code="stale-receipt",
            subject=receipt.stage,
            message=f"was done for other bytes: its {path} had {digest}, the release has {manifest.get(path, 'none')}",
            remedy=f"nox -s {receipt.stage}",
        )
        for path, digest in receipt.inputs.items()
        if manifest.get(path) != digest
    ]


def _about_another_release(context: Context, receipt: Receipt) -> list[Finding]:
    found = (receipt.project, receipt.version, receipt.world)
    expected = (context.project.normalized, context.project.version, context.world.label)
    if found == expected:
        return []
    return [
        Finding(
            code="other-release",
            subject=receipt.stage,
            message=f"its receipt is of {' '.join(found)}, this is {' '.join(expected)}",
            remedy="nox -s build -- --redo",
        )
    ]
