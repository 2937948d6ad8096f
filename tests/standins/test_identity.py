"""The OIDC issuer: GitHub's claims in tokens that are signed, checked, and spoiled on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.identity import GITHUB_ISSUER, Issuer, TokenRejected, WorkflowIdentity
from hephaestus.standins.keys import ec_key

IDENTITY = WorkflowIdentity(
    repository="IAmJonoBo/Hephaestus",
    workflow="publish-pypi.yml",
    ref="refs/tags/v0.2.5",
    sha="0123456789abcdef0123456789abcdef01234567",
    repository_id="42",
    repository_owner_id="7",
    run_id="99",
)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def issuer(tmp_path: Path, clock: Clock, faults: Faults) -> Issuer:
    return Issuer(tmp_path, clock=clock, faults=faults)


def ask(
    issuer: Issuer,
    *,
    bearer: str | None = None,
    environment: str = "-",
    audience: tuple[str, ...] = ("pypi",),
) -> Response:
    bearer = issuer.grant(IDENTITY) if bearer is None else bearer
    query = {"api-version": ["2.0"], "audience": list(audience)} if audience else {}
    headers = {"authorization": f"bearer {bearer}"} if bearer else {}
    return issuer.handle(Request(method="GET", path=f"/oidc/{environment}/token", query=query, headers=headers))


def value(response: Response) -> str:
    assert response.status == 200, response.body
    return str(json.loads(response.body)["value"])


def test_claims_are_githubs(issuer: Issuer) -> None:
    """A token carries every claim that trusted publishing and Fulcio read, as GitHub writes them."""
    claims = issuer.verify(issuer.token(IDENTITY, "pypi"), "pypi")
    assert claims["iss"] == GITHUB_ISSUER
    assert claims["aud"] == "pypi"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["nbf"] <= claims["iat"]
    workflow = "IAmJonoBo/Hephaestus/.github/workflows/publish-pypi.yml@refs/tags/v0.2.5"
    assert (
        claims
        | {
            "sub": "repo:IAmJonoBo@7/Hephaestus@42:ref:refs/tags/v0.2.5",
            "repository": "IAmJonoBo/Hephaestus",
            "repository_id": "42",
            "repository_owner": "IAmJonoBo",
            "repository_owner_id": "7",
            "repository_visibility": "public",
            "job_workflow_ref": workflow,
            "job_workflow_sha": IDENTITY.sha,
            "workflow_ref": workflow,
            "workflow_sha": IDENTITY.sha,
            "workflow": ".github/workflows/publish-pypi.yml",
            "ref": "refs/tags/v0.2.5",
            "ref_type": "tag",
            "sha": IDENTITY.sha,
            "event_name": "release",
            "run_id": "99",
            "run_attempt": "1",
            "run_number": "1",
            "runner_environment": "github-hosted",
        }
        == claims
    )
    assert "environment" not in claims


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"environment": "pypi"}, "repo:IAmJonoBo@7/Hephaestus@42:environment:pypi"),
        ({"event_name": "pull_request"}, "repo:IAmJonoBo@7/Hephaestus@42:pull_request"),
        ({"ref": "refs/heads/main"}, "repo:IAmJonoBo@7/Hephaestus@42:ref:refs/heads/main"),
    ],
)
def test_the_subject_follows_githubs_template(changes: dict[str, Any], subject: str) -> None:
    """The subject names the environment first, then a pull request, then the ref."""
    assert replace(IDENTITY, **changes).claims()["sub"] == subject


def test_every_token_is_fresh(issuer: Issuer) -> None:
    """Two tokens for the same job differ in jti, for an index takes each only once."""
    first, second = (issuer.verify(issuer.token(IDENTITY, "pypi"), "pypi") for _ in range(2))
    assert first["jti"] != second["jti"]
    assert {**first, "jti": ""} == {**second, "jti": ""}


def test_the_next_process_continues(tmp_path: Path, issuer: Issuer, clock: Clock) -> None:
    """A second issuer over the same state accepts the tokens and grants of the first, and has its key set."""
    later = Issuer(tmp_path, clock=clock)
    assert later.verify(issuer.token(IDENTITY, "sigstore"), "sigstore")["sha"] == IDENTITY.sha
    assert value(ask(later, bearer=issuer.grant(IDENTITY)))
    assert later.jwks() == issuer.jwks()


def test_the_key_set_verifies_the_tokens(issuer: Issuer, clock: Clock) -> None:
    """Anyone can check a token with nothing but the published key set."""
    token = issuer.token(IDENTITY, "pypi")
    keys = jwt.PyJWKSet.from_dict(issuer.jwks())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=["ES256"], audience="pypi", options={"verify_exp": False, "verify_iat": False}
    )
    assert claims["repository"] == IDENTITY.repository


@pytest.mark.parametrize(
    ("elapsed", "reason"),
    [(304, None), (306, "token has expired"), (-604, None), (-606, "token is not valid yet")],
)
def test_times_are_checked_by_the_given_clock(issuer: Issuer, clock: Clock, elapsed: int, reason: str | None) -> None:
    """A token is taken from nbf to exp with five seconds of leeway, and no further."""
    token = issuer.token(IDENTITY, "pypi")
    clock.now += elapsed
    if reason is None:
        assert issuer.verify(token, "pypi")
    else:
        with pytest.raises(TokenRejected, match=reason):
            issuer.verify(token, "pypi")


def test_foreign_tokens_are_rejected(issuer: Issuer, tmp_path: Path, clock: Clock) -> None:
    """Wrong audience, a stranger's signature, no signature, no token and another issuer's name: all refused."""
    token = issuer.token(IDENTITY, "pypi")
    with pytest.raises(TokenRejected, match="not for audience testpypi"):
        issuer.verify(token, "testpypi")
    with pytest.raises(TokenRejected, match="signature"):
        Issuer(tmp_path / "other", clock=clock).verify(token, "pypi")
    unsigned = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "", algorithm="none")
    with pytest.raises(TokenRejected, match="malformed"):
        issuer.verify(unsigned, "pypi")
    with pytest.raises(TokenRejected, match="malformed"):
        issuer.verify("not.a.token", "pypi")
    renamed = Issuer(tmp_path, clock=clock, issuer="https://elsewhere.invalid")
    with pytest.raises(TokenRejected, match="another issuer"):
        issuer.verify(renamed.token(IDENTITY, "pypi"), "pypi")
    # One character short of 86 is no base64 at all; four short is, or is not, as the last bits that are left fall.
    with pytest.raises(TokenRejected, match="malformed"):
        issuer.verify(token[:-1], "pypi")
    with pytest.raises(TokenRejected, match=r"malformed|signature"):
        issuer.verify(token[:-4], "pypi")


def test_times_must_be_numbers(tmp_path: Path, issuer: Issuer, clock: Clock) -> None:
    """A token signed with our own key whose times are no numbers is malformed, not a crash."""
    key = ec_key(tmp_path / "oidc" / "issuer.pem", ec.SECP256R1())
    claims = {"iss": GITHUB_ISSUER, "aud": "pypi", "iat": 1, "nbf": 1, "jti": "1", "exp": "tomorrow"}
    with pytest.raises(TokenRejected, match="not numbers"):
        issuer.verify(jwt.encode(claims, key, algorithm="ES256"), "pypi")


def test_the_endpoint_wants_a_grant_and_one_audience(issuer: Issuer, clock: Clock) -> None:
    """Without a valid bearer it is 401, without exactly one audience 400; an identity token is no grant."""
    assert ask(issuer, bearer="").status == 401
    assert ask(issuer, bearer="rubbish").status == 401
    assert ask(issuer, bearer=issuer.token(IDENTITY, "pypi")).status == 401
    assert ask(issuer, bearer=issuer.token(IDENTITY, "actions-runtime")).status == 401
    assert ask(issuer, audience=()).status == 400
    assert ask(issuer, audience=("a", "b")).status == 400
    grant = issuer.grant(IDENTITY)
    clock.now += 25 * 3600
    assert ask(issuer, bearer=grant).status == 401


def test_a_grant_is_not_an_identity_token(issuer: Issuer) -> None:
    """The bearer of the endpoint cannot be passed off as an identity token."""
    with pytest.raises(TokenRejected):
        issuer.verify(issuer.grant(IDENTITY), "sigstore")
    with pytest.raises(TokenRejected, match="another issuer"):
        issuer.verify(issuer.grant(IDENTITY), "actions-runtime")


def test_the_url_chooses_the_environment(issuer: Issuer) -> None:
    """The same grant yields the job of one environment or another, or of none."""
    claims = {name: issuer.verify(value(ask(issuer, environment=name)), "pypi") for name in ("pypi", "testpypi", "-")}
    assert claims["pypi"]["environment"] == "pypi"
    assert claims["testpypi"]["sub"].endswith(":environment:testpypi")
    assert "environment" not in claims["-"]
    staged = issuer.grant(replace(IDENTITY, environment="staging"))
    assert issuer.verify(value(ask(issuer, bearer=staged)), "pypi")["environment"] == "staging"


def test_discovery(issuer: Issuer) -> None:
    """The discovery document has GitHub's issuer and leads to the key set; other requests are refused."""
    answer = issuer.handle(
        Request(method="GET", path="/oidc/.well-known/openid-configuration", base="http://127.0.0.1:1")
    )
    document = json.loads(answer.body)
    assert document["issuer"] == GITHUB_ISSUER
    path = document["jwks_uri"].removeprefix("http://127.0.0.1:1")
    assert json.loads(issuer.handle(Request(method="GET", path=path)).body) == issuer.jwks()
    assert issuer.handle(Request(method="GET", path="/oidc/token")).status == 404
    assert issuer.handle(Request(method="POST", path="/oidc/-/token")).status == 405


