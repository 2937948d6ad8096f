"""The workflow job a publish runs in, as GitHub Actions tells it, and what must be true of it before anything leaves.

Indexes check repository, workflow file and environment of a publisher, but no ref and no commit (facts: pypi, section
7): that the job stands on the tag, and the tag on the commit, is for us to prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.project import Project
from hephaestus.worlds.world import Publisher

__all__ = ["Job", "NotInWorkflowError", "job_findings", "read_job"]

#: How the workflow may have been started; anything else gives the job another identity than the documented one.
_EVENTS = ("push", "workflow_dispatch")


class NotInWorkflowError(ReleaseError):
    """Raised when a publish is asked for outside the workflow whose identity it needs."""

    def __init__(self, *, project: Project) -> None:
        workflow = project.config.workflow
        super().__init__(
            what=f"refused: a publish happens in the workflow {workflow} and nowhere else; this is no job of it",
            why="Trusted Publishing and attestations take the identity of that job; no machine of a person has it",
            details=[
                f"publish: git push origin {project.tag}",
                f"again, on a tag that is there: gh workflow run {workflow} --ref {project.tag}",
            ],
            next_step="rehearse here with `nox -s release`, without --publish and without HEPHAESTUS_PUBLISH",
        )


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of a run; ``workflow_ref`` is ``OWNER/NAME/.github/workflows/FILE@REF``, ``sha`` the commit."""

    repository: str
    workflow_ref: str
    ref: str
    sha: str
    event: str


def read_job(environ: Mapping[str, str], *, project: Project) -> Job:
    """The job this process runs in, by the runner's default variables; raises NotInWorkflowError outside of one."""
    if environ.get("GITHUB_ACTIONS") != "true":
        raise NotInWorkflowError(project=project)
    return Job(
        repository=environ.get("GITHUB_REPOSITORY", ""),
        workflow_ref=environ.get("GITHUB_WORKFLOW_REF", ""),
        ref=environ.get("GITHUB_REF", ""),
        sha=environ.get("GITHUB_SHA", ""),
        event=environ.get("GITHUB_EVENT_NAME", ""),
    )


def job_findings(job: Job, *, project: Project, commit: str) -> list[Finding]:
    """Everything in which the job is not the publisher of this release; ``commit`` is the one it acts on, or empty.

    All to the letter. Indexes compare repositories without regard to case, but a certificate holds the name as GitHub
    writes it, and what is signed is verified against ours.
    """
    publisher = Publisher(
        repository=project.repository, workflow=project.config.workflow, ref=f"refs/tags/{project.tag}"
    )
    again = f"gh workflow run {publisher.workflow} --ref {project.tag}"
    findings = []

    def differs(code: str, subject: str, message: str, remedy: str) -> None:
        findings.append(Finding(code=code, subject=subject, message=message, remedy=remedy))

    if job.repository.casefold() != publisher.repository.casefold():
        differs(
            "job-repository",
            "repository",
            f"this job belongs to {job.repository or 'no repository'}, the release to {publisher.repository}",
            "a fork cannot publish; set [tool.hephaestus.release] repository if the project has moved",
        )
    elif job.repository != publisher.repository:
        differs(
            "job-repository-case",
            "repository",
            f"GitHub writes it {job.repository}, pyproject.toml {publisher.repository}: signatures would not verify",
            f'set [tool.hephaestus.release] repository = "{job.repository}"',
        )
    owner, _, file = job.workflow_ref.partition("@")[0].rpartition("/.github/workflows/")
    if file != publisher.workflow or owner.casefold() != publisher.repository.casefold():
        differs(
            "job-workflow",
            "workflow",
            f"this job is of {job.workflow_ref or 'no workflow file'}, the publisher is {publisher.subject}",
            "the file's name is part of the publisher's identity: run it from that file",
        )
    if job.ref != publisher.ref:
        differs(
            "job-ref",
            "ref",
            f"this job runs on {job.ref or 'no ref'}, version {project.version} is released from {publisher.ref}",
            again,
        )
    elif not job.workflow_ref.endswith(f"@{publisher.ref}"):
        differs(
            "job-workflow-ref",
            "workflow",
            f"its file comes from {job.workflow_ref.partition('@')[2] or 'no ref'}, not from {publisher.ref}",
            again,
        )
    if job.event not in _EVENTS:
        differs(
            "job-event",
            "event",
            f"this job was started by {job.event or 'nothing known'}, not by one of {', '.join(_EVENTS)}",
            again,
        )
    if commit and job.sha != commit:
        differs(
            "job-commit",
            "commit",
            f"this job runs on {job.sha[:12] or 'no commit'}, the release is of {commit[:12]}",
            "take the artifact of this run; the tag may have been moved (`git show` it)",
        )
    return findings
