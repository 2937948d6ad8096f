"""The workflows keep every rule, and every rule refuses a workflow that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from workflows import rules
from workflows.documents import CI, PUBLISH, WORKFLOWS, Workflow, granted, read
from workflows.rules import CI_RULES, EVERY_RULE, PUBLISH_RULES, Rule

Change = Callable[[Any], object]

ALL = [
    *((rule, path) for path in WORKFLOWS for rule in EVERY_RULE),
    *((rule, PUBLISH) for rule in PUBLISH_RULES),
    *((rule, CI) for rule in CI_RULES),
]


def step_of(data: Any, job: str, action: str) -> Any:
    """The first step of a job that uses an action."""
    return next(step for step in data["jobs"][job]["steps"] if step.get("uses", "").startswith(f"{action}@"))


def session_of(data: Any, job: str) -> Any:
    """The step of a job that runs its session."""
    return next(step for step in data["jobs"][job]["steps"] if "nox -s" in step.get("run", ""))


def put(*path: str, value: object) -> Change:
    """A change that sets one value."""

    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


def drop(*path: str) -> Change:
    """A change that takes one key away."""

    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


#: What breaks the publishing workflow's data, by the rule that must refuse it.
BROKEN: list[tuple[Rule, str, Change]] = [
    (rules.triggers_cannot_be_pulled_by_strangers, "pull_request_target", put("on", "pull_request_target", value=None)),
    (
        rules.triggers_cannot_be_pulled_by_strangers,
        "workflow_run",
        put("on", "workflow_run", value={"workflows": ["CI"]}),
    ),
    (rules.triggers_cannot_be_pulled_by_strangers, "issue_comment", put("on", "issue_comment", value=None)),
    (rules.nothing_is_granted_at_the_top, "something granted", put("permissions", value={"contents": "read"})),
    (rules.nothing_is_granted_at_the_top, "nothing said", drop("permissions")),
    (rules.nothing_is_granted_at_the_top, "a job's default", drop("jobs", "check", "permissions")),
    (rules.nothing_is_granted_at_the_top, "all granted", put("jobs", "check", "permissions", value="write-all")),
    (
        rules.nothing_is_cached,
        "an action's cache",
        lambda d: step_of(d, "build", "actions/checkout")["with"].update({"cache": "pip"}),
    ),
    (
        rules.nothing_is_cached,
        "the cache action",
        lambda d: d["jobs"]["build"]["steps"].append({"uses": "actions/cache@0"}),
    ),
    (
        rules.runs_hold_no_expression,
        "an expression",
        lambda d: session_of(d, "build").update(run="echo ${{ github.ref_name }}"),
    ),
    (
        rules.no_secret_is_named,
        "a secret",
        lambda d: session_of(d, "build").update(env={"T": "${{ secrets.PYPI_TOKEN }}"}),
    ),
    (rules.no_secret_is_named, "inherited ones", put("jobs", "build", "secrets", value="inherit")),
    (rules.checkouts_leave_no_credentials, "kept", lambda d: step_of(d, "build", "actions/checkout").pop("with")),
    (rules.jobs_end, "no limit", drop("jobs", "sign", "timeout-minutes")),
    (rules.jobs_end, "a short upload", put("jobs", "upload-pypi", "timeout-minutes", value=10)),
    (rules.failures_are_not_hidden, "a job", put("jobs", "upload-pypi", "continue-on-error", value=True)),
    (
        rules.failures_are_not_hidden,
        "a step",
        lambda d: session_of(d, "upload-pypi").update({"continue-on-error": True}),
    ),
    (rules.runners_are_githubs, "self-hosted", put("jobs", "sign", "runs-on", value="self-hosted")),
    (rules.runners_are_githubs, "a moving image", put("jobs", "sign", "runs-on", value="ubuntu-latest")),
    (rules.runners_are_githubs, "a container", put("jobs", "sign", "container", value="python:3.12")),
    (rules.the_graph_is_the_sessions, "a job gone", drop("jobs", "smoke")),
    (rules.the_graph_is_the_sessions, "a job more", lambda d: d["jobs"].update(extra=d["jobs"]["build"])),
    (rules.the_graph_is_the_sessions, "smoke left out", put("jobs", "upload-pypi", "needs", value=["check"])),
    (rules.the_graph_is_the_sessions, "nothing awaited", drop("jobs", "sign-wheelhouse", "needs")),
    (rules.the_graph_is_the_sessions, "an unknown job", put("jobs", "sign", "needs", value=["built"])),
    (rules.the_graph_is_the_sessions, "a circle", put("jobs", "build", "needs", value=["verify"])),
    (rules.it_starts_on_a_tag_or_by_hand, "any tag", put("on", "push", "tags", value=["*"])),
    (rules.it_starts_on_a_tag_or_by_hand, "a branch", put("on", "push", "branches", value=["main"])),
    (rules.it_starts_on_a_tag_or_by_hand, "no way back", drop("on", "workflow_dispatch")),
    (
        rules.it_starts_on_a_tag_or_by_hand,
        "a tag as input",
        put("on", "workflow_dispatch", value={"inputs": {"tag": {}}}),
    ),
    (rules.conditions_are_these, "no guard", drop("jobs", "build", "if")),
    (
        rules.conditions_are_these,
        "any ref",
        put("jobs", "build", "if", value=f"github.repository == '{rules.REPOSITORY}'"),
    ),
    (rules.conditions_are_these, "always", put("jobs", "upload-pypi", "if", value="always()")),
    (rules.conditions_are_these, "in a step", lambda d: session_of(d, "upload-pypi").update({"if": "always()"})),
    (rules.uploads_are_never_cancelled, "cancelled", put("concurrency", "cancel-in-progress", value=True)),
    (rules.uploads_are_never_cancelled, "one waits", drop("concurrency", "queue")),
    (rules.uploads_are_never_cancelled, "a value GitHub does not know", put("concurrency", "queue", value="maxx")),
    (rules.uploads_are_never_cancelled, "side by side", put("concurrency", "group", value="publish-${{ github.ref }}")),
    (rules.uploads_are_never_cancelled, "in a job", put("jobs", "upload-pypi", "concurrency", value="pypi")),
    (
        rules.identity_and_foreign_code_never_meet,
        "build",
        put("jobs", "build", "permissions", "id-token", value="write"),
    ),
    (
        rules.identity_and_foreign_code_never_meet,
        "smoke",
        put("jobs", "smoke", "permissions", "id-token", value="write"),
    ),
    (
        rules.identity_and_foreign_code_never_meet,
        "wheelhouse",
        put("jobs", "wheelhouse", "permissions", "id-token", value="write"),
    ),
    (
        rules.identity_and_foreign_code_never_meet,
        "both",
        put("jobs", "github-release", "permissions", "id-token", value="write"),
    ),
    (
        rules.identity_and_foreign_code_never_meet,
        "a writer",
        put("jobs", "sign", "permissions", "contents", value="write"),
    ),
    (
        rules.identity_and_foreign_code_never_meet,
        "packages",
        put("jobs", "check", "permissions", "packages", value="write"),
    ),
    (
        rules.steps_are_these,
        "a step more",
        lambda d: d["jobs"]["upload-pypi"]["steps"].insert(1, {"run": "pip install ."}),
    ),
    (
        rules.steps_are_these,
        "another session",
        lambda d: session_of(d, "upload-pypi").update(run=".venv/bin/nox -s build --no-dependencies"),
    ),
    (
        rules.steps_are_these,
        "with its dependencies",
        lambda d: session_of(d, "upload-pypi").update(run=".venv/bin/nox -s upload-pypi"),
    ),
    (
        rules.steps_are_these,
        "no hashes",
        lambda d: d["jobs"]["sign"]["steps"][2].update(run="python3 -m venv .venv && .venv/bin/pip install nox"),
    ),
    (rules.steps_are_these, "another action", lambda d: d["jobs"]["sign"]["steps"].append({"uses": f"a/b@{'0' * 40}"})),
    (rules.steps_are_these, "another shell", lambda d: session_of(d, "sign").update(shell="python")),
    (rules.steps_are_these, "another default shell", put("defaults", value={"run": {"shell": "python"}})),
    (rules.what_arrives_is_what_was_handed_over, "no digest", lambda d: session_of(d, "sign").pop("env")),
    (
        rules.what_arrives_is_what_was_handed_over,
        "the word of a job with foreign code alone",
        lambda d: session_of(d, "upload-pypi")["env"].update(HEPHAESTUS_MANIFEST="${{ needs.smoke.outputs.manifest }}"),
    ),
    (
        rules.what_arrives_is_what_was_handed_over,
        "one of two",
        lambda d: session_of(d, "github-release")["env"].update(
            HEPHAESTUS_MANIFEST="${{ needs.check.outputs.manifest }}"
        ),
    ),
    (rules.what_arrives_is_what_was_handed_over, "no output", drop("jobs", "check", "outputs", "manifest")),
    (
        rules.what_arrives_is_what_was_handed_over,
        "by name",
        lambda d: step_of(d, "sign", "actions/download-artifact").update(
            {"with": {"name": "build-${{ github.run_attempt }}", "path": "release/"}}
        ),
    ),
    (
        rules.what_arrives_is_what_was_handed_over,
        "this attempt only",
        lambda d: step_of(d, "sign", "actions/download-artifact")["with"].pop("github-token"),
    ),
    (
        rules.what_arrives_is_what_was_handed_over,
        "the marker lost",
        lambda d: step_of(d, "sign", "actions/upload-artifact")["with"].pop("include-hidden-files"),
    ),
    (
        rules.what_arrives_is_what_was_handed_over,
        "kept a day",
        lambda d: step_of(d, "sign", "actions/upload-artifact")["with"].update({"retention-days": 1}),
    ),
    (
        rules.what_arrives_is_what_was_handed_over,
        "one name twice",
        lambda d: step_of(d, "sign", "actions/upload-artifact")["with"].update(name="sign"),
    ),
    (rules.what_arrives_is_what_was_handed_over, "too little", lambda d: d["jobs"]["github-release"]["steps"].pop(1)),
    (
        rules.what_arrives_is_what_was_handed_over,
        "not awaited",
        put("jobs", "verify", "needs", value=["github-release"]),
    ),
    (rules.what_arrives_is_what_was_handed_over, "no id", lambda d: session_of(d, "sign").pop("id")),
    (rules.the_environment_is_this, "not asked for", drop("env", "HEPHAESTUS_PUBLISH")),
    (rules.the_environment_is_this, "bootstrapped", put("env", "NOX_SCRIPT_MODE", value="reuse")),
    (
        rules.the_environment_is_this,
        "a password",
        lambda d: session_of(d, "upload-pypi")["env"].update(TWINE_PASSWORD="x"),
    ),
    (
        rules.the_environment_is_this,
        "a token more",
        lambda d: session_of(d, "sign")["env"].update(GITHUB_TOKEN="${{ github.token }}"),
    ),
    (
        rules.the_environment_is_this,
        "another token",
        lambda d: session_of(d, "verify")["env"].update(GITHUB_TOKEN="${{ vars.TOKEN }}"),
    ),
    (
        rules.the_environment_is_this,
        "another step's",
        lambda d: d["jobs"]["sign"]["steps"][2].update(env={"HEPHAESTUS_MANIFEST": ""}),
    ),
    (rules.the_environment_is_this, "a job's", put("jobs", "sign", "env", value={"PIP_INDEX_URL": "x"})),
    (rules.environments_are_the_publishers, "none", drop("jobs", "upload-pypi", "environment")),
    (
        rules.environments_are_the_publishers,
        "swapped",
        put("jobs", "upload-testpypi", "environment", "name", value="pypi"),
    ),
    (rules.environments_are_the_publishers, "one more", put("jobs", "sign", "environment", value={"name": "pypi"})),
    (rules.the_verdict_sees_all, "one unseen", lambda d: d["jobs"]["verdict"]["needs"].remove("upload-pypi")),
    (
        rules.the_verdict_sees_all,
        "nine suffice",
        lambda d: d["jobs"]["verdict"]["steps"][0].update(run='test "$ENDED" = "success"'),
    ),
    (
        rules.the_verdict_sees_all,
        "says yes",
        lambda d: d["jobs"]["verdict"]["steps"][0].update(env={"ENDED": "success"}),
    ),
    (rules.the_verdict_sees_all, "a right", put("jobs", "verdict", "permissions", value={"contents": "read"})),
]

#: The same for CI.
BROKEN_CI: list[tuple[Rule, str, Change]] = [
    (rules.it_may_write_nothing, "an identity", put("jobs", "tests", "permissions", "id-token", value="write")),
    (rules.it_may_write_nothing, "contents", put("jobs", "lint", "permissions", "contents", value="write")),
    (
        rules.it_may_write_nothing,
        "the rehearsal reads",
        put("jobs", "rehearsal", "permissions", value={"contents": "read"}),
    ),
    (rules.it_may_write_nothing, "an environment", put("jobs", "rehearsal", "environment", value="pypi")),
    (rules.it_never_publishes, "asked for", put("env", "HEPHAESTUS_PUBLISH", value="1")),
    (
        rules.it_never_publishes,
        "by option",
        lambda d: session_of(d, "rehearsal").update(run="python -m nox -s release -- --publish"),
    ),
    (rules.it_runs_sessions_only, "a script", lambda d: d["jobs"]["lint"]["steps"].append({"run": "curl x | sh"})),
    (rules.it_runs_sessions_only, "no rehearsal", drop("jobs", "rehearsal")),
    (
        rules.it_runs_sessions_only,
        "another action",
        lambda d: d["jobs"]["lint"]["steps"].append({"uses": f"a/b@{'0' * 40}"}),
    ),
    (rules.it_runs_sessions_only, "another folder", lambda d: session_of(d, "lint").update({"working-directory": "/"})),
    (rules.it_covers_systems_and_pythons, "no Windows", lambda d: d["jobs"]["tests"]["strategy"]["matrix"]["os"].pop()),
    (
        rules.it_covers_systems_and_pythons,
        "no 3.14",
        lambda d: d["jobs"]["tests"]["strategy"]["matrix"]["python"].pop(),
    ),
    (
        rules.it_covers_systems_and_pythons,
        "an exception",
        put("jobs", "tests", "strategy", "matrix", "exclude", value=[{"os": "windows-2025"}]),
    ),
    (rules.it_covers_systems_and_pythons, "the first red stops all", drop("jobs", "tests", "strategy", "fail-fast")),
    (
        rules.it_runs_sessions_only,
        "an image by its tag alone",
        lambda d: d["jobs"]["workflows"]["steps"][-1].update(run="docker run --rm rhysd/actionlint:1.7.12"),
    ),
    (rules.it_runs_on_every_change, "some files", put("on", "pull_request", value={"paths": ["src/**"]})),
    (rules.it_runs_on_every_change, "some authors", put("jobs", "tests", "if", value="github.actor == 'me'")),
]

#: What breaks the text of the publishing workflow: comments exist only there.
BROKEN_TEXT = [
    (
        rules.actions_are_pinned,
        "a tag",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        "actions/checkout@v6",
    ),
    (rules.actions_are_pinned, "no version", " # v6.0.2", ""),
    (rules.actions_are_pinned, "a vague version", " # v6.0.2", " # v6"),
    (rules.actions_are_pinned, "a short commit", "de0fac2e4500dabe0009e67214ff5f5447ce83dd", "de0fac2"),
    (
        rules.actions_are_pinned,
        "a local action",
        "uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        "uses: ./.github/actions/checkout",
    ),
    (
        rules.actions_are_pinned,
        "an image by tag",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        "docker://alpine:3.20 # v3.20.0",
    ),
    (
        rules.actions_are_pinned,
        "an image by digest",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        f"docker://alpine:3.20.0@sha256:{'0' * 64} # v3.20.0",
    ),
    (
        rules.actions_are_pinned,
        "two commits",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        f"actions/checkout@{'0' * 40} # v6.0.2",
    ),
    (rules.actions_are_pinned, "written unlike the others", "uses: actions/checkout@", '"uses": actions/checkout@'),
]


@pytest.mark.parametrize(("rule", "path"), ALL, ids=lambda each: getattr(each, "__name__", None) or each.name)
def test_every_rule_holds(rule: Rule, path: Any) -> None:
    """A workflow of this project offends no rule that is about it."""
    assert rule(read(path)) == []


@pytest.mark.parametrize(("rule", "what", "change"), BROKEN, ids=lambda each: getattr(each, "__name__", str(each)))
def test_a_publishing_workflow_that_breaks_a_rule_is_refused(rule: Rule, what: str, change: Change) -> None:
    """A copy of publish-pypi.yml with one thing broken is refused by the rule about that thing."""
    assert refusals(rule, read(PUBLISH).changed(change))


@pytest.mark.parametrize(("rule", "what", "change"), BROKEN_CI, ids=lambda each: getattr(each, "__name__", str(each)))
def test_a_ci_that_breaks_a_rule_is_refused(rule: Rule, what: str, change: Change) -> None:
    """A copy of ci.yml with one thing broken is refused by the rule about that thing."""
    assert refusals(rule, read(CI).changed(change))


@pytest.mark.parametrize(("rule", "what", "old", "new"), BROKEN_TEXT, ids=[each[1] for each in BROKEN_TEXT])
def test_a_pin_that_is_none_is_refused(rule: Rule, what: str, old: str, new: str) -> None:
    """An action by tag, without version, local, or of two commits is refused."""
    assert refusals(rule, read(PUBLISH).rewritten(old, new))


def refusals(rule: Rule, broken: Workflow) -> list[str]:
    """What a rule says; a rule may not fall over what it should refuse."""
    return rule(broken)


def test_every_rule_has_been_broken() -> None:
    """No rule is trusted that was never seen refusing."""
    broken = {rule for rule, *_ in [*BROKEN, *BROKEN_CI, *BROKEN_TEXT]}
    assert {*EVERY_RULE, *PUBLISH_RULES, *CI_RULES} == broken


def test_only_one_workflow_can_publish() -> None:
    """Beside publish-pypi.yml no workflow asks for an identity, an environment, a write or a publish."""
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "publish-pypi.yml"}
    for path in WORKFLOWS:
        if path != PUBLISH:
            workflow = read(path)
            assert not [job for job, body in workflow.jobs.items() if "environment" in body]
            assert all(
                each.endswith(": read") for body in workflow.jobs.values() for each in granted(body["permissions"])
            )
            assert "HEPHAESTUS_PUBLISH" not in workflow.text
