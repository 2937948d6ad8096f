"""The workflow job of a publish: forks, pull requests, other files, other commits and branches are refused by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stages.conftest import plain_world

from hephaestus.release.config import Config
from hephaestus.release.project import Project
from hephaestus.standins.faults import Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.http import Listener
from hephaestus.worlds.job import NotInWorkflowError, job_findings, read_job
from hephaestus.worlds.opening import _branch_findings
from hephaestus.worlds.world import GitHub as Address

COMMIT, OTHER = "c" * 40, "d" * 40
PROJECT = Project(root=Path("/project"), name="tiny-thing", version="1.2.3", config=Config(repository="Someone/tiny"))
FILE = "Someone/tiny/.github/workflows/publish-pypi.yml"
OTHER_FILE = FILE.replace("publish-pypi", "other")
ENVIRON = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "someone/Tiny",
    "GITHUB_WORKFLOW_REF": f"{FILE}@refs/tags/v1.2.3",
    "GITHUB_REF": "refs/tags/v1.2.3",
    "GITHUB_SHA": COMMIT,
    "GITHUB_EVENT_NAME": "push",
}


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_the_publishers_own_job_has_nothing_wrong(event: str) -> None:
    """Started by the tag or by hand on it; the repository's case does not matter, as on the index."""
    job = read_job({**ENVIRON, "GITHUB_EVENT_NAME": event}, project=PROJECT)
    assert job_findings(job, project=PROJECT, commit=COMMIT) == []


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"GITHUB_REPOSITORY": "mallory/tiny"}, "job-repository", "a fork cannot publish"),
        ({"GITHUB_REPOSITORY": ""}, "job-repository", "no repository"),
        ({"GITHUB_EVENT_NAME": "pull_request"}, "job-event", "started by pull_request"),
        ({"GITHUB_EVENT_NAME": "pull_request_target"}, "job-event", "gh workflow run publish-pypi.yml --ref v1.2.3"),
        ({"GITHUB_EVENT_NAME": ""}, "job-event", "nothing known"),
        ({"GITHUB_WORKFLOW_REF": f"{OTHER_FILE}@refs/tags/v1.2.3"}, "job-workflow", "is of other.yml"),
        ({"GITHUB_WORKFLOW_REF": f"{FILE}@refs/heads/main"}, "job-workflow-ref", "comes from refs/heads/main"),
        ({"GITHUB_REF": "refs/pull/7/merge"}, "job-ref", "runs on refs/pull/7/merge"),
        ({"GITHUB_REF": "refs/tags/v1.2.4"}, "job-ref", "released from refs/tags/v1.2.3"),
        ({"GITHUB_SHA": OTHER}, "job-commit", "dddddddddddd"),
    ],
)  # fmt: skip
def test_any_other_job_is_refused_by_name(changed: dict[str, str], code: str, words: str) -> None:
    """One thing that differs is one finding, which says what is and what had to be, and what to do."""
    found = job_findings(read_job({**ENVIRON, **changed}, project=PROJECT), project=PROJECT, commit=COMMIT)
    assert [finding.code for finding in found] == [code]
    assert words in found[0].line()
    assert found[0].remedy


@pytest.mark.parametrize("actions", [None, "false", "1", ""])
def test_a_machine_that_is_no_job_publishes_nothing(actions: str | None) -> None:
    """Without GITHUB_ACTIONS=true there is no job, whatever else is set."""
    environ = {name: value for name, value in ENVIRON.items() if name != "GITHUB_ACTIONS"}
    if actions is not None:
        environ["GITHUB_ACTIONS"] = actions
    with pytest.raises(NotInWorkflowError, match=r"in the workflow publish-pypi\.yml and nowhere else") as raised:
        read_job(environ, project=PROJECT)
    assert "nox -s release" in raised.value.next_step


@pytest.fixture
def branch_findings(tmp_path: Path) -> Callable[[str], list[str]]:
    """The findings about a commit against a GitHub whose default branch ends at COMMIT."""

    def look(commit: str) -> list[str]:
        github = GitHub(tmp_path / "github", repository="o/r", token="t", clock=time.time, faults=Faults())
        github.push(["a" * 40, COMMIT])
        github.push_tag("v1.2.3", OTHER)
        with Listener(github.handle) as listener:
            address = Address(api_url=listener.url, uploads_url=listener.url, repository="o/r", token="t")
            world = replace(plain_world(tmp_path), github=address)
            return [f"{one.code}: {one.line()}" for one in _branch_findings(world, commit)]

    return look


@pytest.mark.parametrize("commit", ["a" * 40, COMMIT])
def test_a_commit_of_the_default_branch_may_be_released(
    commit: str, branch_findings: Callable[[str], list[str]]
) -> None:
    """Its last one, or an earlier one."""
    assert branch_findings(commit) == []


@pytest.mark.parametrize("commit", [OTHER, "e" * 40])
def test_a_commit_that_is_on_no_default_branch_is_refused(
    commit: str, branch_findings: Callable[[str], list[str]]
) -> None:
    """A tag on a commit that was never merged, or one that GitHub does not know: named, with the way on."""
    (found,) = branch_findings(commit)
    assert found.startswith(f"commit-off-branch: commit: {commit[:12]} is not on main of o/r")
    assert "merge it into main" in found
