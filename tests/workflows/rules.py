"""What must hold of every workflow, of the publishing one and of CI: each rule returns what offends it.

Where a rule comes from is told in docs/security-model.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from workflows.documents import Workflow, granted, supported_pythons

from hephaestus.release.chain import REQUIRES, closure

__all__ = ["CI_RULES", "EVERY_RULE", "PUBLISH_RULES", "Rule", "permissions_are_those_of"]

Rule = Callable[[Workflow], list[str]]


REPOSITORY = "IAmJonoBo/Hephaestus"
INSTALL = "--require-hashes --only-binary :all: --no-deps -r dev/release.txt"
PUBLISH_INSTALL = f"python3 -m venv .venv && .venv/bin/python -m pip install {INSTALL}"
CI_INSTALL = f"python -m pip install {INSTALL}"
CI_RUNS = {
    CI_INSTALL, "python -m nox -s lint types", "python -m nox -s tests --no-dependencies", "python -m nox -s release",
    "python -m nox -s workflows",
    'docker run --rm --network none --volume "$PWD:/repo:ro" --workdir /repo '
    "rhysd/actionlint:1.7.12@sha256:b1934ee5f1c509618f2508e6eb47ee0d3520686341fec936f3b79331f9315667 -color",
}  # fmt: skip

CHECKOUT, SETUP = "actions/checkout", "actions/setup-python"
UPLOAD, DOWNLOAD = "actions/upload-artifact", "actions/download-artifact"

#: Sessions a job with an identity may run: what they execute comes from locks of wheels and is no project's own.
WITH_IDENTITY = {"sign", "sign-wheelhouse", "upload-testpypi", "upload-pypi"}
ENVIRONMENTS = {"upload-testpypi": "testpypi", "upload-pypi": "pypi"}
WITH_TOKEN = {"build", "github-release", "verify"}
ENVIRONMENT = {
    "HEPHAESTUS_PUBLISH": "1",
    "HEPHAESTUS_TESTPYPI": "${{ vars.HEPHAESTUS_TESTPYPI }}",
    "NOX_SCRIPT_MODE": "none",
}
GUARD = f"github.repository == '{REPOSITORY}' && github.ref_type == 'tag'"
AFTER_FAILURES = "!cancelled() && needs.check.result == 'success' && needs.sign-wheelhouse.result == 'success'"
CONDITIONS = {
    "build": GUARD,
    "github-release": AFTER_FAILURES,
    "verify": AFTER_FAILURES,
    "verdict": f"always() && github.repository == '{REPOSITORY}'",
}


def _strings(value: object) -> Iterator[str]:
    """Every string within data, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


# Every workflow.


def triggers_cannot_be_pulled_by_strangers(workflow: Workflow) -> list[str]:
    """Only a push, a pull request without rights, and a person start anything."""
    return [f"on: {each}" for each in workflow.data["on"] if each not in {"push", "pull_request", "workflow_dispatch"}]


def nothing_is_granted_at_the_top(workflow: Workflow) -> list[str]:
    """The top level grants nothing, and no job leaves its permissions to a default."""
    findings = [] if workflow.data.get("permissions") == {} else ["permissions at the top are not {}"]
    return findings + [
        f"{job}: permissions are not listed" for job, body in workflow.jobs.items()
        if not isinstance(body.get("permissions"), Mapping)
    ]  # fmt: skip


def actions_are_pinned(workflow: Workflow) -> list[str]:
    """Every ``uses`` names a commit, with the version as a comment; one action, one commit.

    No image: told to take pinned actions only, GitHub takes none, by digest neither (tektoncd/plumbing#2929).
    """
    pinned = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    lines = re.findall(r"^\s*(?:- )?uses: *(.*)$", workflow.text, re.MULTILINE)
    findings = [f"uses: {line}" for line in lines if not pinned.fullmatch(line)]
    if len(lines) != len([step for _, step in workflow.steps() if "uses" in step]):
        findings.append("a `uses` stands where the pattern does not look")
    commits: dict[str, str] = {}
    for line in lines:
        action = line.partition("@")[0]
        if commits.setdefault(action, line) != line:
            findings.append(f"{action} is pinned to two commits")
    return findings


