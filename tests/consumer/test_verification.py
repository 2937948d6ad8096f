"""``hephaestus release verify`` over a release that is public on stand-ins: whole, and out of step in every way."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from consumer.conftest import Offline, Verify
from consumer.test_forgeries import as_attestation
from stages.releases import IDENTITY, SDIST, WHEEL
from stages.standins import ARCHIVE, TAG, Scene
from stages.test_verify import spoil

from hephaestus.cli import app
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.standins.index import StoredFile, views
from hephaestus.standins.sigstore import CarelessSigner

PINNED = "tiny-project==1.2.3"
RELEASE = f"release {TAG}"


@pytest.mark.parametrize("target", [PINNED, "folder", TAG])
def test_a_whole_release_is_verified(public: Scene, verify: Verify, target: str) -> None:
    """The version, the release directory and the GitHub Release of the tag: every fact passes, exit code 0."""
    words = {"folder": [public.directory.path], TAG: ["--tag", TAG]}.get(target, [target])
    code, out, err = verify(*words)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "FAIL" not in out
    assert lines[-1].startswith("verified: ")
    assert lines[-1].endswith(f"signer expected: {IDENTITY.certificate_identity}")
    for name in (WHEEL, SDIST, "SHA256SUMS", *([] if "==" in target else [ARCHIVE, "sbom.cdx.json"])):
        assert any(line.startswith(f"PASS   signature bundle of {name}: signed by o/r") for line in lines), name
    for name in (WHEEL, SDIST):
        assert f"PASS   manifest  {name}: its SHA-256 is that of SHA256SUMS" in lines
        if target == PINNED:
            assert f"PASS   pypi      {name}: its SHA-256 is that of SHA256SUMS" in lines
            assert f"PASS   testpypi  {name}: its SHA-256 is that of SHA256SUMS" in lines
            assert f"PASS   github    {name}: its SHA-256 is that of SHA256SUMS" in lines
    if target != TAG:
        assert any(line.startswith(f"PASS   signature attestation of {WHEEL}: ") for line in lines)


REFUSED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "yanked": ({"do": "yank"}, f"FAIL   pypi      {WHEEL}: it is yanked: broken"),
    "quarantined": (
        {"do": "status", "status": "quarantined"}, "FAIL   pypi      project tiny-project: it is quarantined"
    ),
    "file lost": ({"do": "lose", "file": SDIST}, f"ABSENT pypi      {SDIST}: it is not there"),
    "other bytes": ({"do": "other-bytes", "file": WHEEL}, f"FAIL   pypi      {WHEEL}: ours has sha256 "),
    "foreign file": ({"do": "foreign"}, "FAIL   pypi      tiny_project-1.2.3-1-py3-none-any.whl: is none of ours"),
    "no attestation": (
        {"do": "lose-attestations", "file": WHEEL}, f"ABSENT pypi      attestation of {WHEEL}: the index has none"
    ),
    "attested by another": (
        {"do": "another-identity", "file": WHEEL},
        f"FAIL   signature attestation of {WHEEL}: it was signed by another identity: repository mallory/r, not o/r",
    ),
    "no release": ({"do": "no-release"}, f"ABSENT github    {RELEASE}: there is no such release"),
    "draft": ({"do": "draft"}, f"ABSENT github    {RELEASE}: there is no such release"),
    "wrong flag": ({"do": "prerelease"}, f"FAIL   github    {RELEASE}: its pre-release flag is True"),
    "asset lost": ({"do": "lose-asset", "file": WHEEL}, f"ABSENT github    {WHEEL}: it is not there"),
    "asset of other bytes": ({"do": "asset-digest", "file": WHEEL}, f"FAIL   github    {WHEEL}: sha256 0000"),
    "asset half sent": ({"do": "starter", "file": SDIST}, f"ABSENT github    {SDIST}: its upload was never finished"),
    "manifest lost": ({"do": "lose-asset", "file": "SHA256SUMS"}, "ABSENT signature checksum manifest: there is none"),
    "manifest unsigned": (
        {"do": "lose-asset", "file": "SHA256SUMS.sigstore.json"}, "ABSENT signature bundle of SHA256SUMS: there is none"
    ),
    "other bytes on Test PyPI": (
        {"do": "other-bytes", "file": WHEEL, "index": "testpypi"}, f"FAIL   testpypi  {WHEEL}: ours has sha256 "
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_release_out_of_step_is_refused(
    name: str, public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each service out of step with the manifest is a line that says so, and exit code 1."""
    change, expected = REFUSED[name]
    spoil(public, change, monkeypatch)
    code, out, err = verify(PINNED)
    assert (code, err) == (1, "")
    assert any(line.startswith(expected) for line in out.splitlines()), out
    assert out.splitlines()[-1].startswith("NOT verified: ")


