"""The runner: recovery, key, skip, gates, act, receipt - the same for every stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from hephaestus.release.directory import DirectoryDamagedError
from hephaestus.release.errors import Finding, GateRefused, Severity
from hephaestus.release.receipts import Receipt, key_of
from hephaestus.stages.stage import Context, Inputs, Stage
from hephaestus.toolchain.locks import read_lock

__all__ = ["Outcome", "Recorder", "own_missing", "run_stage", "stage_key"]


class Recorder(Protocol):
    """Where the commands of a stage are collected while it runs (the Environment's adapter)."""

    @property
    def commands(self) -> Sequence[Sequence[str]]:
        """Every command run so far, as run."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a stage ended well: ``done`` now, ``skipped`` because it was done before, ``exempt`` by policy."""

    stage: str
    state: Literal["done", "skipped", "exempt"]
    reason: str
    seconds: float = 0.0
    warnings: tuple[Finding, ...] = ()
    receipt: Receipt | None = None


def run_stage(stage: Stage, context: Context, *, recorder: Recorder, clock: Callable[[], float] = time.time) -> Outcome:
    """Run one stage to its receipt, or skip it because its receipt still holds.

    The caller holds the release's lock. Raises GateRefused, DirectoryDamagedError, ReceiptError and whatever
    ReleaseError the stage raises; the release directory is then as it was before.
    """
    for line in context.directory.recover():
        context.narrator.warn(line)
    redo_missing = own_missing(stage, context)
    if reason := context.world.policy.left_out.get(stage.name) or stage.exempt(context):
        return Outcome(stage=stage.name, state="exempt", reason=reason)
    inputs = stage.inputs(context)
    key = stage_key(stage, context, inputs)
    receipt = context.directory.receipt(stage.name)
    if receipt is not None and receipt.key == key and not redo_missing and not context.options.forces(stage.name):
        doubt = stage.confirm(context)
        if not doubt:
            return Outcome(
                stage=stage.name, state="skipped", reason=f"done {receipt.started}, nothing changed", receipt=receipt
            )
        context.narrator.step(doubt)
    findings = stage.gates(context)
    for finding in findings:
        if finding.severity == Severity.WARNING:
            context.narrator.warn(finding.line())
    if refusals := [finding for finding in findings if finding.severity == Severity.ERROR]:
        raise GateRefused(stage=stage.name, findings=refusals, next_step=_next_step(stage, refusals))
    return _act(stage, context, inputs=inputs, key=key, recorder=recorder, clock=clock)


def _act(
    stage: Stage, context: Context, *, inputs: Inputs, key: str, recorder: Recorder, clock: Callable[[], float]
) -> Outcome:
    begun = clock()
    before = time.perf_counter()
    with context.directory.staging(stage.name) as staging:
        evidence = stage.act(context, staging)
        build = context.directory.receipt("build")
        source = context.source
        commit = source.commit if source is not None else build.commit if build is not None else ""
        dirty = bool(source.dirty) if source is not None else build.dirty if build is not None else False
        receipt = Receipt(
            stage=stage.name,
            world=context.world.label,
            project=context.project.normalized,
            version=context.project.version,
            commit=commit,
            dirty=dirty,
            key=key,
            started=datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=round(time.perf_counter() - before, 3),
            inputs=dict(inputs.files),
            tools={**_tools(stage), **evidence.tools},
            commands=[[_stable(context, word) for word in command] for command in recorder.commands],
            evidence=evidence.data,
        )
        receipt = context.directory.commit(staging, receipt)
    return Outcome(
        stage=stage.name,
        state="done",
        reason="",
        seconds=receipt.seconds,
        warnings=tuple(evidence.warnings),
        receipt=receipt,
    )


def own_missing(stage: Stage, context: Context) -> bool:
    """Whether outputs of this very stage are missing (it makes them again); any other damage stops it.

    What is missing of other stages is for them, and for the gates of those who need it. Raises
    DirectoryDamagedError, ReceiptError.
    """
    damage = context.directory.damage()
    if other := [finding for finding in damage if finding.code != "missing"]:
        raise DirectoryDamagedError(directory=context.directory.path, findings=other)
    receipt = context.directory.receipt(stage.name)
    own = set(receipt.outputs) if receipt is not None else set()
    return any(finding.subject in own for finding in damage)


def stage_key(stage: Stage, context: Context, inputs: Inputs) -> str:
    """What the receipt of a stage must carry for the stage to be done: a digest over everything it takes in."""
    return key_of(
        stage=stage.name,
        world=context.world.label,
        project=context.project.normalized,
        version=context.project.version,
        lock=read_lock(stage.lock).digest,
        files=dict(inputs.files),
        settings=dict(inputs.settings),
    )


def _tools(stage: Stage) -> dict[str, str]:
    versions = read_lock(stage.lock).versions
    wanted = ("build", "twine", "sigstore", "pypi-attestations", "check-wheel-contents", "pip", "virtualenv")
    return {name: versions[name] for name in wanted if name in versions}


def _stable(context: Context, word: str) -> str:
    """A word of a command without anything that is only true on this machine now."""
    suite = Path(__file__).resolve().parent.parent
    places = {
        str(context.work): "{work}",
        str(context.directory.path): "{release}",
        str(context.environment.python.parent): "{bin}",
        str(context.project.root): "{project}",
        str(suite): "{suite}",
    }
    for place in sorted(places, key=len, reverse=True):
        word = word.replace(place, places[place])
    return context.world.stable(word)


def _next_step(stage: Stage, refusals: Sequence[Finding]) -> str:
    remedies = [finding.remedy for finding in refusals if finding.remedy.startswith("nox ")]
    return f"`{remedies[0]}`, then `{stage.retry}`" if remedies else f"mend what is named above, then `{stage.retry}`"
