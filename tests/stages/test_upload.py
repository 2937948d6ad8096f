"""The upload stages: unmodified twine against the stand-ins, Trusted Publishing and attestations included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stages.releases import NAME, SDIST, VERSION, WHEEL
from stages.standins import Scene, Standins, edit_receipt, forget, make_scene, sha256
from stages.uploads import DAY, believe, stage_of

from hephaestus.release.burned import burned_names
from hephaestus.release.directory import BURNED, ReleaseDirectory
from hephaestus.release.errors import GateRefused, ReleaseError
from hephaestus.stages.proofs import PASSED_OVER
from hephaestus.stages.stage import Options
from hephaestus.stages.upload import UploadPyPI, UploadTestPyPI
from hephaestus.stages.upload_answers import NotShownError, ProvenanceMissingError, UploadIncompleteError
from hephaestus.worlds.world import ChildKind, TestPyPIPolicy


@pytest.fixture
def signatures_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's verification is believed: that it refuses is proved on its own."""
    monkeypatch.setattr("hephaestus.stages.upload_gates.verify", believe)


class TestUpload:
    """What an upload that goes well does, and what the index's own word counts."""

    def test_all_files_arrive_with_their_attestations_and_a_second_run_sends_nothing(self, scene: Scene) -> None:
        """Verified, uploaded, shown, provenance read back; again: confirmed by the index and skipped."""
        outcome = scene.run(stage_of(scene))
        assert outcome.state == "done"
        assert scene.served("pypi") == scene.digests
        assert outcome.receipt is not None
        evidence = outcome.receipt.evidence
        assert evidence["provenance"] == dict.fromkeys(scene.digests, 1)
        assert {(file["file"], file["sha256"], file["state"]) for file in evidence["files"]} == {
            (name, digest, "uploaded") for name, digest in scene.digests.items()
        }
        assert evidence["deadline"] is not None
        kept = (scene.directory.path / "receipts" / "upload-pypi.json").read_text(encoding="utf-8")
        assert "127.0.0.1" not in kept
        assert str(scene.root) not in kept
        assert "ACTIONS_ID_TOKEN" not in kept
        sent = len(scene.sent("pypi"))
        assert scene.run(stage_of(scene)).state == "skipped"
        assert len(scene.sent("pypi")) == sent

    @pytest.mark.usefixtures("signatures_hold")
    def test_a_file_that_vanishes_from_the_index_is_noticed_by_the_next_run(self, scene: Scene) -> None:
        """The receipt alone does not make an upload done: the index is asked, and a file it lost cannot come back."""
        scene.run(stage_of(scene))
        scene.index("pypi").burn_filename(WHEEL)
        with pytest.raises(ReleaseError, match="a name is used once for ever"):
            scene.run(stage_of(scene))
        assert "shows 1 of 2 files" in scene.said()


@pytest.mark.usefixtures("signatures_hold")
def test_a_burned_name_is_offered_again_only_when_asked_to(scene: Scene) -> None:
    """Refused once, the name is kept in a note that damages nothing; `--redo` asks the index again, PyPI alone."""
    scene.index("pypi").burn_filename(WHEEL)
    with pytest.raises(UploadIncompleteError):
        scene.run(stage_of(scene))
    assert set(burned_names(scene.directory, "pypi")) == {WHEEL}
    assert burned_names(scene.directory, "testpypi") == {}
    sent = len(scene.sent("pypi"))
    with pytest.raises(GateRefused) as caught:
        scene.run(stage_of(scene))
    assert [finding.code for finding in caught.value.findings] == ["name-burned"]
    assert len(scene.sent("pypi")) == sent
    scene.options = Options(redo=frozenset({"upload-pypi"}))
    with pytest.raises(UploadIncompleteError):
        scene.run(stage_of(scene))
    assert len(scene.sent("pypi")) == sent + 1
    scene.options = Options()
    (scene.directory.path / BURNED).write_text("{", encoding="utf-8")
    with pytest.raises(UploadIncompleteError):
        scene.run(stage_of(scene))
    assert set(burned_names(scene.directory, "pypi")) == {WHEEL}, "a note that cannot be read is written anew"


