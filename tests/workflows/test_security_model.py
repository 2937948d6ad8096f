"""docs/security-model.md says what the workflow does: permissions, publishers, pins, and who holds which rule."""

from __future__ import annotations

import re

import pytest
from workflows import rules
from workflows.documents import CI, PUBLISH, ROOT, WORKFLOWS, Workflow, read, table
from workflows.rules import ENVIRONMENTS, REPOSITORY, permissions_are_those_of

from hephaestus.release.chain import REQUIRES
from hephaestus.release.config import Config
from hephaestus.release.project import read_project

MODEL = "docs/security-model.md"
DECISION = "docs/decisions/0008-the-workflow.md"


def spans(cell: str) -> list[str]:
    """What stands as code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def documented() -> dict[str, frozenset[str]]:
    """The permissions of each job as the table has them."""
    return {row[0]: frozenset(spans(row[1])) for row in table(MODEL, "job")}


def test_each_job_may_do_what_the_table_says() -> None:
    """The table of jobs and the workflow name the same jobs, in the chain's order, with the same permissions."""
    assert permissions_are_those_of(documented())(read(PUBLISH)) == []
    assert list(documented()) == [*REQUIRES, "verdict"] == list(read(PUBLISH).jobs)


@pytest.mark.parametrize(
    ("job", "scope", "level"),
    [("check", "id-token", "write"), ("build", "actions", "read"), ("verdict", "issues", "read")],
)
def test_a_permission_the_table_lacks_is_refused(job: str, scope: str, level: str) -> None:
    """One permission more than the table gives is a finding, and so is one less."""

    def grant(data: dict[str, dict[str, dict[str, dict[str, str]]]]) -> None:
        data["jobs"][job]["permissions"][scope] = level

    rule = permissions_are_those_of(documented())
    assert rule(read(PUBLISH).changed(grant))
    assert rule(read(PUBLISH).changed(lambda data: data["jobs"]["sign"]["permissions"].pop("actions")))


def test_the_environments_of_the_table_are_the_workflows() -> None:
    """The environment column is what the jobs run in."""
    assert {row[0]: row[2] for row in table(MODEL, "job") if row[2] != "-"} == ENVIRONMENTS


def test_the_publishers_are_the_configured_ones() -> None:
    """Owner, repository, workflow file and environments: documented, configured and in .github alike, to the letter."""
    rows = {row[0]: [spans(cell)[0] for cell in row[1:]] for row in table(MODEL, "field")}
    project = read_project(ROOT)
    owner, _, name = project.repository.partition("/")
    assert rows["owner"] == [owner] * 2
    assert rows["repository"] == [name] * 2
    assert rows["workflow"] == [project.config.workflow] * 2
    assert project.config.workflow == Config().workflow == PUBLISH.name == "publish-pypi.yml"
    assert rows["environment"] == [ENVIRONMENTS["upload-pypi"], ENVIRONMENTS["upload-testpypi"]]
    assert project.repository == REPOSITORY


def test_the_publishers_environments_are_the_worlds() -> None:
    """The environments a publish reckons with are those the jobs run in."""
    from hephaestus.worlds import opening

    assert set(opening._ENVIRONMENTS.values()) == set(ENVIRONMENTS.values())


def test_every_rule_an_incident_gave_is_held_somewhere() -> None:
    """The last column names rules that exist, tests that exist, or says that it is a setting."""
    rows = table(MODEL, "incident")
    assert len(rows) >= 10
    for incident, *_, held in rows:
        names = spans(held)
        assert names or "*setting*" in held, incident
        for name in names:
            assert hasattr(rules, name) or (ROOT / name).is_file(), f"{incident}: {name}"


def pins(workflow: Workflow) -> set[tuple[str, str, str]]:
    """Action, version and commit of every ``uses`` line; image, version and digest of every ``docker run``."""
    actions = re.findall(r"uses: ([^@\s]+)@(\S+) # (v\S+)$", workflow.text, re.MULTILINE)
    images = re.findall(r"([\w./-]+):([\d.]+)@(sha256:[0-9a-f]{64})", workflow.text)
    return {(action, version, commit) for action, commit, version in actions} | {
        (f"image {image}", f"v{version}", digest) for image, version, digest in images
    }


def test_every_pin_has_its_evidence() -> None:
    """Decision 0008 lists each pinned commit with where it was seen, and no other."""
    listed = {(row[0], row[1], spans(row[2])[0]) for row in table(DECISION, "action") if row[3]}
    used = set().union(*(pins(read(path)) for path in WORKFLOWS))
    assert used == listed
    assert len(used) == 5


def test_only_ci_uses_what_is_marked_so() -> None:
    """What the decision says is used in CI only is not in the workflow that publishes."""
    marked = {row[0] for row in table(DECISION, "action") if "Used in CI only" in row[3]}
    assert marked
    assert marked <= {action for action, *_ in pins(read(CI))}
    assert not marked & {action for action, *_ in pins(read(PUBLISH))}
