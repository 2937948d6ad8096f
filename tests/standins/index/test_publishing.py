"""Trusted Publishing: which identities are taken, and the code for each that is not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from standins.index.bench import PUBLISHER, Bench
from standins.index.distributions import make_wheel

from hephaestus.standins.index import PublisherConfig

MINT, BURN = "/_/oidc/mint-token", "/_/oidc/burn-token"


def code(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    """Status and error code of a mint answer."""
    return answer[0], answer[1]["errors"][0]["code"]


def test_the_exchange(bench: Bench) -> None:
    """Audience, then a token in PyPI's shape that lives 15 minutes; the pending publisher makes the project."""
    assert json.loads(bench.get("/_/oidc/audience").body) == {"audience": "pypi"}
    assert bench.index.project("tiny-thing") is None
    status, answer = bench.post(MINT, {"token": bench.jwt()})
    assert (status, answer["success"], answer["expires"]) == (200, True, bench.clock.now + 900)
    assert answer["token"].startswith("pypi-AgEIcHlwaS5vcmc")
    assert bench.index.project("Tiny.Thing") is not None
    assert bench.shown() == []


def test_tokens_name_their_service(tmp_path: Path) -> None:
    """A token of the test index carries that service's name inside, as the real ones do."""
    token = Bench(tmp_path, name="testpypi").mint().removeprefix("pypi-")
    assert b"test.pypi.org" in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


ACCEPTED: list[dict[str, Any]] = [
    {"repository": "OWNER/Repo", "job_workflow_ref": "OWNER/Repo/.github/workflows/publish-pypi.yml@refs/tags/v1.0"},
    {"ref": "refs/heads/any", "job_workflow_ref": "Owner/repo/.github/workflows/publish-pypi.yml@refs/heads/any"},
    {"job_workflow_ref": f"Owner/repo/.github/workflows/publish-pypi.yml@{'a' * 40}"},
    {"environment": "PyPI"},
    {"actor": "anybody", "run_id": "1", "event_name": "push"},
]


@pytest.mark.parametrize("claims", ACCEPTED)
def test_what_does_not_matter(bench: Bench, claims: dict[str, Any]) -> None:
    """Case of the repository, any ref, the commit instead of the ref, actor and run are not held against a token."""
    assert bench.mint(**claims)


REFUSED: list[dict[str, Any]] = [
    {"repository": "owner/fork"},
    {"repository_owner": "else"},
    {"job_workflow_ref": "Owner/repo/.github/workflows/other.yml@refs/tags/v1.0"},
    {"job_workflow_ref": "Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v2.0"},
    {"job_workflow_ref": "Owner/repo/.github/workflows/publish-pypi.yml"},
    {"job_workflow_ref": "Else/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.0"},
    {"environment": "testpypi"},
    {"environment": None},
    {"event_name": "pull_request_target"},
    {"event_name": None},
    {"repository": None},
]


@pytest.mark.parametrize("claims", REFUSED)
def test_what_does_matter(bench: Bench, claims: dict[str, Any]) -> None:
    """Each other claim of a stranger is invalid-publisher, and no project comes of it."""
    assert code(bench.post(MINT, {"token": bench.jwt(**claims)})) == (422, "invalid-publisher")
    assert bench.index.project("tiny-thing") is None


def test_an_identity_token_counts_once(bench: Bench) -> None:
    """The second exchange of one token is refused; a new one works."""
    jwt = bench.jwt()
    assert bench.post(MINT, {"token": jwt})[0] == 200
    assert code(bench.post(MINT, {"token": jwt})) == (422, "invalid-reuse-token")
    assert bench.mint()


def test_a_refused_identity_token_is_not_used_up(bench: Bench) -> None:
    """A token that matched no publisher can be exchanged once one is configured."""
    jwt = bench.jwt(
        repository="owner/new", job_workflow_ref="owner/new/.github/workflows/publish-pypi.yml@refs/tags/v1.0"
    )
    assert code(bench.post(MINT, {"token": jwt})) == (422, "invalid-publisher")
    bench.publishers = (PublisherConfig(project="new-thing", repository="owner/new", workflow="publish-pypi.yml"),)
    bench.open()
    assert bench.post(MINT, {"token": jwt})[0] == 200