def nothing_is_cached(workflow: Workflow) -> list[str]:
    """No cache is read or written: a poisoned one is code in the next run (facts: ultralytics, TanStack)."""
    return [text for text in _strings(workflow.data) if "cache" in text.lower()]


def runs_hold_no_expression(workflow: Workflow) -> list[str]:
    """What GitHub puts into a script is code; values travel in ``env``."""
    return [f"{job}: {step['run']}" for job, step in workflow.steps() if "${{" in step.get("run", "")]


def no_secret_is_named(workflow: Workflow) -> list[str]:
    """There is no secret to steal: no ``secrets`` context, no inherited ones."""
    return [text for text in _strings(workflow.data) if re.search(r"\bsecrets\b", text)]


def checkouts_leave_no_credentials(workflow: Workflow) -> list[str]:
    """The job's token does not stay in the checkout for whatever runs next."""
    return [
        f"{job}: checkout keeps its credentials" for job in workflow.jobs for step in workflow.uses(job, CHECKOUT)
        if step.get("with", {}).get("persist-credentials") is not False
    ]  # fmt: skip


def jobs_end(workflow: Workflow) -> list[str]:
    """Each job has a limit, and an upload's leaves room for an index's slow answers."""
    findings = []
    for job, body in workflow.jobs.items():
        minutes = body.get("timeout-minutes", 0)
        if not 0 < minutes <= 60 or (job.startswith("upload-") and minutes < 20):
            findings.append(f"{job}: timeout-minutes {minutes}")
    return findings


def failures_are_not_hidden(workflow: Workflow) -> list[str]:
    """Nothing goes on over an error of its own: a red step makes a red job."""
    bodies = [*workflow.jobs.items(), *workflow.steps()]
    return [f"{job}: continue-on-error" for job, body in bodies if "continue-on-error" in body]


def runners_are_githubs(workflow: Workflow) -> list[str]:
    """Jobs run on GitHub's own fresh machines, at a named version, in no container."""
    findings = []
    for job, body in workflow.jobs.items():
        labels = body["strategy"]["matrix"]["os"] if body["runs-on"] == "${{ matrix.os }}" else [body["runs-on"]]
        findings += [
            f"{job}: runs on {label}" for label in labels if not re.fullmatch(r"(ubuntu|macos|windows)-[\d.]+", label)
        ]
        findings += [f"{job}: {key}" for key in ("container", "services", "uses") if key in body]
    return findings


# The workflow that publishes.


def the_graph_is_the_sessions(workflow: Workflow) -> list[str]:
    """One job a stage, under its name; a job waits for all that its session requires. Beyond them only the verdict."""
    findings = [f"no job {stage}" for stage in REQUIRES if stage not in workflow.jobs]
    findings += [f"{job} is no stage" for job in workflow.jobs if job not in {*REQUIRES, "verdict"}]
    for job in workflow.jobs:
        if unknown := _needs(workflow, job) - set(workflow.jobs):
            return [*findings, f"{job} needs {sorted(unknown)}"]
    for job in set(REQUIRES) & set(workflow.jobs):
        before = _before(workflow, job)
        if job in before:
            findings.append(f"{job} waits for itself")
        missing = set(closure(job)) - {job} - before
        findings += [f"{job} does not wait for {stage}" for stage in sorted(missing)]
    return findings


def _needs(workflow: Workflow, job: str) -> set[str]:
    needs = workflow.jobs[job].get("needs", [])
    return {needs} if isinstance(needs, str) else set(needs)


def _before(workflow: Workflow, job: str) -> set[str]:
    found: set[str] = set()
    waiting = [*_needs(workflow, job)]
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += _needs(workflow, other)
    return found


