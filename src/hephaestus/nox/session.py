"""The body of a stage's session: read the project, open the world, hold the lock, run the stage, tell the story."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hephaestus.release.errors import ReleaseError

if TYPE_CHECKING:
    import nox

    from hephaestus.nox.posargs import Request
    from hephaestus.release.project import Project
    from hephaestus.release.root import ReleaseRoot
    from hephaestus.release.source import Source
    from hephaestus.stages.runner import Outcome
    from hephaestus.stages.stage import Stage
    from hephaestus.worlds.opening import Opened
    from hephaestus.worlds.private import PrivateTarget

__all__ = ["IncompleteError", "finish", "run"]


class IncompleteError(ReleaseError):
    """Raised when ``release`` is asked to end well while stages are missing: ``--no-dependencies`` left them out."""

    def __init__(self, *, stages: list[str]) -> None:
        super().__init__(
            what=f"release: {', '.join(stages)} not done for this version",
            why="`release` does nothing itself; run without its stages it would call a release whole that is not",
            next_step="`nox -s release`, without `--no-dependencies`",
        )


def run(session: nox.Session, make: Callable[[], Stage]) -> None:
    """Run one stage in its session. Every foreseeable failure ends in ``session.error`` with its whole message."""
    from hephaestus.nox.environment import refuse_unreal
    from hephaestus.nox.posargs import HelpAsked, parse
    from hephaestus.release import boundary
    from hephaestus.report.annotations import annotate

    stage = make()
    target: PrivateTarget | None = None
    named = ""
    _quiet()
    try:
        refuse_unreal(session, stage.name)
        request = parse(session.posargs, environ=os.environ, invoked_from=Path(session.invoked_from))
        boundary.arm(request.boundary)
        project, named = _project(request)
        target = _target(project, request)
        outcome = _staged(session, stage, project, request, target)
    except HelpAsked as asked:
        session.skip(f"\n{asked}")
    except ReleaseError as error:
        annotate(stage.name, error)
        _refuse(session, _message(stage.name, error, target, named))
    if outcome.state != "done":
        session.skip(f"{stage.name}: {outcome.reason}")


def finish(session: nox.Session) -> None:
    """The body of ``release``: everything it requires has ended well; show and write the summary."""
    from hephaestus.nox.posargs import HelpAsked, parse
    from hephaestus.report import summary

    target: PrivateTarget | None = None
    named = ""
    try:
        request = parse(session.posargs, environ=os.environ, invoked_from=Path(session.invoked_from))
        project, named = _project(request)
        target = _target(project, request)
        directory = _root(project, request).directory(project.version)
        world = target.label if target is not None else "publish" if request.publish else "rehearsal"
        told = summary.summarize(project, directory, world=world, target=target)
        if told["next"]:
            raise IncompleteError(stages=[stage["stage"] for stage in told["stages"] if stage["state"] != "done"])
        summary.write(told, directory)
    except HelpAsked as asked:
        session.skip(f"\n{asked}")
    except ReleaseError as error:
        _refuse(session, _message("release", error, target, named))
    sys.stderr.write(summary.render(told))


def _project(request: Request) -> tuple[Project, str]:
    """The project, and the tag that gives its version because it was named: a publish takes one that is there."""
    from hephaestus.release.project import read_project

    tag = "" if request.publish else request.options.tag
    project = read_project(Path.cwd(), tag=tag)
    return project, tag if project.version_source.tagged else ""


def _refuse(session: nox.Session, message: str) -> NoReturn:
    """End the session with its whole message; what to do next is said once more behind nox's own last line."""
    from hephaestus.nox.closing import remember

    remember(session, message)
    session.error(message)


