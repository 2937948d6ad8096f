"""The client of repository settings against the GitHub stand-in, and against answers no GitHub should give."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from services.conftest import ADMIN_TOKEN, REPOSITORY, TOKEN, Site

from hephaestus.services.errors import AnswerInvalid, RateLimited, ServiceDown, ServiceError, Unreachable
from hephaestus.services.refusals import CredentialRefused, NotThere, RepositoryNameRefused
from hephaestus.services.settings import DeploymentEnvironment, RepositorySettings, Ruleset, SettingHidden
from hephaestus.standins.github import Environment, Policy
from hephaestus.standins.github import Ruleset as Kept
from hephaestus.standins.http import Request, Response

#: Every question, by name: what it is about and how it is asked.
QUESTIONS: dict[str, Callable[[RepositorySettings], object]] = {
    "facts": lambda client: client.facts(),
    "rulesets": lambda client: client.rulesets("tag"),
    "branch-rules": lambda client: client.branch_rules("main"),
    "branch": lambda client: client.branch_protected("main"),
    "protection": lambda client: client.classic_protection("main", administrator=True),
    "environment": lambda client: client.environment("pypi"),
    "workflow": lambda client: client.workflow_state("publish-pypi.yml"),
    "pinning": lambda client: client.sha_pinning(),
    "permissions": lambda client: client.default_permissions(),
    "immutable": lambda client: client.immutable_releases(administrator=True),
    "secrets": lambda client: client.stored_names("secrets"),
    "variables": lambda client: client.stored_names("variables", environment="pypi"),
}
ADMINISTRATION = {"protection", "pinning", "permissions", "immutable", "secrets", "variables"}


@pytest.fixture
def ask(site: Site) -> Callable[..., RepositorySettings]:
    site.github.set_policy(
        Policy(
            rulesets=[
                Kept(id=1, name="tags", target="tag", rules=["creation"], include=["refs/tags/v*"], exclude=["x"],
                     bypass=["DeployKey"]),
                Kept(id=2, name="b", target="branch", rules=["deletion"], include=["~ALL"], enforcement="evaluate"),
            ],
            environments={
                "pypi": Environment(reviewers=["a", "b"], prevent_self_review=True, policies=[["tag", "v*"]]),
                "bare": Environment(),
                "branches": Environment(policies="protected"),
            },
            workflows={"publish-pypi.yml": "active"},
            secrets=["S"], organization_secrets=["O"], variables=["V"],
        )
    )  # fmt: skip

    def client(token: str | None = ADMIN_TOKEN, repository: str = REPOSITORY) -> RepositorySettings:
        assert site.listener is not None
        return RepositorySettings(site.listener.url, repository, token, http=site.http)

    return client


def test_everything_an_administrator_sees(ask, site) -> None:
    """Each setting is read as it was set, in our own words."""
    client = ask()
    assert client.facts().administrator
    assert client.rulesets("tag") == (
        Ruleset(name="tags", target="tag", active=True, include=("refs/tags/v*",), exclude=("x",),
                rules=frozenset({"creation"}), bypass=("DeployKey",)),
    )  # fmt: skip
    assert [one.active for one in client.rulesets("branch")] == [False]
    assert client.environment("pypi") == DeploymentEnvironment(
        name="pypi", reviewers=2, prevent_self_review=True, administrators_bypass=True, patterns=(("tag", "v*"),)
    )
    bare, branches = client.environment("bare"), client.environment("branches")
    assert bare is not None
    assert branches is not None
    assert (bare.patterns, bare.reviewers) == (None, 0)
    assert branches.patterns == (("protected branches", "*"),)
    assert client.environment("none") is None
    assert (client.workflow_state("publish-pypi.yml"), client.workflow_state("x.yml")) == ("active", None)
    assert (client.sha_pinning(), client.default_permissions()) == (False, "read")
    assert client.stored_names("secrets") == ("O", "S")
    assert client.stored_names("variables") == ("V",)
    assert client.immutable_releases(administrator=True) is False
    site.github.set_immutable_releases(True)
    assert client.immutable_releases(administrator=True) is True
    assert {request.method for request in site.requests} == {"GET"}


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@pytest.mark.parametrize("token", [TOKEN, None])
def test_what_a_token_may_not_see_is_hidden(ask, name: str, token: str | None) -> None:
    """A workflow's token and nobody get SettingHidden for what administrators see, and the rest."""
    question = QUESTIONS[name]
    if name in ADMINISTRATION:
        with pytest.raises(SettingHidden) as caught:
            question(ask(token))
        assert "administrator" in caught.value.next_step
    else:
        question(ask(token))