def it_starts_on_a_tag_or_by_hand(workflow: Workflow) -> list[str]:
    """A version's tag starts it; a person can start it again, without inputs: on a branch it does nothing, in red."""
    wanted = {"push": {"tags": ["v[0-9]*"]}, "workflow_dispatch": None}
    return [] if workflow.data["on"] == wanted else [f"on: {workflow.data['on']}"]


def conditions_are_these(workflow: Workflow) -> list[str]:
    """Only the four conditions that were thought through; ``always()`` in the verdict alone."""
    return [
        f"{job}: if: {body.get('if')}" for job, body in workflow.jobs.items() if body.get("if") != CONDITIONS.get(job)
    ] + [f"{job}: a step has a condition" for job, step in workflow.steps() if "if" in step]


def uploads_are_never_cancelled(workflow: Workflow) -> list[str]:
    """One release at a time, every tag gets its turn, nothing is broken off."""
    wanted = {"group": "publish-pypi", "cancel-in-progress": False, "queue": "max"}
    found = workflow.data.get("concurrency")
    findings = [] if found == wanted else [f"concurrency: {found}"]
    return findings + [f"{job}: concurrency" for job, body in workflow.jobs.items() if "concurrency" in body]


def identity_and_foreign_code_never_meet(workflow: Workflow) -> list[str]:
    """A job that can get an identity only signs or uploads; one that may write to the repository has no identity."""
    findings = []
    for job, body in workflow.jobs.items():
        writes = {scope for scope, level in body["permissions"].items() if level != "read"}
        if "id-token" in writes and job not in WITH_IDENTITY:
            findings.append(f"{job}: id-token")
        if writes - ({"id-token"} if job in WITH_IDENTITY else {"contents"} if job == "github-release" else set()):
            findings.append(f"{job}: writes {sorted(writes)}")
    return findings


def steps_are_these(workflow: Workflow) -> list[str]:
    """A job checks out, receives, installs from the lock, runs its one session, hands over; in this order only."""
    findings = []
    for job, body in workflow.jobs.items():
        if job == "verdict":
            continue
        received = [DOWNLOAD] * len(workflow.uses(job, DOWNLOAD))
        wanted = [CHECKOUT, *received, PUBLISH_INSTALL, f".venv/bin/nox -s {job} --no-dependencies", UPLOAD]
        found = [step["run"] if "run" in step else step["uses"].partition("@")[0] for step in body["steps"]]
        if found != wanted:
            findings.append(f"{job}: {found}")
    return findings + _foreign_keys(workflow)


def _foreign_keys(workflow: Workflow) -> list[str]:
    """No other shell, no other folder, no defaults: a command means what it says."""
    findings = [
        f"{job}: {key}" for job, step in workflow.steps() for key in step if key in ("shell", "working-directory")
    ]
    bodies: list[tuple[str, Any]] = [("top", workflow.data), *workflow.jobs.items()]
    return findings + [f"{where}: defaults" for where, body in bodies if "defaults" in body]


def what_arrives_is_what_was_handed_over(workflow: Workflow) -> list[str]:
    """Artifacts are named by their producer's attempt, received by id, and held against what every job stated.

    Not the last job's word alone: smoke and wheelhouse run foreign code, and may not speak for build, sign and check.
    """
    findings = []
    for job, body in workflow.jobs.items():
        if job == "verdict":
            continue
        outputs = {
            "artifact": "${{ steps.hand-over.outputs.artifact-id }}",
            "manifest": "${{ steps.nox.outputs.manifest }}",
        }
        if body.get("outputs") != outputs:
            findings.append(f"{job}: outputs")
        sources = _sources(workflow, job, findings)
        covered = {stage for source in sources for stage in closure(source)}
        told = [stage for stage in REQUIRES if stage in covered]
        words = " ".join(f"${{{{ needs.{stage}.outputs.manifest }}}}" for stage in told)
        stated = workflow.session_step(job).get("env", {}).get("HEPHAESTUS_MANIFEST", "")
        if stated != words:
            findings.append(f"{job}: told {stated!r}, receives the work of {told}")
        if missing := set(closure(job)) - {job} - covered:
            findings.append(f"{job}: receives nothing of {sorted(missing)}")
        if not set(told) <= _needs(workflow, job):
            findings.append(f"{job}: is told of {told} without needing them")
        findings += _hand_over(workflow, job)
    return findings


