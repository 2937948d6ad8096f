"""What becomes of a run when jobs fail: every combination, by GitHub's rules for `needs` and `if`.

The conditions are those of ``rules.CONDITIONS``, which the workflow is held to word for word; what each means is
written here once more, as Python.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from workflows import rules
from workflows.documents import PUBLISH, Workflow, read

from hephaestus.release.chain import REQUIRES, closure

Results = Mapping[str, str]
PUBLISHING = read(PUBLISH)
SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"


def ready(results: Results) -> bool:
    """What github-release and verify ask: the files are checked and signed, whatever became of the indexes."""
    return results["check"] == results["sign-wheelhouse"] == SUCCESS


#: Each condition of the workflow as a function of the results so far; ``on_tag`` stands for its guard.
MEANING: Mapping[str, Callable[[Results, bool], bool]] = {
    rules.GUARD: lambda results, on_tag: on_tag,
    rules.AFTER_FAILURES: lambda results, on_tag: ready(results),
    rules.CONDITIONS["verdict"]: lambda results, on_tag: True,
}


def outcome(workflow: Workflow, failing: frozenset[str], *, on_tag: bool = True) -> dict[str, str]:
    """The result of each job, where those of ``failing`` that are started fail; no one cancels anything.

    A condition without a status function, and none at all, stands under an implicit ``success()``: all jobs a job
    needs, and all those need, must have succeeded.
    """
    results: dict[str, str] = {}
    for job in workflow.jobs:
        before = rules._before(workflow, job)
        assert before <= set(results), f"{job} stands above what it needs"
        condition = workflow.jobs[job].get("if")
        implicit = condition is None or not re.search(r"\b(always|cancelled|failure|success)\(\)", condition)
        runs = all(results[other] == SUCCESS for other in before) if implicit else True
        if runs and condition is not None:
            runs = MEANING[condition](results, on_tag)
        if job == "verdict":
            results[job] = SUCCESS if all(result == SUCCESS for result in results.values()) else FAILURE
        else:
            results[job] = SKIPPED if not runs else FAILURE if job in failing else SUCCESS
    return results


def everything_that_can_fail() -> Iterator[frozenset[str]]:
    """Each set of stages that might fail."""
    for number in range(len(REQUIRES) + 1):
        yield from map(frozenset, itertools.combinations(REQUIRES, number))


def dependents(workflow: Workflow, jobs: set[str]) -> set[str]:
    """The jobs that wait for one of these."""
    return {job for job in workflow.jobs if rules._before(workflow, job) & jobs}


def test_a_run_is_green_when_every_job_succeeded_and_only_then() -> None:
    """Of all 1024 sets of failing stages, the empty one alone ends in a green verdict."""
    green = [failing for failing in everything_that_can_fail() if outcome(PUBLISHING, failing)["verdict"] == SUCCESS]
    assert green == [frozenset()]


def test_on_a_branch_nothing_runs_and_the_run_is_red() -> None:
    """Dispatched on a branch, no stage is started, and the verdict says so in red."""
    results = outcome(PUBLISHING, frozenset(), on_tag=False)
    assert {results[job] for job in REQUIRES} == {SKIPPED}
    assert results["verdict"] == FAILURE


def test_no_job_runs_before_what_its_session_requires_has_succeeded() -> None:
    """Whatever fails: a job that was started had every stage its session rests on behind it, in success."""
    for failing in everything_that_can_fail():
        results = outcome(PUBLISHING, failing)
        for stage in REQUIRES:
            if results[stage] != SKIPPED:
                rests_on = [results[other] for other in closure(stage) if other != stage]
                assert set(rests_on) <= {SUCCESS}, (failing, stage)


def test_a_job_that_runs_has_something_to_receive() -> None:
    """Whatever fails: the jobs a started one receives from have succeeded, so that artifact and digest are there."""
    findings: list[str] = []
    sources = {stage: rules._sources(PUBLISHING, stage, findings) for stage in REQUIRES}
    assert not findings
    for failing in everything_that_can_fail():
        results = outcome(PUBLISHING, failing)
        started = [stage for stage in REQUIRES if results[stage] != SKIPPED]
        assert all(results[source] == SUCCESS for stage in started for source in sources[stage]), failing


@pytest.mark.parametrize("stage", ["upload-testpypi", "smoke", "upload-pypi"])
def test_the_draft_is_made_although_an_index_fails(stage: str) -> None:
    """An index that fails leaves a complete draft and a comparison that names what is missing - and a red run."""
    results = outcome(PUBLISHING, frozenset({stage}))
    assert results["github-release"] == results["verify"] == SUCCESS
    assert results["verdict"] == FAILURE


@pytest.mark.parametrize("stage", ["build", "sign", "check", "wheelhouse", "sign-wheelhouse"])
def test_nothing_unproven_reaches_github(stage: str) -> None:
    """When checking or signing fails there is no release, not even a draft."""
    assert outcome(PUBLISHING, frozenset({stage}))["github-release"] == SKIPPED


@pytest.mark.parametrize("stage", ["build", "sign", "check", "upload-testpypi", "smoke"])
def test_nothing_reaches_pypi_past_a_failure(stage: str) -> None:
    """What Test PyPI or a check refuses never gets to PyPI."""
    assert outcome(PUBLISHING, frozenset({stage}))["upload-pypi"] == SKIPPED


def test_running_the_failed_jobs_again_is_enough() -> None:
    """GitHub's *Re-run failed jobs* takes what failed and what waits for it: all that did not succeed."""
    for failing in everything_that_can_fail():
        results = outcome(PUBLISHING, failing)
        failed = {job for job, result in results.items() if result == FAILURE}
        again = failed | dependents(PUBLISHING, failed)
        assert {job for job, result in results.items() if result != SUCCESS} <= again, failing


def test_without_its_condition_the_draft_would_be_lost() -> None:
    """The model tells a broken copy apart: under the implicit condition a failure of PyPI would skip the draft."""
    broken = PUBLISHING.changed(lambda data: data["jobs"]["github-release"].pop("if"))
    assert outcome(broken, frozenset({"upload-pypi"}))["github-release"] == SKIPPED
