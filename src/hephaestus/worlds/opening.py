"""Opening the world a run acts in: the release root, the directory of this source, the stand-ins behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hephaestus.release.annotation import lightweight_tag
from hephaestus.release.chain import REQUIRES
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import Finding, GateRefused, ReleaseError
from hephaestus.release.handover import handover_findings, read_words
from hephaestus.release.project import Project
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import Source
from hephaestus.worlds.publish import Consent
from hephaestus.worlds.world import Policy, Reproducibility, TestPyPIPolicy, World

__all__ = [
    "IDLE_VARIABLE",
    "MANIFEST_VARIABLE",
    "TESTPYPI_VARIABLE",
    "IdleTimeError",
    "NothingBuiltError",
    "Opened",
    "TestPyPIVariableError",
    "configured_policy",
    "open_publish",
    "open_rehearsal",
    "release_root",
]

#: How many seconds the stand-ins outlive the last request; for tests and small machines.
IDLE_VARIABLE = "HEPHAESTUS_STANDINS_IDLE"
#: What the jobs before this one stated of the release directory they handed over.
MANIFEST_VARIABLE = "HEPHAESTUS_MANIFEST"
#: Overrides ``testpypi`` of the configuration while Test PyPI is down: a repository variable needs no new tag.
TESTPYPI_VARIABLE = "HEPHAESTUS_TESTPYPI"
_ENVIRONMENTS = {"testpypi": "testpypi", "pypi": "pypi"}
_IDLE_SECONDS = 600.0
_LONGEST_IDLE = 86_400.0


class IdleTimeError(ReleaseError):
    """Raised when HEPHAESTUS_STANDINS_IDLE is no number of seconds from 1 to a day."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            what=f"{IDLE_VARIABLE} is {given!r}",
            why=f"it is how many seconds the stand-ins outlive the last request: from 1 to {_LONGEST_IDLE:.0f}",
            next_step=f"unset it ({_IDLE_SECONDS:.0f} s are waited then), or give a number of seconds",
        )


class TestPyPIVariableError(ReleaseError):
    """Raised when HEPHAESTUS_TESTPYPI holds neither of its two words."""

    __test__ = False  # the name begins with Test; pytest must not collect it

    def __init__(self, *, given: str) -> None:
        super().__init__(
            what=f"{TESTPYPI_VARIABLE} is {given!r}",
            why="it says whether an outage of Test PyPI stops the release: `required` or `optional`",
            next_step="correct it, or unset it: `[tool.hephaestus.release] testpypi` decides then",
        )


class NothingBuiltError(ReleaseError):
    """Raised when a stage is asked to act on a version that has never been built here."""

    def __init__(self, *, version: str, directory: str, options: str = "") -> None:
        end = f" {options}" if options else ""
        super().__init__(
            what=f"{version} has not been built: there is no {directory}/",
            why="a stage never makes its own inputs; build opens the release",
            next_step=f"`nox -s build{end}`, or `nox -s release{end}` for the whole chain",
        )


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Where a stage acts: its world and the release directory."""

    world: World
    directory: ReleaseDirectory


def release_root(project: Project, *, rehearsal: bool) -> ReleaseRoot:
    """The project's release folder, made and marked; raises UnmarkedFolderError, NotWritableError."""
    root = ReleaseRoot(path=project.root / project.config.directory, rehearsal=rehearsal)
    root.prepare()
    return root


def open_rehearsal(
    project: Project,
    root: ReleaseRoot,
    *,
    source: Source | None,
    keep_world: bool,
    environ: Mapping[str, str],
    faults: Sequence[str],
    run: str,
) -> Opened:
    """The world of stand-ins for this project; the caller holds the release's lock.

    ``source`` is given by build alone: another source than last time opens another world, unless ``keep_world``.
    ``faults`` are armed once per ``run``. Raises NothingBuiltError and what starting the stand-ins raises.
    """
    from hephaestus.standins.services import Configuration
    from hephaestus.toolchain.locks import read_lock
    from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment
    from hephaestus.worlds.children import installer
    from hephaestus.worlds.hosting import ensure_host
    from hephaestus.worlds.rehearsal import REHEARSAL_POLICY, rehearsal_world

    version = project.version
    known = root.pointer(version)
    if source is not None and not (keep_world and known):
        root.open_world(version, source.digest, commit=source.commit)
        known = root.pointer(version)
    directory = root.directory(version)
    if not known:
        raise NothingBuiltError(version=version, directory=directory.path.relative_to(project.root).as_posix())
    directory.path.mkdir(parents=True, exist_ok=True)
    cache = cache_folder(environ)
    host = ensure_host(
        root.standins(str(known["source"])),
        python=lambda: cached_environment(read_lock("standins"), env=installer(environ), cache=cache),
        configuration=Configuration(
            project=project.normalized,
            repository=project.repository,
            workflow=project.config.workflow,
            environments=_ENVIRONMENTS,
        ),
        cache=cache,
        environ=environ,
        idle_seconds=_idle_seconds(environ),
        faults=faults,
        run=run,
    )
    world = rehearsal_world(
        version=version,
        tag=project.tag,
        commit=str(known.get("commit", "")),
        repository=project.repository,
        workflow=project.config.workflow,
        environments=_ENVIRONMENTS,
        host=host,
        environ=environ,
        policy=configured_policy(REHEARSAL_POLICY, project, environ),
    )
    return Opened(world=world, directory=directory)