def _sources(workflow: Workflow, job: str, findings: list[str]) -> list[str]:
    sources = []
    for step in workflow.uses(job, DOWNLOAD):
        given = dict(step["with"])
        match = re.fullmatch(r"\$\{\{ needs\.([a-z-]+)\.outputs\.artifact \}\}", given.pop("artifact-ids", ""))
        wanted = {
            "path": "release/", "merge-multiple": True,
            "github-token": "${{ github.token }}", "run-id": "${{ github.run_id }}",
        }  # fmt: skip
        if match is None or given != wanted:
            findings.append(f"{job}: receives with {step['with']}")
        else:
            sources.append(match[1])
    return sources


def _hand_over(workflow: Workflow, job: str) -> list[str]:
    wanted = {
        "name": f"{job}-${{{{ github.run_attempt }}}}", "path": "release/", "include-hidden-files": True,
        "if-no-files-found": "error", "compression-level": 0, "retention-days": 30,
    }  # fmt: skip
    given = [(step.get("id"), step["with"]) for step in workflow.uses(job, UPLOAD)]
    findings = [] if given == [("hand-over", wanted)] else [f"{job}: hands over {given}"]
    return findings if workflow.session_step(job).get("id") == "nox" else [*findings, f"{job}: session without id"]


def the_environment_is_this(workflow: Workflow) -> list[str]:
    """The workflow sets what asks for a publish; a session gets its digests, three get the job's token, none more."""
    findings = []
    if workflow.data.get("env") != ENVIRONMENT:
        findings.append(f"env: {workflow.data.get('env')}")
    for job, body in workflow.jobs.items():
        if "env" in body:
            findings.append(f"{job}: env")
        for step in body["steps"]:
            allowed = {"ENDED"} if job == "verdict" else {"HEPHAESTUS_MANIFEST"}
            allowed |= {"GITHUB_TOKEN"} if job in WITH_TOKEN else set()
            session = step is body["steps"][0] if job == "verdict" else step.get("id") == "nox"
            if set(step.get("env", {})) - (allowed if session else set()):
                findings.append(f"{job}: env of a step: {sorted(step['env'])}")
            if step.get("env", {}).get("GITHUB_TOKEN", "${{ github.token }}") != "${{ github.token }}":
                findings.append(f"{job}: another token")
    return findings


def environments_are_the_publishers(workflow: Workflow) -> list[str]:
    """Uploads run in the environments the publishers name; no other job can mint a token there."""
    found = {job: body["environment"]["name"] for job, body in workflow.jobs.items() if "environment" in body}
    return [] if found == ENVIRONMENTS else [f"environments: {found}"]


def the_verdict_sees_all(workflow: Workflow) -> list[str]:
    """Green means that every job succeeded: skipped is not green, cancelled is not green."""
    body = workflow.jobs["verdict"]
    others = [job for job in workflow.jobs if job != "verdict"]
    (step,) = body["steps"]
    wanted = f'test "$ENDED" = "{" ".join(["success"] * len(others))}"'
    right = (
        sorted(body["needs"]) == sorted(others)
        and step.get("env") == {"ENDED": "${{ join(needs.*.result, ' ') }}"}
        and step.get("run") == wanted
        and body["permissions"] == {}
    )
    return [] if right else ["verdict"]


