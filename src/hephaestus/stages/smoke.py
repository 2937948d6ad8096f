"""Smoke: what Test PyPI serves, installed by a stranger's means, imports, starts and reports the right version."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urldefrag

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.versions import bump_command
from hephaestus.services.index import Propagation, PropagationState
from hephaestus.stages.indexes import asking
from hephaestus.stages.installation import (
    Interpreter,
    Tampered,
    fitting_wheel,
    interpreters,
    running_interpreter,
    unknown_extras,
)
from hephaestus.stages.proofs import PASSED_OVER, distributions, passed_over, unproven
from hephaestus.stages.smoke_trial import Results, Served, trials
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.worlds.world import TestPyPIPolicy

__all__ = ["IndexLacksFiles", "SmokeFailed", "SmokeStage"]

_INDEX = "testpypi"
_UPLOAD = f"upload-{_INDEX}"


class SmokeFailed(ReleaseError):
    """Raised when what the index serves does not work; holds every finding of every Python."""

    def __init__(self, *, findings: Sequence[Finding], version: str) -> None:
        self.findings = tuple(findings)
        count = "one thing is" if len(findings) == 1 else f"{len(findings)} things are"
        super().__init__(
            what=f"smoke: {count} wrong with version {version} as an installer gets it",
            why="whoever installs it meets the same; it must not reach PyPI",
            details=[finding.line() for finding in findings],
            next_step=f"correct the project, raise the version (`{bump_command(version)}`) and release that: files on "
            "an index are for ever; if only this machine was at fault, `nox -s smoke`",
        )


class IndexLacksFiles(ReleaseError):
    """Raised when the index does not show every file in time; ``state`` says why, apart from a failed upload."""

    def __init__(self, *, index: str, state: str, files: Sequence[str], why: str, next_step: str) -> None:
        self.state = state
        super().__init__(
            what=f"smoke: {index} does not show {', '.join(files)} ({state})", why=why, next_step=next_step
        )


class SmokeStage(Stage):
    """Installs from Test PyPI per Python: wheel, each extra, sdist. ``sleep`` and ``clock`` are for the index's lag."""

    name = "smoke"
    lock = "smoke"

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock

    def inputs(self, context: Context) -> Inputs:
        """The distributions and what smoke was told to try."""
        return Inputs(files=distributions(context), settings={"index": _INDEX, **asdict(context.project.config.smoke)})

    def exempt(self, context: Context) -> str:
        """Exempt when policy lets Test PyPI be down and the upload found it so, for these very files."""
        receipt = context.directory.receipt(_UPLOAD)
        if receipt is None or context.world.policy.testpypi is not TestPyPIPolicy.OPTIONAL:
            return ""
        files = distributions(context)
        same = files and all(receipt.inputs.get(path) == digest for path, digest in files.items())
        return f"Test PyPI was {PASSED_OVER}" if passed_over(receipt) and same else ""

    def gates(self, context: Context) -> list[Finding]:
        """The upload is proven, every Python asked for is here, every extra asked for exists, a wheel fits."""
        findings = unproven(context, ("build", _UPLOAD))
        config = context.project.config.smoke
        found = interpreters(context, config.pythons) if config.pythons else {}
        if missing := [python for python, interpreter in found.items() if interpreter is None]:
            findings.append(
                Finding(
                    code="python-missing",
                    subject=f"Python {', '.join(missing)}",
                    message="smoke is to try it, and this machine has none",
                    remedy="install it, or take it out of tool.hephaestus.release.smoke.pythons",
                )
            )
        files = [Path(path).name for path in distributions(context)]
        for interpreter in found.values():
            if interpreter is not None:
                findings += _fits(files, interpreter)
        if not findings:
            findings += unknown_extras(context, files, config.extras, field="smoke.extras")
        return findings

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Wait for the index, install, look. Raises IndexLacksFiles, Tampered, SmokeFailed."""
        del staging
        files = {Path(path).name: digest.removeprefix("sha256:") for path, digest in distributions(context).items()}
        served = self._served(context, files)
        pythons = context.project.config.smoke.pythons
        found = interpreters(context, pythons) if pythons else {"": running_interpreter(context)}
        results = Results()
        for interpreter in found.values():
            if interpreter is None:
                continue  # the gate has proven that there is none such
            results.findings += _fits(list(files), interpreter)
            for trial in trials(context.project.config.smoke, list(files), interpreter):
                context.narrator.step(trial.place)
                trial.run(context, served, results)
        if results.findings:
            raise SmokeFailed(findings=results.findings, version=context.project.version)
        data = {
            "index": _INDEX,
            "files": {
                file: {"url": context.world.stable(url), "sha256": served.digests[file]}
                for file, url in sorted(served.urls.items())
            },
            "pythons": results.evidence,
        }
        return Evidence(data=data, warnings=results.warnings)

    def _served(self, context: Context, files: Mapping[str, str]) -> Served:
        """Wait until the index shows every file with our digest; where they are."""
        index, policy = context.world.indexes[_INDEX], context.world.policy
        name = context.project.normalized

        def waiting(seen: Propagation) -> None:
            if seen.polls == 1:
                context.narrator.step(f"waiting for {index.name} to show {', '.join(seen.waiting)}")

        with asking(context, _INDEX) as client:
            seen = client.wait_for(
                name,
                files,
                budget_seconds=policy.propagation_seconds,
                poll=policy.poll_seconds,
                sleep=self._sleep,
                clock=self._clock,
                progress=waiting,
            )
            if seen.state is PropagationState.WRONG:
                details = [f"{file}: released {ours}, served {theirs}" for file, (ours, theirs) in seen.wrong.items()]
                raise Tampered(subject=", ".join(seen.wrong), source=index.name, details=details)
            if seen.state is not PropagationState.VISIBLE:
                raise _lacks(index.name, seen.state, seen.waiting, seen.trouble or seen.reason)
            project = client.project(name)
        urls = {file.filename: urldefrag(file.url)[0] for file in (project.files if project else ())}
        if gone := [file for file in files if file not in urls]:  # another node of the index's cache answered
            raise _lacks(index.name, PropagationState.LAGGING, gone, "")
        return Served(
            urls={file: urls[file] for file in files}, digests=files, simple_url=index.simple_url, index=index.name
        )


def _fits(files: Sequence[str], interpreter: Interpreter) -> list[Finding]:
    """A release with wheels must have one for every Python it is tried under."""
    if not any(file.endswith(".whl") for file in files):
        return []
    if fitting_wheel(files, interpreter) is not None:
        return []
    message = f"no wheel of this release fits Python {interpreter.version} on this platform"
    return [Finding(code="wheel-unsupported", subject="wheel", message=message, remedy="run smoke where one fits")]


def _lacks(index: str, state: PropagationState, files: Sequence[str], reason: str) -> IndexLacksFiles:
    later = "wait, then `nox -s smoke`: nothing is uploaded again"
    why, next_step = {
        PropagationState.LAGGING: (
            "the index has the files; the page installers read is an old copy in a cache",
            later,
        ),
        PropagationState.ABSENT: (
            "neither the page nor the JSON API has them: the upload did not arrive",
            f"nox -s {_UPLOAD}",
        ),
        PropagationState.UNANSWERED: (f"the index does not answer: {reason}", later),
        PropagationState.QUARANTINED: (
            f"the index's administrators have quarantined the project: {reason}",
            "read their message",
        ),
        PropagationState.ARCHIVED: (
            f"the project is archived there and takes no files: {reason}",
            "unarchive it in its settings",
        ),
    }[state]
    return IndexLacksFiles(index=index, state=state.value, files=files, why=why, next_step=next_step)
