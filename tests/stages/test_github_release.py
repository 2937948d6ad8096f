"""github-release: a draft with every asset, published last and only when the indexes are complete."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from examples.collector import Case, cases, holds
from stages.releases import SDIST, VERSION, WHEEL
from stages.standins import ARCHIVE, TAG, Scene, forget

from hephaestus.release.errors import ReleaseError
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.releases import Release
from hephaestus.stages.github_release import ForeignAssetsError, GitHubReleaseStage
from hephaestus.stages.notes import release_notes
from hephaestus.stages.publication import asset_files
from hephaestus.stages.stage import Context
from hephaestus.stages.verification import Proof

BUNDLES = f"sigstore-bundles-{TAG}.tar.gz"
ASSETS = {
    WHEEL, SDIST, "SHA256SUMS", ARCHIVE, f"{ARCHIVE}.sha256", "sbom.cdx.json", BUNDLES,
    *(f"{name}.sigstore.json" for name in (WHEEL, SDIST, "SHA256SUMS", ARCHIVE, "sbom.cdx.json")),
}  # fmt: skip


def believe(_context: object, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Every bundle holds."""
    return [
        {"file": one.file.name, "proof": one.proof.name, "kind": one.kind, "ok": True, "log_index": 1, "reason": ""}
        for one in proofs
    ]


@pytest.fixture(autouse=True)
def signatures_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's verification is believed; one test has it for real."""
    monkeypatch.setattr("hephaestus.stages.github_release.verify", believe)


def client_of(scene: Scene, http: HttpClient) -> GitHubClient:
    github = scene.world.github
    return GitHubClient(github.api_url, github.uploads_url, github.repository, github.token, http=http)


def seen(scene: Scene) -> Release | None:
    """The release as GitHub shows it."""
    with HttpClient(user_agent="tests") as http:
        return client_of(scene, http).find_release(TAG)


def put_there(scene: Scene, name: str, content: bytes, *, publish: bool = False) -> None:
    """Have a release with one asset, as if somebody had made it before."""
    with HttpClient(user_agent="tests") as http:
        client = client_of(scene, http)
        release = client.find_release(TAG) or client.create_draft(tag=TAG, name="x", notes="x", prerelease=False)
        file = scene.root / "asset" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        release = client.upload_assets(release, [file])
        if publish:
            client.publish(release, prerelease=False)


def complete(scene: Scene) -> None:
    """Have everything on both indexes."""
    scene.publish("testpypi")
    scene.publish("pypi")