@pytest.mark.parametrize("payload", [b"", b"no json", b"[]", b"{}", b'{"token": 1}', b'{"token": ""}'])
def test_bad_payloads(bench: Bench, payload: bytes) -> None:
    """Anything but a JSON object with a token is invalid-payload, for mint and burn."""
    assert code(bench.post(MINT, payload)) == (422, "invalid-payload")
    assert code(bench.post(BURN, payload)) == (422, "invalid-payload")


def test_a_bad_token_and_an_unreachable_issuer(bench: Bench) -> None:
    """A bad signature is invalid-token; an issuer out of reach is a page with status 500, not JSON."""
    bench.verify_token_error = ValueError("signature")
    assert code(bench.post(MINT, {"token": "x.y.z"})) == (422, "invalid-token")
    bench.verify_token_error = None
    assert code(bench.post(MINT, {"token": bench.jwt(jti=None)})) == (422, "invalid-token")
    bench.verify_token_error = OSError("no route")
    with pytest.raises(json.JSONDecodeError):
        bench.post(MINT, {"token": "x.y.z"})


def test_switched_off(bench: Bench) -> None:
    """Without Trusted Publishing the audience is 403 and a mint not-enabled."""
    bench.index.set_trusted_publishing(enabled=False)
    assert bench.get("/_/oidc/audience").status == 403
    assert code(bench.post(MINT, {"token": bench.jwt()})) == (422, "not-enabled")


def test_a_pending_name_that_is_banned(tmp_path: Path) -> None:
    """A pending publisher for a standard library name is invalid-pending-publisher, and uses nothing up."""
    bench = Bench(
        tmp_path, publishers=(PublisherConfig(project="json", repository="owner/repo", workflow="publish-pypi.yml"),)
    )
    assert code(bench.post(MINT, {"token": bench.jwt()})) == (422, "invalid-pending-publisher")


def test_the_publisher_with_the_environment_wins(tmp_path: Path) -> None:
    """With one publisher bound to the environment and one open to any, the bound one answers."""
    open_one = PublisherConfig(project="open-thing", repository="owner/repo", workflow="publish-pypi.yml")
    bench = Bench(tmp_path, publishers=(open_one, PUBLISHER))
    bench.mint()
    assert (bench.index.project("open-thing"), bench.index.project("tiny-thing") is None) == (None, False)
    bench.mint(environment="else")
    assert bench.index.project("open-thing") is not None


def test_the_owners_number_can_be_pinned(tmp_path: Path) -> None:
    """An owner of the same name but another id (a resurrected account) is a stranger."""
    pinned = PublisherConfig(project="tiny-thing", repository="owner/repo", workflow="publish-pypi.yml", owner_id="7")
    bench = Bench(tmp_path, publishers=(pinned,))
    assert code(bench.post(MINT, {"token": bench.jwt(repository_owner_id="8")})) == (422, "invalid-publisher")
    assert bench.mint(repository_owner_id="7")


def test_a_burned_token_uploads_nothing(bench: Bench, tmp_path: Path) -> None:
    """Burning answers 202 whether the token was known or not; afterwards the token is nobody's."""
    token = bench.mint()
    assert bench.post(BURN, {"token": token}) == (202, {"message": "Accepted"})
    assert bench.post(BURN, {"token": token}) == (202, {"message": "Accepted"})
    assert bench.upload(make_wheel(tmp_path), token).status == 403


def test_burning_leaves_a_users_token_alone(bench: Bench, tmp_path: Path) -> None:
    """Only minted tokens can be burned."""
    token = bench.index.add_user_token("ann")
    bench.post(BURN, {"token": token})
    assert bench.upload(make_wheel(tmp_path), token).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "not-enabled",
        "invalid-payload",
        "invalid-token",
        "invalid-publisher",
        "invalid-pending-publisher",
        "invalid-reuse-token",
    ],
)
def test_every_code_can_be_asked_for(bench: Bench, name: str) -> None:
    """A fault of each code strikes one mint and leaves the identity token good for the next."""
    bench.fault(f"mint-{name}")
    jwt = bench.jwt()
    assert code(bench.post(MINT, {"token": jwt})) == (422, name)
    assert bench.post(MINT, {"token": jwt})[0] == 200


def test_unknown_paths_below_oidc(bench: Bench) -> None:
    """Other methods and names are 404."""
    assert bench.get(MINT).status == 404
    assert bench.get("/_/oidc/else").status == 404
