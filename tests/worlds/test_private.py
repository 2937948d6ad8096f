"""The world of a private index: a token in two places only, what is left out and why, nothing of a workflow."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hephaestus.release.chain import REQUIRES
from hephaestus.release.errors import GateRefused
from hephaestus.release.handover import stated
from hephaestus.release.project import Project, read_project
from hephaestus.release.receipts import Receipt
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import Source, read_source
from hephaestus.worlds.opening import NothingBuiltError, Opened, release_root
from hephaestus.worlds.private import (
    IndexTokenError,
    PrivateTarget,
    UnknownIndexError,
    open_private,
    private_target,
    private_world,
)
from hephaestus.worlds.publish import Consent, PublishNotAskedForError
from hephaestus.worlds.world import ChildKind, DirtyPolicy, TagPolicy, World

TOKEN = "correct-horse-battery-9"
CONSENT = Consent(given_by="--publish")


@dataclass(kw_only=True)
class Desk:
    """A project with a private index, on a person's machine."""

    project: Project
    root: ReleaseRoot
    state: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin", "HEPHAESTUS_INDEX_TOKEN": TOKEN})

    @property
    def target(self) -> PrivateTarget:
        return private_target(self.project, "internal")

    def world(self, consent: Consent | None = CONSENT, **more: str) -> World:
        environ = {**self.environ, **more}
        return private_world(self.project, self.target, consent=consent, state=self.state, environ=environ)

    def open(self, stage: str, source: Source | None = None, **more: str) -> Opened:
        return open_private(
            self.project, self.root, target=self.target, stage=stage, source=source, consent=CONSENT,
            environ={**self.environ, **more}, state=self.state,
        )  # fmt: skip

    def built(self) -> Receipt:
        """A release directory with a receipt of build."""
        directory = self.root.directory(self.project.version)
        receipt = Receipt(
            stage="build", world="publish:internal", project="tiny-thing", version="1.2.3", dirty=False, seconds=1.0,
            commit="c" * 40, key=f"sha256:{'0' * 64}", started="2026-01-02T03:04:05Z",
        )  # fmt: skip
        directory.path.mkdir(parents=True, exist_ok=True)
        with directory.staging("build") as staging:
            return directory.commit(staging, receipt)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    here = tmp_path / "project"
    here.mkdir()
    (here / "pyproject.toml").write_text(
        '[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n[tool.hephaestus.release.indexes.internal]\n'
        'upload-url = "https://packages.example.org/upload"\nsimple-url = "https://packages.example.org/simple"\n'
        'username = "releaser"\n'
    )
    project = read_project(here)
    return Desk(project=project, root=release_root(project, rehearsal=False), state=tmp_path / "state")


def test_the_index_stands_where_pypi_stands(desk: Desk) -> None:
    """One index, by its name and its addresses, in the role of PyPI; a label that is not PyPI's."""
    world = desk.world()
    assert world.label == "publish:internal"
    assert list(world.indexes) == ["pypi"]
    index = world.indexes["pypi"]
    assert (index.name, index.simple_url, index.json_url) == ("internal", "https://packages.example.org/simple/", "")
    assert index.target == ("--repository-url", "https://packages.example.org/upload")
    assert (index.html, index.completion_days) == (True, None)


def test_what_is_left_out_is_what_needs_an_identity_or_another_service(desk: Desk) -> None:
    """Exactly these stages, each with a reason that names the index; nothing that is left needs one of them."""
    policy = desk.world().policy
    assert set(policy.left_out) == {"sign", "upload-testpypi", "smoke", "sign-wheelhouse", "github-release"}
    assert set(policy.left_out) < set(REQUIRES)
    assert all("internal" in reason for reason in policy.left_out.values())
    assert not policy.signed
    assert (policy.dirty, policy.tag, policy.prerelease_to_pypi) == (DirtyPolicy.REFUSE, TagPolicy.REQUIRED, True)


