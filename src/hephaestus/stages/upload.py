"""upload-testpypi and upload-pypi: send what the index lacks, one after the other, and believe only the index.

The plan is made by SHA-256 from the index's own answer, before and after: an unclear answer of an upload is settled
by asking, never by trying again blindly. twine is left as it is, Trusted Publishing included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hephaestus.consumer.served import attestations_in
from hephaestus.release.burned import remember_burned
from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding
from hephaestus.services.errors import AnswerInvalid, RateLimited, ServiceDown, ServiceError, Unreachable
from hephaestus.services.index import IndexProject, Propagation, PropagationState, UploadPlan, plan_upload
from hephaestus.services.private import explain_token_upload
from hephaestus.services.uploading import UploadAnswer, explain_upload, file_refused
from hephaestus.stages.indexes import asking
from hephaestus.stages.proofs import PASSED_OVER, distributions, outputs_of, passed_over, unproven
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.upload_answers import (
    NotShownError,
    ProvenanceMissingError,
    UploadIncompleteError,
)
from hephaestus.stages.upload_gates import attestation_findings, burned_findings, impossible, signature_findings
from hephaestus.stages.verification import attestation_of
from hephaestus.toolchain.process import ToolHangsError
from hephaestus.worlds.world import TestPyPIPolicy

__all__ = ["UploadPyPI", "UploadStage", "UploadTestPyPI"]

#: Failures that are an index being down; a refused certificate or address is no such thing.
_DOWN = (Unreachable, ServiceDown, RateLimited, AnswerInvalid)

#: How long twine may say nothing: seconds, and the largest file at a slow line's bytes a second on top. It tells of
#: every file and every further attempt; one that its connection was cut under repeats the request with an empty body
#: and would wait for ever (measured with 7.0.0).
_TWINE_SECONDS = 300.0
_TWINE_SPEED = 50_000.0
#: Waits between rounds of twine, in seconds; twine itself tries a 5xx five times without waiting.
_PAUSES = (2.0, 8.0)


class UploadStage(Stage):
    """One index's upload. ``needs`` are the stages whose receipts must hold for these very bytes."""

    lock = "upload"
    index: str
    needs: tuple[str, ...]

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = _TWINE_SECONDS,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._monotonic = monotonic
        self._patience = patience

    @property
    def name(self) -> str:  # type: ignore[override]
        """The session's name: one a target."""
        return f"upload-{self.index}"

    def inputs(self, context: Context) -> Inputs:
        """Distributions and attestations, and which index under which name."""
        files = {**distributions(context), **outputs_of(context, "sign", below="attestations/")}
        target = list(context.world.indexes[self.index].target)
        return Inputs(files=files, settings={"target": target, "subject": context.world.publisher.subject})

    def needed(self, context: Context) -> tuple[str, ...]:
        """The stages whose receipts must hold."""
        del context
        return self.needs

    def optional(self, context: Context) -> bool:
        """Whether this index being down may be passed over (by policy, and then said so)."""
        return self.index == "testpypi" and context.world.policy.testpypi is TestPyPIPolicy.OPTIONAL

    def gates(self, context: Context) -> list[Finding]:
        """Receipts, attestations, identity, and what the index has; the signatures themselves last."""
        findings = unproven(context, self.needed(context))
        if context.world.policy.signed:
            findings += attestation_findings(context)
        if findings:
            return findings
        try:
            remote, plan = self._plan(context)
            findings = impossible(context, remote, plan, index=self._called(context), now=self._clock())
            if not context.options.forces(self.name):
                findings += burned_findings(context, plan, index=self._called(context))
        except _DOWN:
            if not self.optional(context):
                raise
        return findings or (signature_findings(context) if context.world.policy.signed else [])

    def confirm(self, context: Context) -> str:
        """Done means that the index says so, now."""
        try:
            _, plan = self._plan(context)
        except _DOWN:
            if self.optional(context):
                return ""
            raise
        if plan.complete:
            return ""
        return f"the index shows {len(plan.identical)} of {len(plan.files)} files of {plan.version}"

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Upload what is missing, then hold the index to every name, digest and attestation."""
        del staging
        try:
            return self._uploaded(context)
        except (*_DOWN, UploadIncompleteError) as error:
            lasting = isinstance(error, UploadIncompleteError) and not error.answer.transient
            if lasting or not self.optional(context):
                raise
            context.narrator.warn(
                f"{self.index} is down; passed over because the policy makes it optional: "
                f"`{self.retry}` sends it there when it is back"
            )
            return Evidence(data={"state": PASSED_OVER, "trouble": error.what})

    def _uploaded(self, context: Context) -> Evidence:
        _, before = self._plan(context)
        after = self._send(context, before)
        self._shown(context, after)
        return Evidence(
            data={
                "state": "complete",
                "files": [
                    {
                        "file": file.filename,
                        "sha256": file.sha256,
                        "state": "already there" if file in before.identical else "uploaded",
                    }
                    for file in before.files
                ],
                "index": self._called(context),
                "target": context.world.stable(context.world.indexes[self.index].target[-1]),
                "provenance": self._provenance(context) if context.world.policy.signed else {},
                "deadline": after.deadline.isoformat() if after.deadline is not None else None,
            }
        )

    def _plan(self, context: Context) -> tuple[IndexProject | None, UploadPlan]:
        local = {Path(path).name: digest.removeprefix("sha256:") for path, digest in distributions(context).items()}
        with asking(context, self.index) as client:
            remote = client.project(context.project.normalized)
        days = context.world.indexes[self.index].completion_days
        return remote, plan_upload(local, remote, context.project.version, days=days)

    def _called(self, context: Context) -> str:
        """What the index is called."""
        return context.world.indexes[self.index].name

    def _answer(self, context: Context, output: str) -> UploadAnswer:
        """What twine's output means, of this kind of index."""
        variable = context.world.indexes[self.index].token_variable
        return explain_token_upload(output, variable=variable) if variable else explain_upload(output)

    def _send(self, context: Context, plan: UploadPlan) -> UploadPlan:
        """Rounds of one twine call for all that is missing; after each the index is asked what it has."""
        for pause in (*_PAUSES, None):
            if not plan.missing:
                return plan
            names = [file.filename for file in plan.missing]
            until = plan.until(self._clock())
            missing = f"{len(names)} of {len(plan.files)} files are not on {self._called(context)} yet"
            context.narrator.step(f"{missing}; {until}" if until else missing)
            accepted, output = self._twine(context, names)
            _, plan = self._plan(context)
            if accepted or plan.complete or self._published(context, plan):
                return plan  # `_shown` waits for what is there and is not shown yet
            answer, now = self._answer(context, output), self._clock()
            if answer.burned and (name := file_refused(output)) in names:
                remember_burned(context.directory, self._called(context), name, now=now)
            if not answer.transient or plan.conflicts or pause is None or plan.too_late(now):
                raise UploadIncompleteError(
                    stage=self.name, index=self._called(context), plan=plan, answer=answer, output=output, now=now
                )
            context.narrator.warn(f"{answer.meaning}; trying again in {pause:.0f} s")
            self._sleep(pause)
        return plan

    def _twine(self, context: Context, names: list[str]) -> tuple[bool, str]:
        """One call of twine: whether it says that all was accepted, and what it said."""
        files = [context.directory.path / "dist" / name for name in names]
        attestations = [context.directory.path / attestation_of(name) for name in names]
        attested = context.world.policy.signed
        try:
            done = context.environment.run(
                ["python", "-m", "twine", "--no-color", "upload", "--non-interactive", "--disable-progress-bar"]
                + [*(["--attestations"] if attested else []), *context.world.indexes[self.index].target]
                + [str(file) for file in (*files, *(attestations if attested else ()))],
                # twine wraps its lines to the terminal's width, which would tear the index's messages apart.
                # Unbuffered, or its lines would not tell how far it is.
                env={**context.world.uploaders[self.index], "COLUMNS": "1000", "PYTHONUNBUFFERED": "1"},
                silence=self._patience + max(file.stat().st_size for file in files) / _TWINE_SPEED,
            )
        except ToolHangsError as error:
            return False, f"{error.output}\n{error.what}"
        return done.ok, done.output

    def _published(self, context: Context, plan: UploadPlan) -> bool:
        """Whether the index's JSON API has all that its simple page lacks: then no refusal counts, 14 days included.

        An identical file is said to be refused after 14 days, too (warehouse#20251; facts: pypi, section 3).
        """
        if plan.conflicts or plan.foreign or not plan.missing:
            return False
        try:
            with asking(context, self.index) as client:
                known = client.json_api(context.project.normalized, context.project.version) or {}
        except ServiceError:
            return False
        there = all(known.get(file.filename) == file.sha256 for file in plan.missing)
        if there:
            name = self._called(context)
            context.narrator.step(f"{name} has the same bytes already; its page does not show them yet")
        return there

    def _shown(self, context: Context, plan: UploadPlan) -> None:
        expected = {file.filename: file.sha256 for file in plan.files}
        policy = context.world.policy
        with asking(context, self.index) as client:
            seen = client.wait_for(
                context.project.normalized,
                expected,
                budget_seconds=policy.propagation_seconds,
                poll=policy.poll_seconds,
                sleep=self._sleep,
                clock=self._monotonic,
                progress=lambda now: context.narrator.progress(len(now.visible), len(expected), "files shown"),
            )
        if seen.state is not PropagationState.VISIBLE:
            raise NotShownError(stage=self.name, index=self._called(context), seen=seen)

    def _provenance(self, context: Context) -> dict[str, int]:
        """How many attestations the index serves for each file: at least one, or they were lost on the way.

        They cannot be added later; FastAPI lost them unnoticed for months (facts: pypi, section 4).
        """
        counts: dict[str, int] = {}
        ours = {Path(path).name for path in distributions(context)}
        with asking(context, self.index) as client:
            for file in client.release_files(context.project.normalized, context.project.version):
                if file.filename in ours:
                    counts[file.filename] = len(attestations_in(client.provenance(file) or {}))
        if gone := tuple(sorted(ours - set(counts))):  # another node of the index's cache answered
            seen = Propagation(state=PropagationState.LAGGING, visible=tuple(counts), waiting=gone, polls=1)
            raise NotShownError(stage=self.name, index=self.index, seen=seen)
        if lost := [name for name, count in counts.items() if not count]:
            raise ProvenanceMissingError(stage=self.name, index=self.index, version=context.project.version, files=lost)
        return counts


class UploadTestPyPI(UploadStage):
    """upload-testpypi: always first, with the bytes that will go to PyPI."""

    index = "testpypi"
    needs = ("build", "sign", "check")


class UploadPyPI(UploadStage):
    """upload-pypi: only what Test PyPI has served and smoke has installed."""

    index = "pypi"
    needs = ("build", "sign", "check", "upload-testpypi", "smoke")

    def needed(self, context: Context) -> tuple[str, ...]:
        """Smoke too, except where Test PyPI was passed over: then there was nothing it could install."""
        optional = context.world.policy.testpypi is TestPyPIPolicy.OPTIONAL
        alone = optional and passed_over(context.directory.receipt("upload-testpypi"))
        return tuple(stage for stage in self.needs if not (stage == "smoke" and alone))

    def exempt(self, context: Context) -> str:
        """A pre-release is not promoted, unless the configuration says so."""
        if context.project.prerelease and not context.world.policy.prerelease_to_pypi:
            return f"{context.project.version} is a pre-release: Test PyPI only (prerelease-to-pypi = false)"
        return ""
