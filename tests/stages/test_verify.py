"""verify: every service held against the manifest, each kind of line, and the way on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from examples.collector import Case, cases, holds
from stages.releases import IDENTITY, NAME, SDIST, VERSION, WHEEL, signatures
from stages.standins import ARCHIVE, TAG, Scene

from hephaestus.consumer.verdict import State
from hephaestus.release.errors import ReleaseError
from hephaestus.stages.github_release import GitHubReleaseStage
from hephaestus.stages.verify import NotVerifiedError, VerifyStage
from hephaestus.standins.github.store import StoredRelease
from hephaestus.standins.index import StoredFile, simple
from hephaestus.worlds.world import TestPyPIPolicy

Results = list[dict[str, Any]]


@pytest.fixture
def public(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The whole release on both indexes, with its attestations, and published on GitHub."""
    for index in ("testpypi", "pypi"):
        scene.publish(index)
        attest(scene, index, scene.digests)
    with monkeypatch.context() as patch:
        patch.setattr("hephaestus.stages.github_release.verify", believe)
        scene.run(GitHubReleaseStage())
    return scene


def believe(_context: object, proofs: Any) -> Results:
    """Everything holds, but for what says in its name that it does not."""
    return [
        {"file": one.file.name, "proof": one.proof.name, "kind": one.kind, "ok": True, "log_index": 1, "reason": ""}
        for one in proofs
    ]


def attest(scene: Scene, index: str, names: Any, *, signed: Mapping[str, bytes] | None = None) -> None:
    """Have an index serve attestations of ours for files it has."""
    behind = scene.index(index)
    publisher = behind._publishing._publishers[0]
    with behind._store.change() as state:
        for name in names:
            path = f"attestations/{name}.publish.attestation"
            content = signed[path] if signed else (scene.directory.path / path).read_bytes()
            state.files[name] = replace(state.files[name], attestations=(json.loads(content),), publisher=publisher)


def released(scene: Scene) -> StoredRelease:
    """The release as GitHub keeps it."""
    return scene.standins.github._store.repository.releases[0]


