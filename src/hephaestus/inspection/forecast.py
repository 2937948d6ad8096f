"""What a run would do now, stage by stage: done, left out, run or refused, and what of it could not be taken back.

The stages themselves are asked - their keys, their gates, whether the outside confirms them - in a world in which
nothing can be started: an environment that refuses, children without any variable, no lock, no recovery, no folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from hephaestus.inspection.effects import Effect, effects_of
from hephaestus.inspection.places import Places, publisher_of
from hephaestus.inspection.standing import Asked
from hephaestus.release.chain import REQUIRES, closure
from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.indexes import PUBLIC_INDEXES
from hephaestus.release.project import Project
from hephaestus.release.source import Source
from hephaestus.services.errors import ServiceError
from hephaestus.stages.catalogue import stage_of
from hephaestus.stages.runner import own_missing, stage_key
from hephaestus.stages.stage import Context, Options, Stage
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.private import PrivateTarget, token_problem
from hephaestus.worlds.world import ChildKind, GitHub, Index, Policy, Sigstore, World

__all__ = ["Forecast", "Foreseen", "foresee", "hindrances", "private_hindrances"]

DONE, LEFT_OUT, RUN, REFUSED, WAITS, UNKNOWN = "done", "left out", "run", "refused", "waits", "unknown"
_GOES_ON = (DONE, LEFT_OUT)

#: Stages whose gates or confirmation ask services: without these nothing can be said of them.
_OUTSIDE = ("upload-testpypi", "smoke", "upload-pypi", "github-release", "verify")


#: The indexes of a world nobody answers for: their names are part of what stages take in.
_UNSERVED = {name: Index.at("http://127.0.0.1", name=name) for name in PUBLIC_INDEXES}


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """One stage: what a run would do with it (``verdict``), why, and the effects outside that it would have."""

    stage: str
    verdict: str
    why: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The whole run. ``hindrances`` stop it before its first stage; ``notes`` are worth reading and stop nothing."""

    stages: tuple[Foreseen, ...]
    hindrances: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether a run would end red, as far as can be told now."""
        return bool(self.hindrances) or any(one.verdict == REFUSED for one in self.stages)


class _ToolsNeeded(ReleaseError):
    """Raised where a stage would start a tool: this far the stage was asked, and no further."""

    def __init__(self) -> None:
        super().__init__(what="a tool would be started")


class _Idle:
    """An Environment that makes nothing and starts nothing."""

    @property
    def python(self) -> Path:
        raise _ToolsNeeded

    def run(self, *_arguments: Any, **_options: Any) -> Completed:
        raise _ToolsNeeded

    def work(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise _ToolsNeeded


@dataclass(kw_only=True)
class _Listener:
    """A Narrator that keeps what a stage warns of."""

    warnings: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        """Passed over."""

    def command(self, text: str) -> None:
        """Passed over."""

    def warn(self, text: str) -> None:
        """Kept."""
        self.warnings.append(text)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Passed over."""


def foresee(
    project: Project,
    directory: ReleaseDirectory,
    *,
    label: str,
    policy: Policy,
    source: Source | None,
    places: Places | None,
    asked: Asked | None,
    immutable: bool | None,
    now: datetime,
    unsourced: str = "",
    options: Options | None = None,
) -> Forecast:
    """Ask every stage in the order of the chain.

    ``source`` None means that git could not tell it (``unsourced`` says why). ``places`` None means that nobody can be
    asked: what depends on services is then ``unknown``. ``immutable``: whether GitHub freezes what is published, None
    where it did not say. ``options`` are those of the run, none when left out. Raises ReceiptError.
    """
    world = _onlookers_world(project, places, label=label, policy=policy)
    seen: dict[str, Foreseen] = {}
    listener = _Listener()
    deadlines = _deadlines(world.indexes, asked, now)
    with tempfile.TemporaryDirectory(prefix="hephaestus-plan-") as work:
        for name in STAGES:
            context = Context(
                project=project,
                world=world,
                directory=directory,
                environment=_Idle(),
                narrator=listener,
                options=options or Options(),
                work=_made(Path(work) / name),
                source=source if name == "build" else None,
            )
            one = _foreseen(name, context, seen, served=places is not None, unsourced=unsourced)
            if one.verdict not in _GOES_ON:
                effects = effects_of(name, context, asked=asked, deadlines=deadlines, immutable=immutable)
                one = Foreseen(stage=name, verdict=one.verdict, why=one.why, effects=effects)
            seen[name] = one
    pending = directory.path / ".staged"
    notes = [
        f"an interrupted run left {place.name}: the next run finishes or undoes it first" for place in _inside(pending)
    ]
    return Forecast(stages=tuple(seen.values()), notes=(*notes, *dict.fromkeys(listener.warnings)))