def permissions_are_those_of(documented: Mapping[str, Set[str]]) -> Rule:
    """Each job has exactly the permissions the documented table gives it, and the table names every job."""

    def rule(workflow: Workflow) -> list[str]:
        found = {job: granted(body["permissions"]) for job, body in workflow.jobs.items()}
        return [
            f"{job}: {sorted(found.get(job, ()))}, documented {sorted(documented.get(job, ()))}"
            for job in sorted({*found, *documented}) if found.get(job) != documented.get(job)
        ]  # fmt: skip

    return rule


# CI.


def it_may_write_nothing(workflow: Workflow) -> list[str]:
    """No job of CI has a permission beyond reading the contents; the rehearsal has none at all."""
    findings = [
        f"{job}: {sorted(granted(body['permissions']))}" for job, body in workflow.jobs.items()
        if not granted(body["permissions"]) <= ({"contents: read"} if job != "rehearsal" else set())
    ]  # fmt: skip
    return findings + [f"{job}: environment" for job, body in workflow.jobs.items() if "environment" in body]


def it_never_publishes(workflow: Workflow) -> list[str]:
    """Nothing in CI asks for a publish."""
    return [text for text in _strings(workflow.data) if "publish" in text.lower()]


def it_runs_sessions_only(workflow: Workflow) -> list[str]:
    """Every command is one a developer can run just so; every action is one of two."""
    allowed = {CHECKOUT, SETUP}
    findings = [f"{job}: {step['run']}" for job, step in workflow.steps() if step.get("run", CI_INSTALL) not in CI_RUNS]
    findings += [
        f"{job}: {step['uses']}" for job, step in workflow.steps()
        if "uses" in step and step["uses"].partition("@")[0] not in allowed
    ]  # fmt: skip
    run = {step["run"] for _, step in workflow.steps() if "run" in step}
    return findings + [f"nothing runs {each}" for each in sorted(CI_RUNS - run)] + _foreign_keys(workflow)


def it_covers_systems_and_pythons(workflow: Workflow) -> list[str]:
    """Linux, macOS and Windows, each with every Python the metadata promises; one failing stops none of the others."""
    strategy = workflow.jobs["tests"]["strategy"]
    systems = {label.partition("-")[0] for label in strategy["matrix"]["os"]}
    findings = [f"no {system}" for system in sorted({"ubuntu", "macos", "windows"} - systems)]
    if strategy["matrix"]["python"] != supported_pythons():
        findings.append(f"Pythons {strategy['matrix']['python']}, promised {supported_pythons()}")
    if set(strategy["matrix"]) != {"os", "python"} or strategy.get("fail-fast") is not False:
        findings.append("the matrix leaves something out")
    return findings


def it_runs_on_every_change(workflow: Workflow) -> list[str]:
    """Every pull request and every push to main, whatever files it touches."""
    wanted = {"push": {"branches": ["main"]}, "pull_request": None}
    findings = [] if workflow.data["on"] == wanted else [f"on: {workflow.data['on']}"]
    bodies = [*workflow.jobs.items(), *workflow.steps()]
    return findings + [f"{job}: if" for job, body in bodies if "if" in body]


EVERY_RULE: tuple[Rule, ...] = (
    triggers_cannot_be_pulled_by_strangers, nothing_is_granted_at_the_top, actions_are_pinned, nothing_is_cached,
    runs_hold_no_expression, no_secret_is_named, checkouts_leave_no_credentials, jobs_end, failures_are_not_hidden,
    runners_are_githubs,
)  # fmt: skip
PUBLISH_RULES: tuple[Rule, ...] = (
    the_graph_is_the_sessions, it_starts_on_a_tag_or_by_hand, conditions_are_these, uploads_are_never_cancelled,
    identity_and_foreign_code_never_meet, steps_are_these, what_arrives_is_what_was_handed_over,
    the_environment_is_this, environments_are_the_publishers, the_verdict_sees_all,
)  # fmt: skip
CI_RULES: tuple[Rule, ...] = (
    it_may_write_nothing, it_never_publishes, it_runs_sessions_only, it_covers_systems_and_pythons,
    it_runs_on_every_change,
)  # fmt: skip