def spoil(scene: Scene, change: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring one service out of step with the manifest."""
    index = scene.index(change.get("index", "pypi"))
    match change["do"]:
        case "lose":
            index.burn_filename(change["file"])
        case "yank":
            index.yank(NAME, VERSION, "broken")
        case "status":
            index.set_status(NAME, change["status"])
        case "lose-attestations":
            with index._store.change() as state:
                state.files[change["file"]] = replace(state.files[change["file"]], attestations=())
        case "another-identity":
            identity = replace(IDENTITY, repository="mallory/r")
            signed = signatures(scene.directory, scene.standins.serving, identity=identity)
            attest(scene, change.get("index", "pypi"), [change["file"]], signed=signed)
        case "other-bytes":
            honest = simple._entry

            def lie(file: StoredFile, *rest: Any) -> dict[str, Any]:
                told = honest(file, *rest)
                return {**told, "hashes": {"sha256": "0" * 64}} if file.filename == change["file"] else told

            monkeypatch.setattr(simple, "_entry", lie)
        case "foreign":
            from stages.uploads import BUILD_TAGGED, other_wheel

            index.seed(other_wheel(scene, BUILD_TAGGED))
        case "draft":
            released(scene).draft = True
        case "no-release":
            scene.standins.github._store.repository.releases.clear()
        case "prerelease":
            released(scene).prerelease = True
        case "lose-asset":
            release = released(scene)
            release.assets = [asset for asset in release.assets if asset.name != change["file"]]
        case "starter":
            asset = released(scene).asset_named(change["file"])
            assert asset is not None
            asset.state = "starter"
        case "asset-digest":
            asset = released(scene).asset_named(change["file"])
            assert asset is not None
            asset.digest = f"sha256:{'0' * 64}"
        case other:
            raise ValueError(f"nothing known to do: {other}")


def lines_of(error: NotVerifiedError) -> list[tuple[str, str, str]]:
    """State, place and subject of every line that does not hold."""
    found = [line.split(maxsplit=2) for line in error.details]
    return [(state, where, rest.split(": ")[0]) for state, where, rest in found if state != State.PASS]


def test_a_complete_release_passes_line_by_line(public: Scene) -> None:
    """Files on both indexes, attestations, bundles, assets: all PASS, verified for real; again: asked and skipped."""
    outcome = public.run(VerifyStage())
    assert outcome.receipt is not None
    lines = outcome.receipt.evidence["lines"]
    assert {line["state"] for line in lines} == {State.PASS}
    found = {(line["place"], line["subject"]) for line in lines}
    for index in ("testpypi", "pypi"):
        assert {(index, name) for name in (WHEEL, SDIST)} <= found
        assert {(index, f"attestation of {name}") for name in (WHEEL, SDIST)} <= found
    assert {("github", f"release {TAG}"), ("github", ARCHIVE), ("github", "SHA256SUMS")} <= found
    assert ("bundles", f"{ARCHIVE}.sigstore.json") in found
    assert public.run(VerifyStage()).state == "skipped"


def test_an_asset_that_is_none_of_ours_is_a_line_that_fails(public: Scene) -> None:
    """Put on the published release by somebody else, it is served beside ours to whoever takes what matches."""
    kept = released(public)
    kept.assets = [replace(kept.assets[0], name="a-wheelhouse.tar.gz"), *kept.assets]
    with pytest.raises(NotVerifiedError) as caught:
        public.run(VerifyStage())
    assert lines_of(caught.value) == [("FAIL", "github", "a-wheelhouse.tar.gz")]
    assert "promote nothing" in caught.value.next_step


@pytest.mark.parametrize("case", cases("verify"), ids=str)
def test_verify_refuses(case: Case, public: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service out of step is a line of its own, with its state, and the next command fits; no receipt is left."""
    if not case.change.get("for_real"):
        monkeypatch.setattr("hephaestus.stages.verify.verify", believe)
    for change in case.change.get("after", ()):
        spoil(public, change, monkeypatch)
    public.standins.arm(*case.change.get("faults", ()))
    with pytest.raises(ReleaseError) as raised:
        public.run(VerifyStage())
    holds(case, raised.value)
    assert isinstance(raised.value, NotVerifiedError)
    assert lines_of(raised.value) == [tuple(line) for line in case.change["lines"]]
    assert public.directory.receipt("verify") is None


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"do": "yank"}, "it is yanked"),
        ({"do": "draft"}, "it is a draft"),
        ({"do": "lose", "file": SDIST}, SDIST),
        ({"do": "asset-digest", "file": WHEEL}, "the manifest says"),
    ],
)
def test_a_release_that_changed_since_is_not_skipped(
    public: Scene, spoiled: Mapping[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receipt of yesterday proves nothing about what is served today."""
    monkeypatch.setattr("hephaestus.stages.verify.verify", believe)
    public.run(VerifyStage())
    spoil(public, spoiled, monkeypatch)
    with pytest.raises(NotVerifiedError, match=said):
        public.run(VerifyStage())


def test_only_required_indexes_are_asked(public: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where policy makes Test PyPI optional, its silence says nothing against the release."""
    monkeypatch.setattr("hephaestus.stages.verify.verify", believe)
    public.policy(testpypi=TestPyPIPolicy.OPTIONAL)
    public.standins.arm("testpypi:downx99")
    assert public.run(VerifyStage()).state == "done"


def test_nothing_built_is_refused(scene: Scene) -> None:
    """There must be a manifest to hold the services against."""
    for receipt in (scene.directory.path / "receipts").iterdir():
        receipt.unlink()
    with pytest.raises(ReleaseError, match="nothing was built") as raised:
        scene.run(VerifyStage())
    assert "nox -s build" in raised.value.next_step


@pytest.mark.parametrize(
    "page",
    [{}, {"attestation_bundles": None}, {"attestation_bundles": [1]}, {"attestation_bundles": [{"attestations": {}}]}],
)
def test_a_provenance_without_attestations_is_absent(public: Scene, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or misshapen provenance proves nothing, and is no traceback."""
    monkeypatch.setattr("hephaestus.stages.verify.verify", believe)
    monkeypatch.setattr("hephaestus.standins.index.views.provenance", lambda _file: page)
    with pytest.raises(NotVerifiedError) as raised:
        public.run(VerifyStage())
    absent = [line for line in lines_of(raised.value) if line[0] == State.ABSENT]
    assert {line[1:] for line in absent} == {
        (index, f"attestation of {name}") for index in ("testpypi", "pypi") for name in (WHEEL, SDIST)
    }
    assert State.FAIL not in {line[0] for line in lines_of(raised.value)}