def test_hidden_bypass_lists_are_none(ask) -> None:
    """A list that is not shown is None, an empty one is empty."""
    assert ask(TOKEN).rulesets("tag")[0].bypass is None


def test_404_means_off_to_administrators_only(ask) -> None:
    """What answers 404 is off for those who would see it on, and hidden from everybody else."""
    assert ask().classic_protection("main", administrator=True) is False
    with pytest.raises(SettingHidden):
        ask().classic_protection("main", administrator=False)
    with pytest.raises(SettingHidden):
        ask().immutable_releases(administrator=False)


def test_a_wrong_token_and_a_wrong_name(ask) -> None:
    """401 with a token is a bad credential; an unknown repository is not there."""
    with pytest.raises(CredentialRefused):
        ask("ghp_" + "z" * 36).facts()
    with pytest.raises(NotThere):
        ask(repository="Owner/other").facts()


@pytest.mark.parametrize(("repository", "error"), [("owner", RepositoryNameRefused), ("a/..", RepositoryNameRefused),
                                                   ("a/b/c", RepositoryNameRefused)])  # fmt: skip
def test_names_that_are_none(ask, repository: str, error: type[Exception]) -> None:
    """A name that is not OWNER/NAME is refused before anything is sent."""
    with pytest.raises(error):
        ask(repository=repository)


@pytest.mark.parametrize("token", ["   ", "a\nb", "ä"])
def test_tokens_that_are_none(ask, site, token: str) -> None:
    """A blank token or one with line ends is refused before anything is sent."""
    with pytest.raises(CredentialRefused):
        ask(token)
    assert site.requests == []


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@pytest.mark.parametrize(
    ("fault", "error"),
    [("github:503x9", ServiceDown), ("github:resetx9", Unreachable), ("github:html", AnswerInvalid),
     ("github:429=9999", RateLimited)],
)  # fmt: skip
def test_a_github_in_trouble(ask, site, name: str, fault: str, error: type[ServiceError]) -> None:
    """An outage is that outage's error for every question, never an empty answer."""
    client = ask()
    site.fault(fault)
    with pytest.raises(error) as caught:
        QUESTIONS[name](client)
    assert ADMIN_TOKEN not in f"{caught.value} {caught.value.__dict__}"


@pytest.mark.parametrize(("force", "delete", "protects"), [(False, False, True), (True, False, False),
                                                           (False, True, False)])  # fmt: skip
def test_a_classic_rule_that_allows_too_much(ask, site, force: bool, delete: bool, protects: bool) -> None:
    """A branch protection rule that lets people force or delete protects nothing of ours."""
    body = json.dumps({"allow_force_pushes": {"enabled": force}, "allow_deletions": {"enabled": delete}}).encode()
    site.before = lambda _: Response(headers={"Content-Type": "application/json"}, body=body)
    assert ask().classic_protection("main", administrator=True) is protects


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from([
                "id", "name", "target", "enforcement", "rules", "conditions", "ref_name", "include", "type", "state",
                "protection_rules", "deployment_branch_policy", "custom_branch_policies", "branch_policies",
                "bypass_actors", "secrets", "variables", "total_count", "enabled", "default_branch", "private",
                "protected", "permissions",
            ]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=JSON)
def test_any_json_is_read_or_refused(ask, site, name: str, told: Any) -> None:
    """Whatever JSON comes back ends in an answer or in an error of the family."""

    def answer(_: Request) -> Response:
        return Response(headers={"Content-Type": "application/json"}, body=json.dumps(told).encode())

    site.before = answer
    with suppress(ServiceError):
        QUESTIONS[name](ask())


def test_many_names_come_whole(ask, site) -> None:
    """All pages of names are read; a repository with more than can be is an error, not a part."""
    names = [f"N{number:03}" for number in range(95)]
    site.github.set_policy(Policy(variables=names))
    assert ask().stored_names("variables") == tuple(names)
    site.before = lambda _: Response(
        headers={"Content-Type": "application/json"}, body=b'{"total_count": 9999, "secrets": [{"name": "A"}]}'
    )
    with pytest.raises(AnswerInvalid, match="more than"):
        ask().stored_names("secrets")
