"""The upload stages: unmodified twine against the stand-ins, Trusted Publishing and attestations included."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import pytest
from examples.collector import Case, cases, holds
from stages.releases import NAME, SDIST, VERSION, WHEEL, Spoilt, wheel
from stages.standins import Scene, Standins, edit_receipt, forget, make_scene, sha256

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.stages.upload import PASSED_OVER, UploadPyPI, UploadStage, UploadTestPyPI
from hephaestus.stages.verification import Proof
from hephaestus.standins.index.service import Index
from hephaestus.standins.index.upload import Uploads
from hephaestus.worlds.world import ChildKind, TestPyPIPolicy

BUILD_TAGGED = "tiny_project-1.2.3-1-py3-none-any.whl"
OLD_SDIST = "tiny-project-1.2.3.tar.gz"
DAY = 24 * 3600.0


def believe(_context: object, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Every attestation holds: the answer of the worker, without its second of imports."""
    return [
        {"file": one.file.name, "proof": one.proof.name, "kind": one.kind, "ok": True, "log_index": 1} for one in proofs
    ]


@pytest.fixture
def signatures_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's verification is believed: that it refuses is proved on its own."""
    monkeypatch.setattr("hephaestus.stages.upload.verify", believe)


def stage_of(scene: Scene, index: str = "pypi", *, patience: float = 60.0) -> UploadStage:
    """A stage that waits in the stand-ins' time."""
    kind = {"pypi": UploadPyPI, "testpypi": UploadTestPyPI}[index]
    clock = scene.standins.clock
    return kind(sleep=scene.sleep, clock=clock.now, monotonic=clock, patience=patience)


def other_wheel(scene: Scene, name: str) -> Path:
    """A wheel of the same version with other bytes."""
    folder = scene.root / "others"
    folder.mkdir(exist_ok=True)
    _, content = wheel(Spoilt(filename=name, description="Other bytes.\n"), folder)
    (folder / name).write_bytes(content)
    return folder / name


def hide(index: Index, filename: str) -> None:
    """Let the simple page not show a file for a long time."""
    with index._store.change() as state:
        state.files[filename] = replace(state.files[filename], hidden=10_000)


