"""The real world: only for whom asked for it, and never contacted here."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from hephaestus.worlds.publish import Consent, PublishNotAskedForError, consent, publish_world
from hephaestus.worlds.rehearsal import OffLoopbackError, refuse_off_loopback
from hephaestus.worlds.world import ChildKind, DirtyPolicy, TagPolicy, World

CI = {
    "PATH": os.environ["PATH"],
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "identity",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.example/",
    "GITHUB_TOKEN": "forge",
    "TWINE_PASSWORD": "old token",
    "HTTPS_PROXY": "http://proxy.example:3128",
}


def _world(folder: Path, *, given: Consent | None, environ: dict[str, str] | None = None) -> World:
    return publish_world(
        consent=given,
        repository="someone/tiny-thing",
        workflow="publish-pypi.yml",
        ref="refs/tags/v1.0",
        environments={"pypi": "pypi", "testpypi": "testpypi"},
        state=folder,
        environ=CI if environ is None else environ,
    )


@pytest.mark.parametrize("value", [None, "", "0", "true", "yes", " 1", "01"])
def test_nothing_but_the_exact_request_is_consent(tmp_path: Path, value: str | None) -> None:
    """Without --publish only HEPHAESTUS_PUBLISH=1 counts; without consent there is no world."""
    given = consent(option=False, environ={} if value is None else {"HEPHAESTUS_PUBLISH": value})
    assert given is None
    with pytest.raises(PublishNotAskedForError) as caught:
        _world(tmp_path / "state", given=given)
    assert "--publish" in caught.value.next_step
    assert not (tmp_path / "state").exists()


def test_consent_says_how_it_was_given() -> None:
    """Option and variable both count, and are told apart in the record."""
    assert consent(option=True, environ={}) == Consent(given_by="--publish")
    assert consent(option=False, environ={"HEPHAESTUS_PUBLISH": "1"}) == Consent(given_by="HEPHAESTUS_PUBLISH=1")


def test_the_real_services_are_named(tmp_path: Path) -> None:
    """The addresses are those of the real services, and nothing is assumed."""
    world = _world(tmp_path, given=Consent(given_by="--publish"))
    assert world.indexes["pypi"].simple_url == "https://pypi.org/simple/"
    assert world.indexes["testpypi"].simple_url == "https://test.pypi.org/simple/"
    assert world.github.api_url == "https://api.github.com"
    assert world.github.token == "forge"
    assert world.sigstore.options == ()
    assert not world.publisher.assumed
    assert (world.policy.dirty, world.policy.tag) == (DirtyPolicy.REFUSE, TagPolicy.REQUIRED)
    assert "forge" not in repr(world)


def test_identity_reaches_those_who_need_it(tmp_path: Path) -> None:
    """Signers and uploaders get the job's identity, others no credential, nobody an API token."""
    world = _world(tmp_path, given=Consent(given_by="--publish"))
    for environment in (world.children[ChildKind.SIGNER], *world.uploaders.values()):
        assert environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == "identity"
        assert environment["HTTPS_PROXY"] == CI["HTTPS_PROXY"]
    for kind in (ChildKind.BUILDER, ChildKind.INSTALLER, ChildKind.PROBE, ChildKind.UPLOADER):
        assert "identity" not in world.children[kind].values()
    for environment in (*world.children.values(), *world.uploaders.values()):
        assert not {"forge", "old token"} & set(environment.values())
    assert world.withheld == ("TWINE_PASSWORD",)


def test_a_ready_token_reaches_its_own_service_only(tmp_path: Path) -> None:
    """GitLab's ready tokens are for one audience each."""
    tokens = {"PYPI_ID_TOKEN": "p", "TESTPYPI_ID_TOKEN": "t", "SIGSTORE_ID_TOKEN": "s", "GITLAB_CI": "true"}
    world = _world(tmp_path, given=Consent(given_by="--publish"), environ=tokens)
    seen = {
        "signer": world.children[ChildKind.SIGNER],
        "pypi": world.uploaders["pypi"],
        "testpypi": world.uploaders["testpypi"],
    }
    assert {
        who: [name for name in tokens if name in environment and name != "GITLAB_CI"]
        for who, environment in seen.items()
    } == {"signer": ["SIGSTORE_ID_TOKEN"], "pypi": ["PYPI_ID_TOKEN"], "testpypi": ["TESTPYPI_ID_TOKEN"]}


def test_a_publish_is_no_rehearsal(tmp_path: Path) -> None:
    """The guard of rehearsals refuses the real world, also under a rehearsal's label."""
    world = dataclasses.replace(_world(tmp_path, given=Consent(given_by="--publish")), label="rehearsal")
    with pytest.raises(OffLoopbackError):
        refuse_off_loopback(world)