def _staged(
    session: nox.Session, stage: Stage, project: Project, request: Request, target: PrivateTarget | None
) -> Outcome:
    from hephaestus.nox.environment import provision
    from hephaestus.release.source import read_source
    from hephaestus.report import summary
    from hephaestus.report.job import hand_over
    from hephaestus.report.terminal import Terminal
    from hephaestus.stages.runner import run_stage
    from hephaestus.stages.stage import Context
    from hephaestus.toolchain.environment import LockedEnvironment
    from hephaestus.toolchain.locks import read_lock
    from hephaestus.worlds.children import installer

    root = _root(project, request)
    terminal = Terminal(stage=stage.name)
    with root.lock(project.version, waiting=lambda owner: terminal.step(f"waiting for {owner}")):
        source = read_source(project.root) if stage.name == "build" else None
        work = _work_folder(stage.name)
        environment = LockedEnvironment(
            provision=lambda: provision(session, read_lock(stage.lock), env=installer(os.environ)),
            work=work / "requests",
            announce=terminal.command,
        )
        try:
            opened = _open(project, root, stage.name, request, target, source=source, work=work)
            terminal.began(project, opened.world)
            if target is not None and source is not None:
                terminal.step(target.unasked)
            context = Context(
                project=project,
                world=opened.world,
                directory=opened.directory,
                environment=environment,
                narrator=terminal,
                options=request.options,
                work=work,
                source=source,
            )
            try:
                outcome = run_stage(stage, context, recorder=environment)
            except ReleaseError as error:
                _tell_failure(project, opened, stage.name, error, target)
                raise
        finally:
            if request.options.keep_work:
                terminal.step(f"kept {work}")
            else:
                shutil.rmtree(work, ignore_errors=True)
        terminal.ended(outcome)
        if outcome.state == "done" or (
            outcome.state == "skipped" and not summary.current(opened.directory, stage.name)
        ):
            told = summary.summarize(
                project, opened.directory, world=opened.world.label, target=target, held=stage.name
            )
            summary.write(told, opened.directory)
        if request.publish:
            hand_over(stage.name, project, opened.directory, reason=outcome.reason, environ=os.environ)
        return outcome


def _open(
    project: Project,
    root: ReleaseRoot,
    stage: str,
    request: Request,
    target: PrivateTarget | None,
    *,
    source: Source | None,
    work: Path,
) -> Opened:
    from hephaestus.worlds.opening import open_publish, open_rehearsal
    from hephaestus.worlds.private import open_private
    from hephaestus.worlds.publish import consent

    if target is not None:
        return open_private(
            project,
            root,
            target=target,
            stage=stage,
            source=source,
            consent=consent(option=request.publish, environ=os.environ),
            environ=os.environ,
            state=work,
        )
    if request.publish:
        return open_publish(
            project,
            root,
            stage=stage,
            source=source,
            consent=consent(option=request.publish, environ=os.environ),
            environ=os.environ,
            state=work,
        )
    return open_rehearsal(
        project,
        root,
        source=source,
        keep_world=request.keep_world,
        environ=os.environ,
        faults=request.faults,
        run=str(os.getpid()),
    )


def _tell_failure(
    project: Project, opened: Opened, stage: str, error: ReleaseError, target: PrivateTarget | None
) -> None:
    """Write the failure into summary.json and say where the release stands."""
    from hephaestus.release.receipts import ReceiptError
    from hephaestus.report import summary

    try:
        told = summary.summarize(
            project, opened.directory, world=opened.world.label, target=target, failed=(stage, error)
        )
    except ReceiptError:
        return  # the receipts cannot be read, which is what the error itself is about
    summary.write(told, opened.directory)
    sys.stderr.write(summary.brief(told))


def _quiet() -> None:
    """Keep libraries' own debug lines out of nox's log, which shows every logger's."""
    for name in ("urllib3", "filelock"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _target(project: Project, request: Request) -> PrivateTarget | None:
    """The private index that is asked for, by name; None for the public ones. Raises UnknownIndexError."""
    from hephaestus.worlds.private import private_target

    return private_target(project, request.index) if request.index else None


def _root(project: Project, request: Request) -> ReleaseRoot:
    from hephaestus.worlds.job import read_job
    from hephaestus.worlds.opening import release_root

    if request.publish and not request.index:
        read_job(os.environ, project=project)  # refuses outside its workflow, before a folder is made
    return release_root(project, rehearsal=not request.publish)


def _work_folder(stage: str) -> Path:
    """A folder outside the project: tools walk upwards, and must not find its pyproject (facts: nox, section 3)."""
    _sweep()
    return Path(tempfile.mkdtemp(prefix=f"hephaestus-{os.getpid()}-{stage}-")).resolve()


def _sweep() -> None:
    """Remove what killed runs of this user left in the temporary folder.

    Not on Windows: signal 0, which asks whether a process is there, is CTRL+C for it and its group.
    """
    if sys.platform != "win32":
        for folder in Path(tempfile.gettempdir()).glob("hephaestus-*-*"):
            pid = folder.name.split("-")[1]
            if pid.isdecimal() and not _alive(int(pid)) and _ours(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path) -> bool:
    """Whether a folder is this user's; one that another run has just removed is nobody's."""
    try:
        return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _message(stage: str, error: ReleaseError, target: PrivateTarget | None, named: str) -> str:
    from hephaestus.toolchain.redaction import shown

    text = str(error)
    if target is not None and target.options not in text:
        text += f"\n  with: every `nox` command of a release to {target.name} ends in `{target.options}`"
    if named and f"--tag {named}" not in text:
        text += f"\n  with: as long as the commit has no tag, every `nox` command ends in `-- --tag {named}`"
    return shown(text if text.startswith(f"{stage}:") else f"{stage}: {text}")
