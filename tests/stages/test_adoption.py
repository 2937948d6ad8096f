"""Adoption: started again from the beginning, a release takes over the proofs it has made public already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from stages.releases import SDIST, WHEEL
from stages.standins import Scene, archived, edit_receipt, forget

from hephaestus.release.errors import GateRefused, ReleaseError
from hephaestus.services.refusals import AssetMismatch
from hephaestus.stages.github_release import GitHubReleaseStage
from hephaestus.stages.sign import (
    AdoptedWheelhouseError,
    SealedSignaturesError,
    SignDistributions,
    SignWheelhouse,
)
from hephaestus.stages.upload import UploadPyPI, UploadTestPyPI
from hephaestus.stages.wheelhouse import WheelhouseStage
from hephaestus.standins.faults import Fault
from hephaestus.standins.github.store import StoredAsset

ATTESTATIONS = [f"attestations/{name}.publish.attestation" for name in (SDIST, WHEEL)]
BUNDLES = [f"bundles/{name}.sigstore.json" for name in (SDIST, WHEEL, "SHA256SUMS")]


def lost(scene: Scene, *paths: str) -> dict[str, bytes]:
    """The proofs as they were, taken away with the receipt of sign: a new run has only what it builds."""
    was = {path: (scene.directory.path / path).read_bytes() for path in paths}
    for path in paths:
        (scene.directory.path / path).unlink()
    forget(scene.directory, "sign")
    return was


def vouch(scene: Scene) -> None:
    """Have the receipts after sign's stand for the signatures as they are now, as those stages themselves would."""
    manifest = scene.directory.manifest()
    for stage in ("check", "wheelhouse", "sign-wheelhouse"):
        receipt = scene.directory.receipt(stage)
        assert receipt is not None
        edit_receipt(scene.directory, stage, inputs={path: manifest[path] for path in receipt.inputs})


def now(scene: Scene, *paths: str) -> dict[str, bytes]:
    return {path: (scene.directory.path / path).read_bytes() for path in paths}


def test_attestations_come_from_the_index_that_serves_them(scene: Scene) -> None:
    """After an upload the same attestations come back, bundles are made anew, and the next upload uses the old ones."""
    scene.run(UploadTestPyPI())
    was = lost(scene, *ATTESTATIONS, *BUNDLES)
    outcome = scene.run(SignDistributions())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "signed"
    for path in ATTESTATIONS:
        assert json.loads(now(scene, path)[path]) == json.loads(was[path])
    assert all(now(scene, path)[path] != was[path] for path in BUNDLES)
    assert scene.directory.damage() == []


def test_bundles_come_from_the_release_that_holds_them(scene: Scene) -> None:
    """With a GitHub Release in place nothing is signed at all: every proof is taken over, byte for byte."""
    scene.run(UploadTestPyPI())
    scene.run(GitHubReleaseStage())
    was = lost(scene, *ATTESTATIONS, *BUNDLES)
    outcome = scene.run(SignDistributions())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "kept"
    assert "signatures are public already: taken over" in scene.said()
    assert now(scene, *BUNDLES) == {path: was[path] for path in BUNDLES}


def test_a_file_that_no_index_has_gets_a_new_attestation(scene: Scene) -> None:
    """With one of two files uploaded, its attestation is taken over and only the other one's is made."""
    scene.standins.arm("testpypi:403@2x9")
    with pytest.raises(ReleaseError, match="upload-testpypi"):
        scene.run(UploadTestPyPI())
    (uploaded,) = scene.served("testpypi")
    was = lost(scene, *ATTESTATIONS)
    scene.standins.arm()
    scene.run(SignDistributions())
    for path in ATTESTATIONS:
        same = json.loads(now(scene, path)[path]) == json.loads(was[path])
        assert same is (uploaded in path)


def test_an_attestation_nobody_serves_cannot_be_made_again(scene: Scene) -> None:
    """A file that is on an index without an attestation never gets one: said with file and index, nothing signed."""
    scene.publish("testpypi", WHEEL)
    lost(scene, *ATTESTATIONS)
    with pytest.raises(SealedSignaturesError) as caught:
        scene.run(SignDistributions())
    assert "testpypi" in caught.value.what
    assert [line for line in caught.value.details if WHEEL in line]
    assert not [line for line in caught.value.details if SDIST in line]
    assert not any((scene.directory.path / path).exists() for path in ATTESTATIONS)


def test_a_served_attestation_of_another_identity_is_not_taken(scene: Scene) -> None:
    """What an index serves is verified like one's own: an attestation made for another tag does not count."""
    scene.run(UploadTestPyPI())
    lost(scene, *ATTESTATIONS)
    publisher = scene.world.publisher
    scene.world = replace(scene.world, publisher=replace(publisher, ref="refs/tags/v9.9.9"))
    with pytest.raises(SealedSignaturesError):
        scene.run(SignDistributions())


def test_a_silent_github_is_said_and_does_not_stop_signing(scene: Scene) -> None:
    """GitHub down: a warning, and the wheelhouse is signed anew; the indexes are not asked for it."""
    for name in ("tiny-project-1.2.3-wheelhouse.tar.gz", "sbom.cdx.json"):
        (scene.directory.path / "bundles" / f"{name}.sigstore.json").unlink()
    forget(scene.directory, "sign-wheelhouse")
    edit_receipt(scene.directory, "build", evidence={"sealed": ["testpypi"]})
    scene.standins.faults.arm([Fault.parse(text) for text in ("github:500x99", "pypi:downx99")])
    outcome = scene.run(SignWheelhouse())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "signed"
    assert "GitHub did not say" in scene.said()


