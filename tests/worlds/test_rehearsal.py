"""The world of stand-ins, and the guard that nothing leaves it."""

from __future__ import annotations

import dataclasses
import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from worlds.hosts import COMMIT, make_world

from hephaestus.worlds.hosting import Host, HostSilentError
from hephaestus.worlds.rehearsal import REHEARSAL_POLICY, OffLoopbackError, refuse_off_loopback
from hephaestus.worlds.world import ChildKind, Publisher, Sigstore, TestPyPIPolicy, World

SECRET = "a real secret"
REAL = {
    "PATH": os.environ["PATH"],
    "TWINE_PASSWORD": SECRET,
    "UV_PUBLISH_TOKEN": SECRET,
    "GITHUB_TOKEN": SECRET,
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET,
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.example/",
    "SIGSTORE_ID_TOKEN": SECRET,
    "HTTPS_PROXY": "http://proxy.example:3128",
    "REQUESTS_CA_BUNDLE": "/etc/corporate.pem",
    "PIP_INDEX_URL": "https://mirror.example/simple",
}


@pytest.fixture(scope="module")
def world(shared: Host) -> World:
    """A world made by somebody whose environment is full of real credentials."""
    return make_world(shared, environ=REAL)


def test_every_address_is_on_the_loopback_and_answers(world: World) -> None:
    """Indexes and GitHub are read where the world says they are."""
    for index in world.indexes.values():
        assert index.simple_url.startswith("http://127.0.0.1:")
        assert index.simple_url.endswith("/simple/")
        request = urllib.request.Request(
            f"{index.simple_url}", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["projects"] == []
    with urllib.request.urlopen(f"{world.github.api_url}/repos/{world.github.repository}") as response:
        assert json.load(response)["full_name"] == world.github.repository


def test_the_tag_has_been_pushed(world: World) -> None:
    """The commit and its assumed tag are on the GitHub stand-in, as they will be on GitHub."""
    url = f"{world.github.api_url}/repos/{world.github.repository}"
    with urllib.request.urlopen(f"{url}/git/ref/tags/v1.0") as response:
        tag = json.load(response)["object"]
    with urllib.request.urlopen(f"{url}/git/tags/{tag['sha']}") as response:
        assert json.load(response)["object"]["sha"] == COMMIT


def test_the_identity_is_the_projects_and_labelled(world: World) -> None:
    """The publisher is the one of the configuration, recorded as assumed."""
    assert world.publisher == Publisher(
        repository="someone/tiny-thing", workflow="publish-pypi.yml", ref="refs/tags/v1.0", assumed=True
    )
    assert (world.label, world.policy) == ("rehearsal", REHEARSAL_POLICY)


def test_tag_and_policy_can_be_chosen(shared: Host) -> None:
    """A project with another tag scheme, and a laxer policy, get what they ask for."""
    policy = dataclasses.replace(REHEARSAL_POLICY, testpypi=TestPyPIPolicy.OPTIONAL)
    made = make_world(shared, tag="tiny-thing-1.0", policy=policy)
    assert made.publisher.ref == "refs/tags/tiny-thing-1.0"
    assert made.policy.testpypi is TestPyPIPolicy.OPTIONAL


def _environments(world: World) -> dict[str, Mapping[str, str]]:
    kinds = {str(kind): environment for kind, environment in world.children.items()}
    return kinds | {f"uploader of {name}": environment for name, environment in world.uploaders.items()}


def test_no_child_sees_a_real_credential(world: World) -> None:
    """Not one value of a real credential is in any child's environment; their names are on record."""
    assert set(world.children) == set(ChildKind)
    assert set(world.uploaders) == set(world.indexes)
    for who, environment in _environments(world).items():
        assert SECRET not in environment.values(), who
        assert "pipelines.actions.example" not in json.dumps(dict(environment)), who
    assert world.withheld == tuple(
        sorted(set(REAL) - {"PATH", "GITHUB_ACTIONS", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL"})
    )


def test_a_pypirc_is_on_record(shared: Host, tmp_path: Path) -> None:
    """A ~/.pypirc is noted as withheld, by name, unread; uploaders have another HOME."""
    (tmp_path / ".pypirc").write_text("[pypi]\npassword = secret\n")
    made = make_world(shared, environ={"HOME": str(tmp_path)})
    assert made.withheld == ("~/.pypirc",)
    for environment in (made.children[ChildKind.UPLOADER], *made.uploaders.values()):
        assert not Path(environment["HOME"], ".pypirc").exists()


def test_signers_and_uploaders_have_an_identity_of_the_stand_ins(world: World, shared: Host) -> None:
    """They are jobs of a workflow; each uploader is in its own deployment environment; only uploaders have a proxy."""
    signer = world.children[ChildKind.SIGNER]
    assert signer["ACTIONS_ID_TOKEN_REQUEST_URL"].startswith(shared.url("oidc"))
    assert "HTTPS_PROXY" not in signer
    for name, environment in world.uploaders.items():
        assert f"/{name}/" in environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
        assert environment["HTTPS_PROXY"] == shared.url("proxy")
        assert environment["REQUESTS_CA_BUNDLE"] == environment["SSL_CERT_FILE"] == str(shared.authority)


def test_installers_keep_the_users_way_out(world: World) -> None:
    """Dependencies are read from where the user reads them."""
    installer = world.children[ChildKind.INSTALLER]
    assert installer["PIP_INDEX_URL"] == REAL["PIP_INDEX_URL"]
    assert installer["HTTPS_PROXY"] == REAL["HTTPS_PROXY"]
    assert "127.0.0.1" in installer["NO_PROXY"].split(",")


def test_probes_have_neither_identity_nor_proxy(world: World) -> None:
    """What only looks, and the released code itself, get nothing."""
    probe = world.children[ChildKind.PROBE]
    assert not {name for name in probe if name.startswith(("ACTIONS_", "GITHUB_", "HTTPS_"))}


def test_what_is_kept_holds_no_address(world: World, shared: Host) -> None:
    """Every address of this start, in whatever form a tool prints it, becomes a name that stays true."""
    text = " ".join(
        [
            *(
                f"{shared.url(name)}/x http://localhost:{port}/y 127.0.0.1:{port}"
                for name, port in shared.ports.items()
            ),
            str(shared.trust_config),
        ]
    )
    stable = world.stable(text)
    assert "127.0.0.1" not in stable
    assert "localhost" not in stable
    assert str(shared.state) not in stable
    assert "standin://pypi/x" in stable
    assert "standin://pypi-tls/x" in stable
    assert "<stand-ins>/run/trust_config.json" in stable


def test_nothing_secret_is_in_its_repr(world: World, shared: Host) -> None:
    """A world can be printed."""
    shown = repr(world)
    assert shared.github_token not in shown
    assert world.children[ChildKind.SIGNER]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] not in shown


def _with_child(world: World, kind: ChildKind, **change: str | None) -> World:
    environment = {name: value for name, value in {**world.children[kind], **change}.items() if value is not None}
    return dataclasses.replace(world, children={**world.children, kind: environment})


def _with_uploader(world: World, **change: str | None) -> World:
    environment = {name: value for name, value in {**world.uploaders["pypi"], **change}.items() if value is not None}
    return dataclasses.replace(world, uploaders={**world.uploaders, "pypi": environment})


def _with_index(world: World, **change: str) -> World:
    return dataclasses.replace(
        world, indexes={**world.indexes, "pypi": dataclasses.replace(world.indexes["pypi"], **change)}
    )


def _with_github(world: World, **change: str) -> World:
    return dataclasses.replace(world, github=dataclasses.replace(world.github, **change))


def _with_trust(world: World, folder: Path, content: str) -> World:
    path = folder / "trust.json"
    path.write_text(content)
    return dataclasses.replace(world, sigstore=Sigstore(trust_config=path))


LEAKS = {
    "index read elsewhere": lambda world, folder: _with_index(world, simple_url="https://pypi.org/simple/"),
    "JSON API elsewhere": lambda world, folder: _with_index(world, json_url="https://pypi.org/pypi"),
    "user part trick": lambda world, folder: _with_index(world, simple_url="http://127.0.0.1:80@evil.example/simple/"),
    "name trick": lambda world, folder: _with_index(world, simple_url="http://127.0.0.1.evil.example/simple/"),
    "not a URL": lambda world, folder: _with_index(world, simple_url="http://[/simple/"),
    "GitHub API": lambda world, folder: _with_github(world, api_url="https://api.github.com"),
    "GitHub uploads": lambda world, folder: _with_github(world, uploads_url="https://uploads.github.com"),
    "no trust config": lambda world, folder: dataclasses.replace(world, sigstore=Sigstore()),
    "trust config gone": lambda world, folder: dataclasses.replace(
        world, sigstore=Sigstore(trust_config=folder / "none.json")
    ),
    "trust config damaged": lambda world, folder: _with_trust(world, folder, "{"),
    "trust config of another shape": lambda world, folder: _with_trust(world, folder, "[]"),
    "real Fulcio": lambda world, folder: _with_trust(
        world, folder, '{"signingConfig": {"caUrls": [{"url": "https://fulcio.sigstore.dev"}]}}'
    ),
    "no proxy": lambda world, folder: _with_uploader(world, HTTPS_PROXY=None),
    "other proxy": lambda world, folder: _with_uploader(world, HTTPS_PROXY="http://proxy.example:3128"),
    "second proxy": lambda world, folder: _with_uploader(world, all_proxy="http://proxy.example:3128"),
    "no authority": lambda world, folder: _with_uploader(world, REQUESTS_CA_BUNDLE=None),
    "token for twine": lambda world, folder: _with_uploader(world, TWINE_PASSWORD="x"),
    "real identity": lambda world, folder: _with_uploader(
        world, ACTIONS_ID_TOKEN_REQUEST_URL="https://pipelines.actions.example/"
    ),
    "signer with a real identity": lambda world, folder: _with_child(
        world, ChildKind.SIGNER, ACTIONS_ID_TOKEN_REQUEST_URL="https://pipelines.actions.example/"
    ),
    "signer behind a proxy": lambda world, folder: _with_child(
        world, ChildKind.SIGNER, https_proxy="http://proxy.example:3128"
    ),
    "builder with a token": lambda world, folder: _with_child(world, ChildKind.BUILDER, DEPLOY_TOKEN="x"),
    "installer with our identity": lambda world, folder: _with_child(
        world, ChildKind.INSTALLER, ACTIONS_ID_TOKEN_REQUEST_TOKEN="x"
    ),
    "probe with a password": lambda world, folder: _with_child(world, ChildKind.PROBE, PASSWORD="x"),
    "an index without its uploader": lambda world, folder: dataclasses.replace(world, uploaders={}),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_guard_refuses_every_leak(world: World, tmp_path: Path, leak: str) -> None:
    """A world with one thing that could reach a real service is refused, and the thing is named once."""
    with pytest.raises(OffLoopbackError) as caught:
        refuse_off_loopback(LEAKS[leak](world, tmp_path))
    assert len(caught.value.details) == (2 if leak == "an index without its uploader" else 1)


def test_the_guard_passes_the_world_as_made(world: World) -> None:
    """The untouched world has nothing to refuse."""
    refuse_off_loopback(world)


def test_without_a_living_host_there_is_no_world(shared: Host) -> None:
    """A host that has gone is a clear error, not a half-made world."""
    gone = dataclasses.replace(shared, secret="guess")
    with pytest.raises(HostSilentError, match="secret"):
        make_world(gone)