def test_a_complete_release_is_published_with_every_asset(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All assets by digest, notes, flags; bundles verified for real; again: GitHub confirms it and nothing is done."""
    monkeypatch.undo()
    complete(scene)
    outcome = scene.run(GitHubReleaseStage())
    release = seen(scene)
    assert release is not None
    assert {asset.name for asset in release.assets} == ASSETS
    assert (release.draft, release.prerelease, release.name) == (False, False, f"tiny-project {VERSION}")
    digests = {asset.name: asset.sha256 for asset in release.assets}
    assert {name: digests[name] for name in scene.digests} == scene.digests
    assert "- Tells tiny things." in release.notes
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "published"
    assert "127.0.0.1" not in json.dumps(dict(outcome.receipt.evidence))
    assert scene.run(GitHubReleaseStage()).state == "skipped"


def test_the_tagged_commit_may_change_a_workflow(scene: Scene) -> None:
    """A job's token can name no such commit as a release's target: none is named, the tag is there."""
    complete(scene)
    scene.standins.github.push([], workflows=[scene.standins.github._store.repository.tags[TAG]["commit"]])
    assert scene.run(GitHubReleaseStage()).state == "done"
    release = seen(scene)
    assert release is not None
    assert not release.draft


@pytest.mark.parametrize(("tag", "latest"), [("v9.0.0", "v9.0.0"), ("v1.2.2", TAG), ("nightly", TAG)])
def test_a_release_of_an_older_line_is_not_the_latest(scene: Scene, tag: str, latest: str) -> None:
    """What installs "the latest" must not go back from 9.0.0 to 1.2.3 because that was published last."""
    complete(scene)
    scene.standins.github.push_tag(tag, scene.standins.github._store.repository.tags[TAG]["commit"])
    with HttpClient(user_agent="tests") as http:
        client = client_of(scene, http)
        client.publish(client.create_draft(tag=tag, name=tag, notes="x", prerelease=False), prerelease=False)
        scene.run(GitHubReleaseStage())
        found = client.latest_release()
    assert found is not None
    assert found.tag == latest


def test_a_package_of_several_is_released_at_its_own_tag_and_is_not_the_latest(scene: Scene) -> None:
    """What asks GitHub for "the latest" asks for no package in particular."""
    complete(scene)
    pyproject = scene.root / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    pyproject.write_text(f'{text}\n[tool.hephaestus.release]\ntag-prefix = "core-"\n', "utf-8")
    scene.standins.github.push_tag(f"core-{TAG}", scene.standins.github._store.repository.tags[TAG]["commit"])
    scene.run(GitHubReleaseStage())
    with HttpClient(user_agent="tests") as http:
        client = client_of(scene, http)
        release = client.find_release(f"core-{TAG}")
        assert client.latest_release() is None
    assert release is not None
    assert not release.draft
    assert f"sigstore-bundles-core-{TAG}.tar.gz" in {asset.name for asset in release.assets}


def test_a_tag_that_goes_while_assets_are_sent_is_not_made_anew(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub would tag the head of the default branch when it publishes: it stays a draft, and says why."""
    for index in ("testpypi", "pypi"):
        scene.publish(index)
    tags = scene.standins.github._store.repository.tags
    kept = dict(tags)

    def lost(context: Context) -> dict[str, Path]:
        tags.clear()
        return asset_files(context)

    with monkeypatch.context() as patched:
        patched.setattr("hephaestus.stages.github_release.asset_files", lost)
        outcome = scene.run(GitHubReleaseStage())
    assert outcome.receipt is not None
    assert f"tag {TAG} is not on GitHub any more" in outcome.receipt.evidence["waiting_for"][0]
    release = seen(scene)
    assert release is not None
    assert release.draft
    assert tags == {}
    tags.update(kept)
    assert scene.run(GitHubReleaseStage()).state == "done"
    now = seen(scene)
    assert now is not None
    assert not now.draft


def test_a_draft_waits_for_pypi_and_is_published_later(scene: Scene) -> None:
    """Without PyPI it stays a draft with all assets and says why; with PyPI the same command publishes."""
    scene.publish("testpypi")
    scene.publish("pypi", WHEEL)
    outcome = scene.run(GitHubReleaseStage())
    release = seen(scene)
    assert release is not None
    assert release.draft
    assert {asset.name for asset in release.assets} == ASSETS
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["waiting_for"] == ["pypi shows 1 of 2 files"]
    assert "stays a draft" in scene.said()
    assert scene.run(GitHubReleaseStage()).state == "skipped"
    scene.publish("pypi", SDIST)
    sent = {asset.id for asset in release.assets}
    assert scene.run(GitHubReleaseStage()).state == "done"
    now = seen(scene)
    assert now is not None
    assert not now.draft
    assert {asset.id for asset in now.assets} == sent, "an asset was sent again"


def test_an_index_that_does_not_answer_keeps_the_draft(scene: Scene) -> None:
    """Silence is no completeness: the release stays a draft."""
    complete(scene)
    scene.standins.arm("pypi:downx99")
    outcome = scene.run(GitHubReleaseStage())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["draft"]
    assert "pypi does not answer" in scene.said()


@pytest.mark.parametrize(
    "fault",
    ["github:503", "github:500@4x2", "github:reset@3", "github:stored-reset@2", "github:asset-truncated@5",
     "github:no-digest@1x3", "github:created-reset", "github:429=1@6", "github:403-rate-limit=1@7"],
)  # fmt: skip
def test_passing_trouble_is_ridden_out(scene: Scene, fault: str) -> None:
    """One command ends with one published release that holds every asset once, whole."""
    complete(scene)
    scene.standins.arm(fault)
    scene.run(GitHubReleaseStage())
    release = seen(scene)
    assert release is not None
    assert not release.draft
    expected = {name: path.stat().st_size for name, path in asset_files(scene.context("verify")).items()}
    assert {asset.name: asset.size for asset in release.assets} == expected
    assert len(scene.standins.github._store.repository.releases) == 1


@pytest.mark.parametrize("case", cases("github-release"), ids=str)
def test_github_release_refuses(case: Case, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be released is said with its next step; no receipt is left and no asset is replaced."""
    complete(scene)
    change = case.change
    if change.get("immutable"):
        scene.standins.github.set_immutable_releases(True)
    for asset in change.get("assets", ()):
        put_there(scene, asset["name"], asset["content"].encode(), publish=asset.get("published", False))
    if "tag" in change:
        scene.standins.github.push(["f" * 40])
        scene.standins.github.push_tag(TAG, change["tag"])
    if change.get("tag") == "":
        del scene.standins.github._store.repository.tags[TAG]
    if "token" in change:
        scene.world = replace(scene.world, github=replace(scene.world.github, token=change["token"]))
    if "repository" in change:
        scene.world = replace(scene.world, github=replace(scene.world.github, repository=change["repository"]))
    if "read_only" in change:
        monkeypatch.setattr(scene.standins.github, "_read_token", scene.standins._token)
        monkeypatch.setattr(scene.standins.github, "_token", "another")
    for stage in change.get("without", ()):
        forget(scene.directory, stage)
    held = {} if seen_nothing(change) else assets_of(scene)
    scene.standins.arm(*change.get("faults", ()))
    with pytest.raises(ReleaseError) as raised:
        scene.run(GitHubReleaseStage())
    holds(case, raised.value)
    scene.standins.arm()
    assert scene.directory.receipt("github-release") is None
    if held:
        assert held.items() <= assets_of(scene).items()
    if change.get("completes"):
        assert scene.run(GitHubReleaseStage()).state == "done"
        release = seen(scene)
        assert release is not None
        assert not release.draft


def test_a_draft_with_an_asset_of_somebody_else_is_never_published(scene: Scene) -> None:
    """Installed clients take the first archive whose name matches: one that was slipped into the draft stops it."""
    complete(scene)
    put_there(scene, "a-wheelhouse.tar.gz", b"evil")
    with pytest.raises(ForeignAssetsError, match=r"a-wheelhouse\.tar\.gz"):
        scene.run(GitHubReleaseStage())
    release = seen(scene)
    assert release is not None
    assert release.draft
    assert scene.directory.receipt("github-release") is None
    kept = scene.standins.github._store.repository.releases[0]
    kept.assets = [asset for asset in kept.assets if asset.name != "a-wheelhouse.tar.gz"]
    assert scene.run(GitHubReleaseStage()).state == "done"


def seen_nothing(change: Any) -> bool:
    return any(name in change for name in ("token", "repository", "read_only"))


def assets_of(scene: Scene) -> dict[str, str]:
    release = seen(scene)
    return {} if release is None else {asset.name: str(asset.sha256) for asset in release.assets}


def test_a_lost_asset_is_noticed_and_sent_again(scene: Scene) -> None:
    """The receipt alone does not make it done: GitHub is asked, and what it lacks is sent."""
    complete(scene)
    scene.run(GitHubReleaseStage())
    repository = scene.standins.github._store.repository
    repository.releases[0].assets.pop()
    scene.standins.github._store.save()
    assert scene.run(GitHubReleaseStage()).state == "done"
    assert set(assets_of(scene)) == ASSETS


def test_the_tarball_of_bundles_holds_them_all_and_is_always_the_same(scene: Scene) -> None:
    """Two packings of the same bundles have the same bytes, so the asset's digest can be expected."""
    context = scene.context("verify")
    first = asset_files(context)[BUNDLES].read_bytes()
    assert asset_files(context)[BUNDLES].read_bytes() == first
    with tarfile.open(asset_files(context)[BUNDLES]) as tar:
        assert {Path(name).name for name in tar.getnames()} == {n for n in ASSETS if n.endswith(".sigstore.json")}
    assert "publish.attestation" not in " ".join(asset_files(context))


def test_notes_are_the_versions_section_and_how_to_verify(scene: Scene) -> None:
    """Every sha256 and the identity to verify under stand below what build recorded of this version alone."""
    notes = release_notes(scene.context("verify"))
    assert "Tells tiny things" in notes
    assert "Older things" not in notes
    assert all(f"{digest}  {name}" in notes for name, digest in scene.digests.items())
    assert scene.world.publisher.subject in notes