@pytest.mark.usefixtures("signatures_hold")
def test_attestations_of_files_that_are_not_shown_are_not_counted_as_served(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older copy of the page answers when attestations are counted: of none of no files nothing is concluded."""
    scene.publish("pypi")
    monkeypatch.setattr("hephaestus.services.index.IndexClient.release_files", lambda *_given: ())
    with pytest.raises(NotShownError, match="does not show them yet") as caught:
        scene.run(stage_of(scene))
    assert caught.value.details == tuple(f"not shown: {name}" for name in (WHEEL, SDIST))
    assert scene.directory.receipt("upload-pypi") is None


@pytest.mark.usefixtures("signatures_hold")
@pytest.mark.parametrize("bundles", [None, "x", ["x"], [{"attestations": 1}], [{"attestations": []}]])
def test_a_misshapen_provenance_holds_no_attestation(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, bundles: object
) -> None:
    """Whatever an index answers in its place, a file without attestations is named."""
    scene.publish("pypi")
    answer = {"attestation_bundles": bundles}
    monkeypatch.setattr("hephaestus.services.index.IndexClient.provenance", lambda *_given: answer)
    with pytest.raises(ProvenanceMissingError):
        scene.run(stage_of(scene))


@pytest.mark.usefixtures("signatures_hold")
def test_folders_with_spaces_accents_and_long_paths(
    standins: Standins, signed_release: ReleaseDirectory, tmp_path: Path
) -> None:
    """A project below odd names and a path beyond 255 characters is uploaded like any other."""
    folder = tmp_path / "mit leerzeichen" / "größe-Ω" / ("lang" * 25) / ("länger" * 20)
    folder.mkdir(parents=True)
    scene = make_scene(standins, signed_release, folder)
    assert len(str(scene.directory.dist / WHEEL)) > 255
    assert scene.run(stage_of(scene)).state == "done"
    assert scene.served("pypi") == scene.digests


class TestGates:
    """What is refused before twine is started at all."""

    def refused(self, scene: Scene, *words: str, index: str = "pypi") -> str:
        with pytest.raises(ReleaseError) as raised:
            scene.run(stage_of(scene, index))
        text = str(raised.value)
        assert all(word in text for word in words), text
        assert raised.value.next_step
        assert scene.sent(index) == []
        assert "twine" not in scene.said()
        return text

    @pytest.mark.parametrize("stage", ["build", "sign", "check", "upload-testpypi", "smoke"])
    def test_each_missing_receipt_is_named(self, scene: Scene, stage: str) -> None:
        """PyPI needs everything before it, by name, with the command that makes up for it."""
        forget(scene.directory, stage)
        self.refused(scene, f"{stage}: has not been done", f"nox -s {stage}")

    def test_test_pypi_needs_no_smoke(self, scene: Scene) -> None:
        """Test PyPI comes first: build, sign and check are enough."""
        forget(scene.directory, "upload-testpypi", "smoke")
        assert stage_of(scene, "testpypi").gates(scene.context("upload")) == []

    @pytest.mark.parametrize("path", [f"dist/{WHEEL}", f"attestations/{SDIST}.publish.attestation"])
    def test_one_changed_byte_is_named(self, scene: Scene, path: str) -> None:
        """A file that changed since it was recorded stops the stage, with both digests."""
        file = scene.directory.path / path
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        self.refused(scene, path, "the manifest says", sha256(file))

    def test_a_receipt_without_one_attestation_is_named(self, scene: Scene) -> None:
        """An attestation can never be added later, so an upload without it is refused."""
        lost = f"attestations/{SDIST}.publish.attestation"
        receipt = scene.directory.receipt("sign")
        assert receipt is not None
        edit_receipt(
            scene.directory, "sign", outputs={path: one for path, one in receipt.outputs.items() if path != lost}
        )
        for stage in ("check", "upload-testpypi", "smoke", "wheelhouse", "sign-wheelhouse"):
            edit_receipt(scene.directory, stage, inputs={})
        (scene.directory.path / lost).unlink()
        self.refused(scene, f"{SDIST}: has no attestation", "nox -s sign")

    def test_a_foreign_file_in_dist_is_named(self, scene: Scene) -> None:
        """Nothing is taken by a glob: an old wheel beside ours stops the stage."""
        (scene.directory.dist / "old-1.0-py3-none-any.whl").write_bytes(b"")
        self.refused(scene, "dist/old-1.0-py3-none-any.whl", "no stage of this release put it there")

    def test_signatures_under_another_identity_are_refused(self, scene: Scene) -> None:
        """What the receipt says of the identity, and what the attestations say, must be this release's."""
        publisher = replace(scene.world.publisher, workflow="other.yml")
        scene.world = replace(scene.world, publisher=publisher)
        self.refused(scene, "publish-pypi.yml", "other.yml")
        edit_receipt(scene.directory, "sign", evidence={"identity": publisher.subject})
        self.refused(scene, "does not prove", "other.yml")

    def test_an_index_that_does_not_answer_is_no_empty_index(self, scene: Scene) -> None:
        """Without the index's own answer nothing is planned and nothing is sent."""
        scene.standins.arm("pypi:downx99")
        self.refused(scene, "503", "run the same command again")


class TestPolicy:
    """What policy decides about an upload."""

    @pytest.mark.usefixtures("signatures_hold")
    @pytest.mark.parametrize("faults", [["testpypi:downx999"], ["testpypi:503x99"], ["testpypi:htmlx99"]])
    def test_an_optional_test_pypi_that_is_down_is_passed_over_and_said(self, scene: Scene, faults: list[str]) -> None:
        """The receipt says so, PyPI then needs no smoke, and a run when it is back uploads after all."""
        scene.policy(testpypi=TestPyPIPolicy.OPTIONAL)
        forget(scene.directory, "upload-testpypi", "smoke")
        scene.standins.arm(*faults)
        outcome = scene.run(stage_of(scene, "testpypi"))
        assert outcome.receipt is not None
        assert outcome.receipt.evidence["state"] == PASSED_OVER
        assert outcome.receipt.evidence["trouble"]
        assert "passed over because the policy makes it optional" in scene.said()
        assert stage_of(scene).gates(scene.context("upload")) == []
        scene.standins.arm()
        assert scene.run(stage_of(scene, "testpypi")).state == "done"
        assert scene.served("testpypi") == scene.digests

    @pytest.mark.usefixtures("signatures_hold")
    def test_an_optional_test_pypi_may_not_refuse(self, scene: Scene) -> None:
        """Optional is for being down: a name that is burned there stops the release."""
        scene.policy(testpypi=TestPyPIPolicy.OPTIONAL)
        forget(scene.directory, "upload-testpypi", "smoke")
        scene.index("testpypi").burn_filename(SDIST)
        with pytest.raises(ReleaseError, match="a name is used once for ever"):
            scene.run(stage_of(scene, "testpypi"))

    def test_pypi_is_never_optional(self, scene: Scene) -> None:
        """The policy about Test PyPI says nothing about PyPI."""
        scene.policy(testpypi=TestPyPIPolicy.OPTIONAL)
        scene.standins.arm("pypi:downx99")
        with pytest.raises(ReleaseError, match="503"):
            scene.run(stage_of(scene))

    def test_a_pre_release_stays_on_test_pypi(self, scene: Scene) -> None:
        """Unless configured otherwise, and the reason is said."""
        (scene.root / "pyproject.toml").write_text(f'[project]\nname = "{NAME}"\nversion = "1.2.3rc1"\n', "utf-8")
        context = scene.context("upload")
        assert "pre-release" in UploadPyPI().exempt(context)
        assert UploadTestPyPI().exempt(context) == ""
        scene.policy(prerelease_to_pypi=True)
        assert UploadPyPI().exempt(scene.context("upload")) == ""


def test_the_uploader_needs_an_identity(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a CI job twine finds no identity; that is told apart from every refusal, and nobody is asked."""
    monkeypatch.setattr("hephaestus.stages.upload_gates.verify", believe)
    bare = {
        name: value
        for name, value in scene.world.children[ChildKind.UPLOADER].items()
        if not name.startswith(("ACTIONS_", "GITHUB_"))
    }
    scene.world = replace(scene.world, uploaders=dict.fromkeys(scene.world.uploaders, bare))
    with pytest.raises(ReleaseError, match="there is no OIDC identity here") as raised:
        scene.run(stage_of(scene))
    assert "id-token: write" in raised.value.next_step
    assert scene.sent("pypi") == []


def test_one_version_of_the_deadline(scene: Scene) -> None:
    """A half-finished upload names until when it can be completed, 14 days after the first file."""
    scene.publish("pypi", WHEEL, uploaded=scene.standins.clock() - 13 * DAY)
    _, plan = stage_of(scene)._plan(scene.context("upload"))
    assert plan.deadline is not None
    assert f"before {plan.deadline:%Y-%m-%d %H:%M} UTC" in plan.until(scene.standins.clock.now())
    assert 0 < (plan.deadline - scene.standins.clock.now()).total_seconds() <= DAY
    assert plan.version.public == VERSION