def test_the_token_is_in_two_places_only(desk: Desk) -> None:
    """twine's environment and the header of the index's pages: in no other child, and in no repr of anything."""
    others = {"GITHUB_TOKEN": "ghs_" + "a" * 36, "TWINE_PASSWORD": "another-one-9", "AWS_SECRET_ACCESS_KEY": "x" * 20,
              "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "y" * 20}  # fmt: skip
    world = desk.world(**others)
    uploader = world.uploaders["pypi"]
    assert (uploader["TWINE_USERNAME"], uploader["TWINE_PASSWORD"]) == ("releaser", TOKEN)
    header = f"Basic {base64.b64encode(f'releaser:{TOKEN}'.encode()).decode()}"
    assert world.indexes["pypi"].authorization == header
    children: list[Mapping[str, str]] = [*world.children.values(), {**uploader, "TWINE_PASSWORD": ""}]
    for secret in (TOKEN, *others.values()):
        assert not [child for child in children if secret in child.values()]
    assert set(world.children) == set(ChildKind)
    assert TOKEN not in repr(world)
    assert header not in repr(world)
    assert world.github.token == ""
    assert set(others) <= set(world.withheld)
    assert "HEPHAESTUS_INDEX_TOKEN" not in world.withheld


def test_one_variable_names_an_authority_of_ones_own(desk: Desk) -> None:
    """SSL_CERT_FILE is twine's too, unless it has one of its own; proxies go along."""
    uploader = desk.world(SSL_CERT_FILE="/etc/ours.pem", HTTPS_PROXY="http://proxy.example.org").uploaders["pypi"]
    assert (uploader["REQUESTS_CA_BUNDLE"], uploader["SSL_CERT_FILE"]) == ("/etc/ours.pem", "/etc/ours.pem")
    assert uploader["HTTPS_PROXY"] == "http://proxy.example.org"
    given = desk.world(SSL_CERT_FILE="/etc/ours.pem", REQUESTS_CA_BUNDLE="/etc/theirs.pem").uploaders["pypi"]
    assert given["REQUESTS_CA_BUNDLE"] == "/etc/theirs.pem"
    assert "REQUESTS_CA_BUNDLE" not in desk.world().uploaders["pypi"]


@pytest.mark.parametrize(
    ("token", "problem"),
    [("", "is not set"), ("   ", "is not set"), ("short-7", "fewer than 8"), ("two words 9", "white space"),
     ("tokén-tokén", "not printable ASCII"), ("token-token\n", "white space, or something")],
)  # fmt: skip
def test_without_a_token_nothing_opens(desk: Desk, token: str, problem: str) -> None:
    """None, and what can be none: refused, the variable named, the value never."""
    with pytest.raises(IndexTokenError, match=problem) as caught:
        desk.world(HEPHAESTUS_INDEX_TOKEN=token)
    assert "HEPHAESTUS_INDEX_TOKEN" in caught.value.what
    assert not token.strip() or token.strip() not in str(caught.value)


def test_without_consent_nothing_opens(desk: Desk) -> None:
    """An index and a token are no publish that anybody asked for."""
    with pytest.raises(PublishNotAskedForError):
        desk.world(consent=None)


@pytest.mark.parametrize(
    ("name", "words"),
    [("nope", "no such index is configured"), ("pypi", "public index"), ("testpypi", "public index"), ("", "no such")],
)
def test_only_what_is_configured_is_a_target(desk: Desk, name: str, words: str) -> None:
    """Another name is refused, with those that are configured; a public index is not reached this way."""
    with pytest.raises(UnknownIndexError, match=words) as caught:
        private_target(desk.project, name)
    assert caught.value.details == ("configured: internal",)


def test_build_opens_the_real_release_anywhere(desk: Desk) -> None:
    """No workflow, no GitHub: the directory is the real one, and nothing but the token was asked for."""
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=desk.project.root, check=True)
    opened = desk.open("build", read_source(desk.project.root))
    assert opened.directory.path == desk.project.root / "release" / "1.2.3"


def test_a_stage_before_build_is_refused(desk: Desk) -> None:
    """The message's command is one of a release to this index."""
    with pytest.raises(NothingBuiltError) as caught:
        desk.open("check")
    assert "`nox -s build -- --publish --index internal`" in caught.value.next_step


def test_a_hand_over_is_held_where_there_is_one(desk: Desk) -> None:
    """On one machine nothing is handed over; between jobs what arrived must be what was stated."""
    desk.built()
    word = stated(desk.root.directory("1.2.3"), "build")
    for given in ("", word):
        assert desk.open("check", HEPHAESTUS_MANIFEST=given).directory.receipt("build") is not None
    with pytest.raises(GateRefused) as caught:
        desk.open("check", HEPHAESTUS_MANIFEST=f"build=sha256:{'f' * 64}")
    assert [finding.code for finding in caught.value.findings] == ["handover-differs"]
    assert caught.value.next_step.endswith("`nox -s check -- --publish --index internal`")