@pytest.mark.parametrize(("kind", "status"), [("no-permission", 403), ("500", 500)])
def test_refusals_on_request(issuer: Issuer, faults: Faults, kind: str, status: int) -> None:
    """A fault refuses the token it was armed for and no other."""
    faults.arm([Fault.parse(f"oidc:{kind}@2")])
    assert [ask(issuer).status for _ in range(3)] == [200, status, 200]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("expired-token", "expired"), ("wrong-audience", "not for audience pypi"), ("wrong-key", "signature")],
)
def test_spoiled_tokens_on_request(issuer: Issuer, faults: Faults, kind: str, reason: str) -> None:
    """A fault hands out a token that is rejected for exactly the reason it is named after."""
    faults.arm([Fault.parse(f"oidc:{kind}")])
    token = value(ask(issuer))
    with pytest.raises(TokenRejected, match=reason):
        issuer.verify(token, "pypi")
    assert issuer.verify(value(ask(issuer)), "pypi")


def test_pages_and_broken_connections_on_request(issuer: Issuer, faults: Faults) -> None:
    """A fault answers HTML instead of JSON, or ends the connection."""
    faults.arm([Fault.parse("oidc:html"), Fault.parse("oidc:reset@2")])
    page, broken = ask(issuer), ask(issuer)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html"
    with pytest.raises(ValueError):
        json.loads(page.body)
    assert broken.wire == "reset"


@pytest.mark.conformance
def test_ambient_detection_finds_the_token(tmp_path: Path) -> None:
    """The unmodified ``id`` tool, in the environment of a job, gets a token for the audience it asks for."""
    issuer = Issuer(tmp_path)
    with Listener(issuer.handle) as listener:
        child = subprocess.run(
            [sys.executable, "-m", "id", "testpypi"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                **issuer.environment(listener.url, IDENTITY, environment="testpypi"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    assert issuer.verify(child.stdout.strip(), "testpypi")["environment"] == "testpypi"