def test_the_draft_of_an_earlier_run_gets_this_runs_signatures(scene: Scene) -> None:
    """A draft whose bundles are another run's is brought to this run's, and is then published."""
    scene.run(GitHubReleaseStage())
    was = lost(scene, *BUNDLES)
    scene.run(SignDistributions())
    assert all(now(scene, path)[path] != was[path] for path in BUNDLES)
    scene.publish("testpypi")
    scene.publish("pypi")
    vouch(scene)
    outcome = scene.run(GitHubReleaseStage())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "published"


def test_a_published_release_is_never_brought_to_other_signatures(scene: Scene) -> None:
    """Once published, other bundles are a hard error: nothing of the release changes."""
    for stage in (UploadTestPyPI(), UploadPyPI(), GitHubReleaseStage()):
        scene.run(stage)
    lost(scene, *BUNDLES)
    scene.standins.faults.arm([Fault.parse("github:500x99")])
    scene.run(SignDistributions())
    scene.standins.arm()
    vouch(scene)
    with pytest.raises(AssetMismatch):
        scene.run(GitHubReleaseStage())


ARCHIVE = "tiny-project-1.2.3-wheelhouse.tar.gz"
HOUSED = [f"wheelhouse/{name}" for name in (ARCHIVE, f"{ARCHIVE}.sha256", "sbom.cdx.json")]


def started_again(scene: Scene) -> dict[str, bytes]:
    """A run from the beginning after a release: the wheelhouse and its bundles as they were; now they are gone."""
    edit_receipt(scene.directory, "build", evidence={"sealed": ["pypi"], "source_date_epoch": 1_700_000_000})
    paths = [*HOUSED, f"bundles/{ARCHIVE}.sigstore.json", "bundles/sbom.cdx.json.sigstore.json"]
    was = now(scene, *paths)
    for path in paths:
        (scene.directory.path / path).unlink()
    forget(scene.directory, "wheelhouse", "sign-wheelhouse", "github-release")
    return was


def test_the_wheelhouse_of_a_release_is_taken_over_with_its_signatures(scene: Scene) -> None:
    """Released before, the wheelhouse comes back byte for byte, is proven by its own bundles, and nothing is packed."""
    for stage in (UploadTestPyPI(), UploadPyPI(), GitHubReleaseStage()):
        scene.run(stage)
    was = started_again(scene)
    made, signed = scene.run(WheelhouseStage()), scene.run(SignWheelhouse())
    assert made.receipt is not None
    assert signed.receipt is not None
    assert made.receipt.evidence["state"] == "taken over from the GitHub Release"
    assert signed.receipt.evidence["state"] == "kept"
    assert now(scene, *was) == was


def replaced(scene: Scene, content: bytes) -> None:
    """Have other bytes under the wheelhouse's name on GitHub, rightly listed beside it."""
    release = next(found for found in scene.standins.github._store.repository.releases if found.tag == "v1.2.3")
    listed = f"{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n".encode()
    for name, stored in ((ARCHIVE, content), (f"{ARCHIVE}.sha256", listed)):
        stores(scene, release.asset_named(name), stored)


def stores(scene: Scene, asset: StoredAsset | None, content: bytes) -> None:
    """Exchange the bytes of an asset, and what GitHub says of them."""
    assert asset is not None
    scene.standins.github._store.asset_path(asset).write_bytes(content)
    asset.size, asset.digest = len(content), f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_wheelhouse_somebody_else_put_there_is_never_signed(scene: Scene) -> None:
    """Another archive with our wheel in it on the release: taken over, its bundle does not hold, ours is not given."""
    scene.run(GitHubReleaseStage())
    wheel = (scene.directory.dist / WHEEL).read_bytes()
    started_again(scene)
    replaced(scene, archived({WHEEL: wheel, "need-1.0-py3-none-any.whl": b"evil"}))
    scene.run(WheelhouseStage())
    with pytest.raises(AdoptedWheelhouseError) as caught:
        scene.run(SignWheelhouse())
    assert caught.value.details == (f"bundles/{ARCHIVE}.sigstore.json",)
    assert scene.directory.receipt("sign-wheelhouse") is None


def test_a_wheelhouse_of_other_bytes_of_ours_is_refused(scene: Scene) -> None:
    """What another run has packed is of its own build, if the tag was moved since: our wheel in it must be ours."""
    scene.run(GitHubReleaseStage())
    started_again(scene)
    replaced(scene, archived({WHEEL: b"another build"}))
    scene.run(WheelhouseStage())
    with pytest.raises(GateRefused) as caught:
        scene.run(SignWheelhouse())
    assert [finding.code for finding in caught.value.findings] == ["wheelhouse-other-wheel"]


@pytest.mark.parametrize("listed", [b"\xff\xfe", b"nothing of the kind\n"], ids=["bytes", "text"])
def test_a_wheelhouse_with_a_broken_list_is_made_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, listed: bytes
) -> None:
    """A checksum on the release that is none is said; the wheelhouse is not taken over, and not the end of it."""
    scene.run(GitHubReleaseStage())
    started_again(scene)
    release = next(found for found in scene.standins.github._store.repository.releases if found.tag == "v1.2.3")
    stores(scene, release.asset_named(f"{ARCHIVE}.sha256"), listed)
    made = {"archive": ARCHIVE, "members": []}
    monkeypatch.setattr("hephaestus.stages.wheelhouse._make", lambda *_given, **_more: (made, []))
    outcome = scene.run(WheelhouseStage())
    assert outcome.receipt is not None
    assert outcome.receipt.evidence == {**made, "further": []}
    assert "made anew" in scene.said()