def open_publish(
    project: Project,
    root: ReleaseRoot,
    *,
    stage: str,
    source: Source | None,
    consent: Consent | None,
    environ: Mapping[str, str],
    state: Path,
) -> Opened:
    """The world of the real services, for one stage in its workflow job; the caller holds the release's lock.

    ``source`` is given by build alone; every other stage takes the directory that another job made, and holds it
    against what that job stated (``HEPHAESTUS_MANIFEST``). ``state`` holds the homes of children and is gone
    afterwards. Raises PublishNotAskedForError, NotInWorkflowError, GateRefused with everything that is wrong,
    NothingBuiltError, HandoverError, ServiceError.
    """
    from hephaestus.worlds.addresses import read_addresses
    from hephaestus.worlds.job import job_findings, read_job
    from hephaestus.worlds.publish import PUBLISH_POLICY, publish_world

    job = read_job(environ, project=project)
    world = publish_world(
        consent=consent,
        repository=project.repository,
        workflow=project.config.workflow,
        ref=f"refs/tags/{project.tag}",
        environments=_ENVIRONMENTS,
        state=state,
        environ=environ,
        policy=configured_policy(PUBLISH_POLICY, project, environ),
        addresses=read_addresses(environ),
    )
    directory = root.directory(project.version)
    findings: list[Finding] = []
    if source is not None:
        findings += job_findings(job, project=project, commit=source.commit)
        findings += _github_findings(world, source.commit, tag=project.tag)
        # A checkout that fetches the commit under the tag's name makes a lightweight tag of any (actions/checkout
        # #290, mended in 6.0.2): GitHub was asked, git here cannot tell.
        world = replace(world, policy=replace(world.policy, annotated_tag=False))
    else:
        build = directory.receipt("build")
        if build is None:
            shown = directory.path.relative_to(project.root).as_posix()
            raise NothingBuiltError(version=project.version, directory=shown)
        findings += job_findings(job, project=project, commit=build.commit)
        words = read_words(environ.get(MANIFEST_VARIABLE, ""))
        findings += handover_findings(directory, words, needed=REQUIRES[stage])
    if findings:
        raise GateRefused(stage=stage, findings=findings, next_step=f"mend what is named above, then `nox -s {stage}`")
    return Opened(world=world, directory=directory)


def _github_findings(world: World, commit: str, *, tag: str) -> list[Finding]:
    """The commit must be on the default branch: what was reviewed there, and nothing else, is released.

    Where the policy wants an annotated tag, it must be one there.
    """
    from hephaestus.services import USER_AGENT
    from hephaestus.services.github import GitHubClient
    from hephaestus.services.http import HttpClient

    github = world.github
    findings = []
    with HttpClient(user_agent=USER_AGENT) as http:
        client = GitHubClient(github.api_url, github.uploads_url, github.repository, github.token or None, http=http)
        branch = client.default_branch()
        if not client.contains(branch, commit):
            remedy = f"merge it into {branch}, or move the tag to a commit that is there"
            message = f"{commit[:12]} is not on {branch} of {github.repository}"
            findings.append(Finding(code="commit-off-branch", subject="commit", message=message, remedy=remedy))
        if world.policy.annotated_tag:
            target = client.tag_target(tag)
            if target is None or target.commit != commit:
                where = f"is at {target.commit[:12]} on GitHub" if target is not None else "is not on GitHub any more"
                message = f"{where}, this job acts on {commit[:12]}: whether its tag is annotated cannot be told"
                remedy = f"push it again, at that commit (`git push origin {tag}`)"
                findings.append(Finding(code="tag-gone", subject=tag, message=message, remedy=remedy))
            elif not target.annotated:
                findings.append(lightweight_tag(tag, commit))
    return findings


def configured_policy(base: Policy, project: Project, environ: Mapping[str, str]) -> Policy:
    """``base`` with the project's own settings; HEPHAESTUS_TESTPYPI overrides. Raises TestPyPIVariableError."""
    given = environ.get(TESTPYPI_VARIABLE, "") or project.config.testpypi
    try:
        testpypi = TestPyPIPolicy(given)
    except ValueError as error:
        raise TestPyPIVariableError(given=given) from error
    return replace(
        base,
        testpypi=testpypi,
        prerelease_to_pypi=project.config.prerelease_to_pypi,
        reproducible=Reproducibility(project.config.build.reproducible),
        annotated_tag=project.config.annotated_tags,
    )


def _idle_seconds(environ: Mapping[str, str]) -> float:
    given = environ.get(IDLE_VARIABLE, "")
    if not given:
        return _IDLE_SECONDS
    try:
        seconds = float(given)
    except ValueError as error:
        raise IdleTimeError(given=given) from error
    if not 1 <= seconds <= _LONGEST_IDLE:
        raise IdleTimeError(given=given)
    return seconds