def _foreseen(name: str, context: Context, seen: Mapping[str, Foreseen], *, served: bool, unsourced: str) -> Foreseen:
    stage = stage_of(name)

    def verdict(verdict: str, *why: str) -> Foreseen:
        return Foreseen(stage=name, verdict=verdict, why=why)

    if reason := context.world.policy.left_out.get(name) or stage.exempt(context):
        return verdict(LEFT_OUT, reason)
    before = [other for other in closure(name) if other != name]
    if name == "verify":
        # It takes whatever is there, and is red until everything is.
        before = list(STAGES[:-1])
    if stopping := [other for other in before if seen[other].verdict in (REFUSED, WAITS)]:
        refused = ", which is refused" if seen[stopping[0]].verdict == REFUSED else ""
        return verdict(WAITS, f"for {stopping[0]}{refused}")
    if running := [other for other in before if seen[other].verdict == RUN]:
        direct = [other for other in REQUIRES[name] if other in running]
        after = "everything before it" if name == "verify" else ", ".join(direct or running[-1:])
        kept = context.directory.receipt(name) is not None
        return verdict(RUN, f"after {after}{'; skipped if what it takes in stays as it is' if kept else ''}")
    if unsourced and name == "build":
        return verdict(REFUSED, unsourced)
    try:
        return _asked(stage, context, verdict, served=served)
    except _ToolsNeeded:
        return verdict(RUN, "its last gates need tools of its own and are asked when it runs")
    except ServiceError as error:
        return verdict(UNKNOWN, f"{error.what}: ask again when it answers")
    except ReleaseError as error:
        return verdict(REFUSED, error.what, *error.details)


def _asked(stage: Stage, context: Context, verdict: Callable[..., Foreseen], *, served: bool) -> Foreseen:
    """What the runner would find out about a stage that nothing before it holds up."""
    answering = served or stage.name not in _OUTSIDE
    missing = own_missing(stage, context)
    receipt = context.directory.receipt(stage.name)
    holds = receipt is not None and receipt.key == stage_key(stage, context, stage.inputs(context)) and not missing
    forced = context.options.forces(stage.name)
    if holds and receipt is not None and not answering and not forced:
        return verdict(UNKNOWN, f"done {receipt.started} by its receipt; nobody can be asked whether it still is")
    doubt = "asked for by --redo" if forced else stage.confirm(context) if holds else ""
    if holds and receipt is not None and not doubt:
        return verdict(DONE, f"{receipt.started}, nothing changed")
    if receipt is None:
        why = "not done for this release yet"
    else:
        why = doubt or ("its files are missing" if missing else "what it takes in has changed since its receipt")
    if not answering:
        return verdict(RUN, why, "its gates ask services that cannot be asked now")
    # What nobody answers for has sealed nothing that could be told: a fresh world's indexes are empty.
    silent = replace(context, world=replace(context.world, indexes={}))
    findings = stage.gates(context if served else silent)
    if refusals := [finding for finding in findings if finding.severity == Severity.ERROR]:
        return verdict(REFUSED, *(finding.line() for finding in refusals))
    return verdict(RUN, why, *(f"warning: {finding.line()}" for finding in findings))


def _deadlines(indexes: Mapping[str, Index], asked: Asked | None, now: datetime) -> dict[str, datetime | None]:
    """Until when each index will take more files: what it says, or its days from a first upload now; None for ever."""
    said = {name: index.deadline for name, index in asked.indexes.items()} if asked is not None else {}
    return {
        index.name: None
        if index.completion_days is None
        else said.get(index.name) or now + timedelta(days=index.completion_days)
        for index in indexes.values()
    }


def _onlookers_world(project: Project, places: Places | None, *, label: str, policy: Policy) -> World:
    nowhere = GitHub(api_url="", uploads_url="", repository=project.repository, token="")
    children: dict[ChildKind, Mapping[str, str]] = {kind: {} for kind in ChildKind}
    return World(
        label=label,
        indexes=places.parts if places is not None else _UNSERVED,
        github=places.github if places is not None else nowhere,
        sigstore=Sigstore(trust_config=places.trust_config if places is not None else None),
        publisher=publisher_of(project),
        policy=policy,
        children=children,
        uploaders={},
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def private_hindrances(target: PrivateTarget, *, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What would stop a publish to a private index from this very process: there is no workflow to be in."""
    problem = token_problem(target, environ)
    return (f"there is no token for {target.name}: {target.config.token_variable} {problem}",) if problem else ()


def hindrances(project: Project, *, environ: Mapping[str, str], source: Source | None) -> tuple[str, ...]:
    """What would stop a publish from this very process, whatever the stages say."""
    from hephaestus.worlds.job import job_findings, read_job

    try:
        job = read_job(environ, project=project)
    except ReleaseError as error:
        return (error.what, *error.details)
    findings: list[Finding] = job_findings(job, project=project, commit=source.commit if source else "")
    return tuple(finding.line() for finding in findings)