def before(scene: Scene, index: str, change: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring one index into the state an example asks for."""
    behind = scene.index(index)
    match change["do"]:
        case "publish":
            scene.publish(index, *change.get("files", ()), uploaded=scene.standins.clock() - change.get("age", 0))
        case "other-bytes":
            behind.seed(other_wheel(scene, WHEEL), owner="o/r")
        case "foreign":
            behind.seed(other_wheel(scene, BUILD_TAGGED), owner="o/r")
        case "same-bytes":
            copy = scene.root / BUILD_TAGGED
            shutil.copyfile(scene.directory.dist / WHEEL, copy)
            behind.seed(copy, owner="o/r")
        case "another-sdist":
            copy = scene.root / OLD_SDIST
            shutil.copyfile(scene.directory.dist / SDIST, copy)
            with copy.open("ab") as stream:
                stream.write(b"\0" * 512)
            behind.seed(copy, owner="o/r")
        case "hide":
            hide(behind, change["file"])
        case "burn":
            behind.burn_filename(change["file"])
        case "status":
            behind.set_status(NAME, change["status"], change.get("reason", ""))
        case "read-only":
            behind.set_read_only(read_only=True)
        case "no-publisher":
            behind._publishing._publishers = ()
        case "time":
            scene.standins.clock.ahead += change["days"] * DAY
        case "our-clock-is-behind":
            monkeypatch.setattr("hephaestus.services.plan.COMPLETION_DAYS", 3000)
        case "unknown-authority":
            uploaders = {
                name: {**environment, "REQUESTS_CA_BUNDLE": certifi.where(), "SSL_CERT_FILE": certifi.where()}
                for name, environment in scene.world.uploaders.items()
            }
            scene.world = replace(scene.world, uploaders=uploaders)
        case "swallow":
            monkeypatch.setattr(Uploads, "accept", lambda *_: None)
        case "lose-attestations":
            monkeypatch.setattr("hephaestus.standins.index.upload.accept_attestations", lambda *_, **__: ())
        case "lie":
            from hephaestus.standins.index import simple

            honest = simple._entry
            monkeypatch.setattr(simple, "_entry", lambda *given: {**honest(*given), "hashes": {"sha256": "0" * 64}})
        case other:
            raise ValueError(f"nothing known to do: {other}")


def heal(scene: Scene, index: str) -> None:
    """Take the trouble away: no fault, no read-only mode, nothing hidden, the project active."""
    scene.standins.arm()
    behind = scene.index(index)
    behind.set_read_only(read_only=False)
    if behind.project(NAME) is not None:
        behind.set_status(NAME, "active")
    with behind._store.change() as state:
        for name, file in list(state.files.items()):
            state.files[name] = replace(file, hidden=0)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def never_other_bytes(scene: Scene, index: str) -> None:
    """Assert that every upload there ever was had the bytes of dist/, and that no other file was sent."""
    assert {(one.filename, one.sha256) for one in scene.sent(index)} <= set(scene.digests.items())


@pytest.mark.usefixtures("signatures_hold")
@pytest.mark.parametrize("case", cases("upload"), ids=str)
def test_upload_refuses(case: Case, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that cannot be finished says how far it came and what to do; nothing is lost, no other byte is sent.

    Where the example says so, the same command completes once the trouble has passed, sending nothing twice that
    had arrived.
    """
    index = case.change.get("index", "pypi")
    if index == "testpypi":
        forget(scene.directory, "upload-testpypi", "smoke")
    for change in case.change.get("before", ()):
        before(scene, index, change, monkeypatch)
    if silence := case.change.get("silence"):
        monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", silence)
    scene.standins.arm(*case.change.get("faults", ()))
    held, had = files_of(scene.directory.path), scene.served(index)
    with pytest.raises(ReleaseError) as raised:
        scene.run(stage_of(scene, index, patience=case.change.get("patience", 60.0)))
    holds(case, raised.value)
    assert "\x1b" not in str(raised.value)
    assert 'File "' not in str(raised.value), "a tool's traceback is shown to people"
    assert "not known to this suite" not in str(raised.value)
    assert files_of(scene.directory.path) == held
    never_other_bytes(scene, index)
    assert set(had.items()) <= set(scene.served(index).items())
    if "sends" in case.change:
        assert len(scene.sent(index)) == case.change["sends"], scene.sent(index)
    if case.change.get("completes"):
        arrived = {one.filename for one in scene.sent(index) if one.stored}
        count = len(scene.sent(index))
        heal(scene, index)
        monkeypatch.undo()
        monkeypatch.setattr("hephaestus.stages.upload.verify", believe)
        outcome = scene.run(stage_of(scene, index))
        assert outcome.state == "done"
        assert scene.served(index) == scene.digests
        assert {one.filename for one in scene.sent(index)[count:]} == set(scene.digests) - arrived - set(had)
        never_other_bytes(scene, index)


class TestUpload:
    """What an upload that goes well does, trouble on the way included."""

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
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("pypi:503@2x6", "failed to take it"),
            ("pypi:stored-500", ""),
            ("pypi:stored-500@2", ""),
            ("pypi:reset", ""),
            ("pypi:403", "takes no uploads at the moment"),
            ("pypi:oidc-off", "switched off"),
            ("pypi:lag=3", ""),
            ("pypi:simple-503x2", ""),
            ("pypi:simple-hang", ""),
            ("pypi:token-expired@2", ""),
        ],
    )
    def test_passing_trouble_is_ridden_out(
        self, scene: Scene, fault: str, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One command ends with every file there once; what was stored is known again by its hash, never sent anew."""
        monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", 0.3)
        scene.standins.arm(fault)
        assert scene.run(stage_of(scene)).state == "done"
        assert scene.served("pypi") == scene.digests
        assert words in scene.said()
        never_other_bytes(scene, "pypi")
        assert sum(one.stored for one in scene.sent("pypi")) == len(scene.digests)

    @pytest.mark.usefixtures("signatures_hold")
    @pytest.mark.parametrize("fault", ["stored-reset", "stored-reset@2"])
    def test_a_connection_cut_after_the_last_byte_is_settled_by_asking(
        self, scene: Scene, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file has arrived though no answer came: it is found by its hash and not sent again."""
        monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", 0.3)
        scene.standins.arm(f"pypi:{fault}")
        assert scene.run(stage_of(scene)).state == "done"
        assert scene.served("pypi") == scene.digests
        stored = [one.filename for one in scene.sent("pypi") if one.size]
        assert sorted(stored) == sorted(scene.digests)

    @pytest.mark.usefixtures("signatures_hold")
    def test_only_what_is_missing_is_sent(self, scene: Scene) -> None:
        """What an earlier attempt left on the index is not sent again; the receipt tells the two apart."""
        stage = stage_of(scene)
        scene.standins.arm("pypi:503@2x99")
        with pytest.raises(ReleaseError):
            scene.run(stage)
        scene.standins.arm()
        count = len(scene.sent("pypi"))
        outcome = scene.run(stage)
        assert [one.filename for one in scene.sent("pypi")[count:]] == [SDIST]
        assert outcome.receipt is not None
        states = {file["file"]: file["state"] for file in outcome.receipt.evidence["files"]}
        assert states == {WHEEL: "already there", SDIST: "uploaded"}

    @pytest.mark.usefixtures("signatures_hold")
    def test_a_file_that_vanishes_from_the_index_is_noticed_by_the_next_run(self, scene: Scene) -> None:
        """The receipt alone does not make an upload done: the index is asked, and a file it lost cannot come back."""
        scene.run(stage_of(scene))
        scene.index("pypi").burn_filename(WHEEL)
        with pytest.raises(ReleaseError, match="a name is used once for ever"):
            scene.run(stage_of(scene))
        assert "shows 1 of 2 files" in scene.said()


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
    monkeypatch.setattr("hephaestus.stages.upload.verify", believe)
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
    assert 0 < (plan.deadline - scene.standins.clock.now()).total_seconds() <= DAY
    assert plan.version.public == VERSION
