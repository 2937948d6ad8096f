"""The job a publish runs in: exactly the publisher of this release, or a finding for every difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hephaestus.release.project import Project, read_project
from hephaestus.worlds.job import Job, NotInWorkflowError, job_findings, read_job

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RIGHT = Job(
    repository="someone/tiny-thing",
    workflow_ref="someone/tiny-thing/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3",
    ref="refs/tags/v1.2.3",
    sha=COMMIT,
    event="push",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of version 1.2.3."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n'
        '[tool.hephaestus.release]\nrepository = "someone/tiny-thing"\n'
    )
    return read_project(tmp_path)


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_the_publisher_itself_is_fine(project: Project, event: str) -> None:
    """The right repository, file, tag and commit: no finding, whether the tag was pushed or dispatched on."""
    assert job_findings(replace(RIGHT, event=event), project=project, commit=COMMIT) == []


def test_the_repository_is_written_as_github_writes_it(project: Project) -> None:
    """GitHub and the indexes take any case, certificates do not: what was signed would not verify as this project's."""
    there = "Someone/Tiny-Thing"
    job = replace(RIGHT, repository=there, workflow_ref=RIGHT.workflow_ref.replace(RIGHT.repository, there))
    (finding,) = job_findings(job, project=project, commit="")
    assert finding.code == "job-repository-case"
    assert there in finding.remedy


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository": "mallory/tiny-thing"}, "job-repository"),
        ({"repository": ""}, "job-repository"),
        ({"workflow_ref": "someone/tiny-thing/.github/workflows/release.yml@refs/tags/v1.2.3"}, "job-workflow"),
        ({"workflow_ref": "mallory/tiny-thing/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3"}, "job-workflow"),
        ({"workflow_ref": ""}, "job-workflow"),
        ({"workflow_ref": "someone/tiny-thing/.github/workflows/publish-pypi.yml@refs/heads/main"}, "job-workflow-ref"),
        ({"ref": "refs/heads/main"}, "job-ref"),
        ({"ref": "refs/tags/v1.2.4"}, "job-ref"),
        ({"ref": "refs/tags/1.2.3"}, "job-ref"),
        ({"event": "pull_request_target"}, "job-event"),
        ({"event": "schedule"}, "job-event"),
        ({"sha": "f" * 40}, "job-commit"),
        ({"sha": ""}, "job-commit"),
    ],
)
def test_every_difference_is_a_finding(project: Project, changes: dict[str, str], code: str) -> None:
    """One thing that is not the publisher's is one finding that names it and says what to do."""
    findings = job_findings(replace(RIGHT, **changes), project=project, commit=COMMIT)
    assert code in [finding.code for finding in findings]
    assert all(finding.remedy for finding in findings)


def test_all_differences_are_told_at_once(project: Project) -> None:
    """A job that is wrong in everything hears everything."""
    wrong = Job(repository="m/x", workflow_ref="", ref="refs/heads/main", sha="", event="")
    codes = [finding.code for finding in job_findings(wrong, project=project, commit=COMMIT)]
    assert codes == ["job-repository", "job-workflow", "job-ref", "job-event", "job-commit"]


@pytest.mark.parametrize("environ", [{}, {"CI": "true"}, {"GITHUB_ACTIONS": "false"}])
def test_outside_of_a_job_there_is_none(project: Project, environ: dict[str, str]) -> None:
    """A person's machine, another CI: refused, with the command that publishes instead."""
    with pytest.raises(NotInWorkflowError) as caught:
        read_job(environ, project=project)
    assert "git push origin v1.2.3" in str(caught.value)
    assert "gh workflow run publish-pypi.yml --ref v1.2.3" in str(caught.value)


def test_a_job_is_read_from_the_runners_variables(project: Project) -> None:
    """The runner's default variables give the job."""
    environ = {
        "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": RIGHT.repository, "GITHUB_WORKFLOW_REF": RIGHT.workflow_ref,
        "GITHUB_REF": RIGHT.ref, "GITHUB_SHA": COMMIT, "GITHUB_EVENT_NAME": "push",
    }  # fmt: skip
    assert read_job(environ, project=project) == RIGHT