@pytest.mark.parametrize(
    "page",
    [{}, {"attestation_bundles": []}, {"attestation_bundles": None}, {"attestation_bundles": [{"attestations": []}]}],
)
def test_an_empty_provenance_fails(page: Any, public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that answers with a provenance of nothing has not attested anything; the public client passes on it."""
    monkeypatch.setattr("hephaestus.standins.index.views.provenance", lambda _file: page)
    code, out, _ = verify(PINNED)
    assert code == 1
    for file in (WHEEL, SDIST):
        assert f"FAIL   pypi      attestation of {file}: the provenance is empty: it holds no attestation" in out


def test_another_kind_of_attestation_is_passed_over(
    public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLSA provenance is told and not looked at beside an attestation that says who published; alone it fails."""
    token = public.standins.serving.issuer.token(IDENTITY, "sigstore")
    signer = CarelessSigner(public.standins.serving.sigstore, token, version=1)
    slsa = as_attestation(signer.attest({"predicateType": "https://slsa.dev/provenance/v1", "subject": []}))
    honest = views.provenance
    more = {"attestations": [slsa]}

    def both(file: StoredFile) -> dict[str, Any]:
        told = honest(file)
        return {**told, "attestation_bundles": [*told["attestation_bundles"], more]}

    monkeypatch.setattr(views, "provenance", both)
    code, out, _ = verify(PINNED)
    told = f"attestation of {WHEEL}: another kind of attestation, not looked at: https://slsa.dev/provenance/v1"
    assert f"ABSENT pypi      {told}" in out
    assert code == 0
    monkeypatch.setattr(views, "provenance", lambda _file: {"attestation_bundles": [more]})
    code, out, _ = verify(PINNED)
    assert f"ABSENT pypi      attestation of {WHEEL}: none of them says who published the file" in out
    assert code == 1
    monkeypatch.setattr(views, "provenance", lambda _file: {"attestation_bundles": [{"attestations": [[], {}, "x"]}]})
    code, out, _ = verify(PINNED)
    assert f"FAIL   signature attestation of {WHEEL}: it is no PEP 740 attestation" in out
    assert code == 1


@pytest.mark.parametrize(
    ("fault", "line", "code"),
    [
        ("pypi:downx99", "ABSENT pypi      index: not looked at: ", 1),
        ("github:503x99", "ABSENT github    releases: not looked at: ", 1),
        ("testpypi:downx99", "ABSENT testpypi  index: not looked at: ", 0),
    ],
)
def test_a_silent_service_is_said_so(fault: str, line: str, code: int, public: Scene, verify: Verify) -> None:
    """What could not be asked is ABSENT with the reason; only Test PyPI, where nothing need be, may be silent."""
    public.standins.arm(fault)
    found, out, err = verify(PINNED)
    assert (found, err) == (code, "")
    assert any(told.startswith(line) for told in out.splitlines()), out


def test_a_github_that_does_not_answer_is_said_so(public: Scene, verify: Verify) -> None:
    """Nothing of a GitHub Release can be looked at while GitHub is down."""
    public.standins.arm("github:503x99")
    code, out, err = verify("--tag", TAG)
    assert (code, err) == (1, "")
    assert out.startswith("ABSENT github    releases: not looked at: ")


def test_a_tag_that_is_no_version(public: Scene, verify: Verify) -> None:
    """Any tag can be asked for; no version in it says how the release should be flagged."""
    code, out, err = verify("--tag", "nightly")
    assert (code, err) == (1, "")
    assert out.startswith("ABSENT github    release nightly: there is no such release\n")


def test_an_index_that_serves_other_bytes_than_it_shows(public: Scene, verify: Verify) -> None:
    """What arrives is held against the index's own page, too; of such a file nothing else is said to hold."""
    public.standins.arm("pypi:wrong-bytes")
    code, out, err = verify(PINNED)
    assert (code, err) == (1, "")
    assert any(line.startswith(f"FAIL   pypi      {WHEEL}: ") and "SHA-256 is" in line for line in out.splitlines()), (
        out
    )
    assert f"PASS   signature attestation of {WHEEL}" not in out


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"do": "status", "status": "archived"}, "PASS   pypi      project tiny-project: it is archived"),
        ({"do": "lose", "file": WHEEL, "index": "testpypi"}, f"ABSENT testpypi  {WHEEL}: it is not there"),
        ({"do": "yank", "index": "testpypi"}, f"PASS   testpypi  {WHEEL}: its SHA-256 is that of SHA256SUMS\n"),
    ],
)
def test_what_says_nothing_against_a_release(
    change: Mapping[str, Any], line: str, public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archived project, a file that left Test PyPI, a yank there: the release is verified all the same."""
    spoil(public, change, monkeypatch)
    code, out, _ = verify(PINNED)
    assert line in out
    assert code == 0


@pytest.mark.parametrize(
    ("pinned", "reason"),
    [("tiny-project==9.9", "the index has no such version"), ("nobodys==1.0", "the index has no such project")],
)
def test_what_is_not_there_is_not_verified(pinned: str, reason: str, public: Scene, verify: Verify) -> None:
    """A version or project that nobody released is ABSENT everywhere, and exit code 1."""
    code, out, err = verify(pinned)
    assert (code, err) == (1, "")
    assert f"ABSENT pypi      {pinned}: {reason}" in out
    assert "ABSENT github    release v" in out


def test_a_repository_that_is_not_there_is_said_so(public: Scene, verify: Verify) -> None:
    """GitHub knows no such repository: the release cannot be looked at, and what PyPI serves was signed by others."""
    code, out, _ = verify(PINNED, repository="o/elsewhere")
    assert code == 1
    assert "ABSENT github    releases: not looked at: " in out
    assert "repository o/r, not o/elsewhere" in out


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_sees_what_takes_long(public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal downloads and signatures are announced on standard error; the facts stay as they are."""
    _, quiet, _ = verify(PINNED)

    def on_a_terminal(words: list[str]) -> tuple[int, str, str]:
        out, screen = io.StringIO(), Screen()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", screen)
            with pytest.raises(SystemExit) as ended:
                app(["release", "verify", *words], prog_name="hephaestus")
        return int(ended.value.code or 0), out.getvalue(), screen.getvalue()

    monkeypatch.setitem(verify.__globals__, "told", on_a_terminal)  # type: ignore[attr-defined]
    code, out, err = verify(PINNED)
    assert (code, out) == (0, quiet)
    assert f"downloading {WHEEL} (" in err
    assert "\r\x1b[K  verify: " in err
    assert err.endswith("  verifying 5 signatures\n")


def test_a_token_shows_drafts_and_a_wrong_one_nothing(
    public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GITHUB_TOKEN goes to GitHub: with it a draft is seen to be one, a wrong one is told, and none is ever shown."""
    spoil(public, {"do": "draft"}, monkeypatch)
    for token, told in ((public.world.github.token, "it is a draft"), ("ghp_" + "x" * 36, "not looked at: ")):
        monkeypatch.setenv("GITHUB_TOKEN", token)
        code, out, err = verify(PINNED)
        assert code == 1
        assert told in out
        assert token not in out + err
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("GH_TOKEN", public.world.github.token)
    assert "it is a draft" in verify(PINNED)[1]
    monkeypatch.setenv("GITHUB_TOKEN", " ")
    code, out, err = verify(PINNED)
    assert (code, out) == (1, "")
    assert "it is blank" in err


GITHUB: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "no release": ({"do": "no-release"}, f"ABSENT github    {RELEASE}: there is no such release"),
    "wrong flag": ({"do": "prerelease"}, f"FAIL   github    {RELEASE}: its pre-release flag is True"),
    "asset lost": ({"do": "lose-asset", "file": WHEEL}, f"ABSENT manifest  {WHEEL}: SHA256SUMS lists it, but"),
    "other bytes": ({"do": "asset-digest", "file": ARCHIVE}, f"FAIL   github    {ARCHIVE}: "),
    "half sent": ({"do": "starter", "file": SDIST}, f"ABSENT github    {SDIST}: its upload was never finished"),
    "bundle lost": (
        {"do": "lose-asset", "file": f"{ARCHIVE}.sigstore.json"}, f"ABSENT signature bundle of {ARCHIVE}: there is none"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GITHUB)
def test_a_github_release_out_of_step_is_refused(
    name: str, public: Scene, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GitHub Release that lacks something, or serves something else, is refused; everything else is still told."""
    change, expected = GITHUB[name]
    spoil(public, change, monkeypatch)
    code, out, err = verify("--tag", TAG)
    assert (code, err) == (1, "")
    assert any(line.startswith(expected) for line in out.splitlines()), out
    assert ("PASS" in out) == (name != "no release")


@pytest.mark.parametrize("twin", ["sha256sums", "SHA256SUMS"])
def test_assets_that_could_be_taken_for_one_another_are_refused(public: Scene, verify: Verify, twin: str) -> None:
    """Of two names that differ only in case, or not at all, each could pass for the other."""
    assets = public.standins.github._store.repository.releases[0].assets
    assets.append(replace(next(asset for asset in assets if asset.name == "SHA256SUMS"), name=twin))
    code, out, _ = verify("--tag", TAG)
    assert code == 1
    assert f"FAIL   github    {twin}: there is also SHA256SUMS" in out


def test_an_asset_name_that_leaves_the_folder_is_refused(public: Scene, verify: Verify) -> None:
    """A name with a path in it is never written to, and fails the release."""
    assets = public.standins.github._store.repository.releases[0].assets
    next(asset for asset in assets if asset.name == "sbom.cdx.json").name = "../sbom.cdx.json"
    code, out, _ = verify("--tag", TAG)
    assert code == 1
    assert "FAIL   github    ../sbom.cdx.json: it is not a plain file name" in out


@pytest.fixture
def folder(signed_release: ReleaseDirectory, tmp_path: Path) -> Path:
    """A copy of the release directory."""
    return Path(shutil.copytree(signed_release.path, tmp_path / "release"))


def test_a_foreign_file_in_a_folder_is_refused(folder: Path, offline: Offline) -> None:
    """What stands in no manifest and has no signature is told twice: by the receipts, and as unsigned."""
    (folder / "dist" / "tiny_project-1.2.3-cp311-cp311-win32.whl").write_bytes(b"who knows")
    code, out, _ = offline(folder)
    assert code == 1
    assert "FAIL   receipts  dist/tiny_project-1.2.3-cp311-cp311-win32.whl: is not in the manifest" in out
    assert "ABSENT signature bundle of tiny_project-1.2.3-cp311-cp311-win32.whl: there is none" in out


def test_links_and_missing_files_are_refused(folder: Path, offline: Offline) -> None:
    """A link is no file of a release, and a listed file that is gone is missed by manifest and receipts."""
    wheel = folder / "dist" / WHEEL
    wheel.rename(folder.parent / WHEEL)
    code, out, _ = offline(folder)
    assert code == 1
    assert f"ABSENT manifest  {WHEEL}: SHA256SUMS lists it, but it is not there" in out
    assert f"ABSENT signature {WHEEL}: signed, but not there" in out
    wheel.symlink_to(folder.parent / WHEEL)
    code, out, _ = offline(folder)
    assert code == 1
    assert f"FAIL   {WHEEL}: is a link or a special file, not a regular file" in out


def test_damaged_receipts_are_refused(folder: Path, offline: Offline) -> None:
    """A receipt that was edited proves nothing, and is no traceback."""
    receipt = folder / "receipts" / "build.json"
    receipt.write_text(receipt.read_text(encoding="utf-8").replace("1.2.3", "1.2.4"), encoding="utf-8")
    code, out, err = offline(folder)
    assert (code, err) == (1, "")
    assert "FAIL   receipts  receipts: " in out


def test_a_folder_that_proves_nothing_is_refused(tmp_path: Path, offline: Offline) -> None:
    """An empty folder, and files without checksums and signatures, are not verified: nothing is no proof."""
    code, out, _ = offline(tmp_path, "--tag", TAG)
    assert code == 1
    assert "ABSENT signature checksum manifest: there is none" in out
    (tmp_path / WHEEL).write_bytes(b"a wheel")
    code, out, _ = offline(tmp_path)
    assert code == 1
    assert f"ABSENT signature bundle of {WHEEL}: there is none" in out


def test_a_signed_list_vouches_for_its_files(folder: Path, offline: Offline, tmp_path: Path) -> None:
    """A file without a bundle is proven by its attestation, or by the signed SHA256SUMS that lists it."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in (f"dist/{WHEEL}", f"dist/{SDIST}", "SHA256SUMS", "bundles/SHA256SUMS.sigstore.json"):
        shutil.copy(folder / name, flat)
    code, out, _ = offline(flat)
    assert f"ABSENT signature bundle of {WHEEL}: there is none; SHA256SUMS, which lists it, is signed" in out
    assert code == 0
    (flat / "SHA256SUMS.sigstore.json").unlink()
    assert offline(flat)[0] == 1
    for name in (WHEEL, SDIST):
        shutil.copy(folder / "attestations" / f"{name}.publish.attestation", flat)
    code, out, _ = offline(flat / WHEEL, flat / SDIST)
    assert f"ABSENT signature bundle of {WHEEL}: there is none; its attestation holds" in out
    assert code == 0


def test_a_wheelhouse_folder(folder: Path, offline: Offline, tmp_path: Path) -> None:
    """An archive with its checksum and its bundle is enough; its checksum alone is not."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in (ARCHIVE, f"{ARCHIVE}.sha256"):
        shutil.copy(folder / "wheelhouse" / name, flat)
    code, out, _ = offline(flat)
    assert code == 1
    assert f"ABSENT signature bundle of {ARCHIVE}: there is none" in out
    shutil.copy(folder / "bundles" / f"{ARCHIVE}.sigstore.json", flat / f"{ARCHIVE}.sigstore")
    code, out, _ = offline(flat)
    assert f"PASS   manifest  {ARCHIVE}: its SHA-256 is that of {ARCHIVE}.sha256" in out
    assert code == 0


def test_the_facts_as_json(folder: Path, offline: Offline) -> None:
    """The same facts for programs, with the identity expected and the verdict of the whole."""
    code, out, err = offline(folder, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["schema"], told["verified"]) == (1, True)
    assert told["identity"]["subject"] == IDENTITY.certificate_identity
    assert {fact["state"] for fact in told["facts"]} == {"PASS"}
    assert {"state", "place", "subject", "reason", "required"} == set(told["facts"][0])
    (folder / "dist" / WHEEL).write_bytes(b"other")
    code, out, _ = offline(folder, "--json")
    assert (code, json.loads(out)["verified"]) == (1, False)


def test_a_renamed_older_release_is_refused(folder: Path, offline: Offline, tmp_path: Path) -> None:
    """A file of 1.2.3 that calls itself 1.2.4 was not signed at the tag of 1.2.4."""
    newer = tmp_path / WHEEL.replace("1.2.3", "1.2.4")
    shutil.copy(folder / "dist" / WHEEL, newer)
    shutil.copy(folder / "bundles" / f"{WHEEL}.sigstore.json", f"{newer}.sigstore.json")
    code, out, _ = offline(newer)
    assert code == 1
    assert "ref refs/tags/v1.2.3, not refs/tags/v1.2.4" in out


def test_a_bundle_from_elsewhere(folder: Path, offline: Offline) -> None:
    """``--bundle`` names the bundle of the one file; that of another file does not prove it."""
    file = folder / "dist" / WHEEL
    assert offline(file)[0] == 1
    assert offline(file, "--bundle", folder / "bundles" / f"{WHEEL}.sigstore.json")[0] == 0
    code, out, _ = offline(file, "--bundle", folder / "bundles" / f"{SDIST}.sigstore.json")
    assert code == 1
    assert "of another file" in out
