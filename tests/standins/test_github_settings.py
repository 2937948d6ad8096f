"""The GitHub stand-in's settings: who sees what, in which shape, and what a new repository has (nothing)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hephaestus.standins.faults import Faults
from hephaestus.standins.github import Environment, GitHub, Policy, Ruleset
from hephaestus.standins.http import Request

TOKENS = {"token": "write", "read_token": "read", "admin_token": "admin"}
FOR_ADMINISTRATORS = (
    "/actions/permissions",
    "/actions/permissions/workflow",
    "/actions/secrets",
    "/actions/variables",
    "/actions/organization-secrets",
    "/actions/organization-variables",
    "/environments/pypi/secrets",
    "/environments/pypi/variables",
    "/immutable-releases",
    "/branches/main/protection",
)
FOR_EVERYBODY = (
    "/rulesets",
    "/rulesets/1",
    "/rules/branches/main",
    "/environments/pypi",
    "/environments/pypi/deployment-branch-policies",
    "/actions/workflows/publish-pypi.yml",
    "/branches/main",
)
POLICY = Policy(
    rulesets=[
        Ruleset(id=1, name="tags", target="tag", rules=["creation"], include=["refs/tags/v*"], bypass=["DeployKey"]),
        Ruleset(id=2, name="main", target="branch", rules=["pull_request"], include=["~DEFAULT_BRANCH"]),
        Ruleset(id=3, name="off", target="branch", rules=["deletion"], include=["~ALL"], enforcement="disabled"),
    ],
    environments={"pypi": Environment(reviewers=["a"], policies=[["tag", "v*"]], secrets=["A"], variables=["B"])},
    workflows={"publish-pypi.yml": "active"},
    protected=["main"],
    secrets=["PYPI_TOKEN"],
)


def made(folder: Path, policy: Policy, **more: Any) -> GitHub:
    github = GitHub(folder, repository="o/n", clock=lambda: 1_800_000_000.0, faults=Faults(), **TOKENS, **more)
    github.push(["1" * 40])
    github.set_policy(policy)
    return github


def ask(github: GitHub, path: str, token: str | None, **query: str) -> tuple[int, Any]:
    headers = {"user-agent": "test", **({"authorization": f"Bearer {token}"} if token else {})}
    response = github.handle(
        Request(
            method="GET", path=f"/repos/o/n{path}", query={name: [value] for name, value in query.items()},
            headers=headers, body=b"", base="http://127.0.0.1:1", host="127.0.0.1",
        )
    )  # fmt: skip
    return response.status, json.loads(response.body)


@pytest.mark.parametrize("path", FOR_ADMINISTRATORS)
@pytest.mark.parametrize(("token", "status"), [("admin", 200), ("write", 403), ("read", 403), (None, 401), ("x", 401)])
def test_what_administrators_see(tmp_path: Path, path: str, token: str | None, status: int) -> None:
    """Permissions, secrets, variables and immutability are shown to administration: read only."""
    github = made(tmp_path, POLICY)
    github.set_immutable_releases(True)
    assert ask(github, path, token)[0] == status


@pytest.mark.parametrize("path", FOR_EVERYBODY)
@pytest.mark.parametrize("token", ["admin", "write", "read", None])
def test_what_everybody_sees(tmp_path: Path, path: str, token: str | None) -> None:
    """Rulesets, environments and workflows of a public repository are public; of a private one nothing is."""
    assert ask(made(tmp_path, POLICY), path, token)[0] == 200
    hidden = made(tmp_path / "private", POLICY, private=True)
    assert ask(hidden, path, token)[0] == (404 if token is None else 200)


def test_who_may_bypass_is_shown_to_administrators_only(tmp_path: Path) -> None:
    """`bypass_actors` is left out, not empty, for those who may not change the ruleset."""
    github = made(tmp_path, POLICY)
    assert ask(github, "/rulesets/1", "admin")[1]["bypass_actors"][0]["actor_type"] == "DeployKey"
    assert "bypass_actors" not in ask(github, "/rulesets/1", "write")[1]
    assert ask(github, "/rulesets/2", "admin")[1]["bypass_actors"] == []


def test_the_list_of_rulesets_shows_no_rules(tmp_path: Path) -> None:
    """Rules and conditions stand in the single ruleset only; the list is filtered by target."""
    github = made(tmp_path, POLICY)
    rows = ask(github, "/rulesets", None, targets="tag")[1]
    assert [row["id"] for row in rows] == [1]
    assert not {"rules", "conditions", "bypass_actors"} & set(rows[0])
    assert ask(github, "/rulesets/9", None)[0] == 404


def test_rules_in_force_protect_a_branch(tmp_path: Path) -> None:
    """The default branch has the active rule, not the disabled one; another branch has none."""
    github = made(tmp_path, POLICY)
    github.push(["2" * 40], branch="work", default=False)
    assert [rule["type"] for rule in ask(github, "/rules/branches/main", None)[1]] == ["pull_request"]
    assert ask(github, "/rules/branches/work", None)[1] == []
    assert [ask(github, f"/branches/{name}", None)[1]["protected"] for name in ("main", "work")] == [True, False]


@pytest.mark.parametrize(
    ("policies", "shown", "status"),
    [
        (None, None, 404),
        ("protected", {"protected_branches": True, "custom_branch_policies": False}, 404),
        ([["tag", "v*"]], {"protected_branches": False, "custom_branch_policies": True}, 200),
    ],
)
def test_where_an_environment_deploys_from(tmp_path: Path, policies: Any, shown: Any, status: int) -> None:
    """No limit, protected branches, or patterns; only patterns have a list."""
    github = made(tmp_path, Policy(environments={"pypi": Environment(policies=policies)}))
    assert ask(github, "/environments/pypi", None)[1]["deployment_branch_policy"] == shown
    assert ask(github, "/environments/pypi/deployment-branch-policies", None)[0] == status


def test_a_new_repository_has_nothing(tmp_path: Path) -> None:
    """No ruleset, no environment, no workflow, no immutability, no pinning; only the token is read-only."""
    github = made(tmp_path, Policy())
    assert ask(github, "/rulesets", None) == (200, [])
    for path in ("/environments/pypi", "/actions/workflows/publish-pypi.yml", "/immutable-releases"):
        assert ask(github, path, "admin")[0] == 404
    assert ask(github, "/branches/main", None)[1]["protected"] is False
    assert ask(github, "/branches/main/protection", "admin")[0] == 404
    assert ask(github, "/actions/permissions", "admin")[1]["sha_pinning_required"] is False
    assert ask(github, "/actions/permissions/workflow", "admin")[1]["default_workflow_permissions"] == "read"


def test_settings_outlive_the_process(tmp_path: Path) -> None:
    """What was set is there again when the same folder is opened anew."""
    made(tmp_path, POLICY)
    again = GitHub(tmp_path, repository="o/n", clock=lambda: 0.0, faults=Faults(), **TOKENS)
    assert ask(again, "/environments/pypi", None)[1]["protection_rules"][0]["reviewers"]
    assert ask(again, "/rulesets/1", None)[1]["name"] == "tags"


def test_names_come_in_pages(tmp_path: Path) -> None:
    """Variables come 30 a page at most, secrets 100, with the total beside them."""
    names = [f"N{number}" for number in range(130)]
    github = made(tmp_path, Policy(secrets=names, variables=names))
    for kind, size in (("secrets", 100), ("variables", 30)):
        status, told = ask(github, f"/actions/{kind}", "admin", per_page="100", page="1")
        assert (status, told["total_count"], len(told[kind])) == (200, 130, size)
