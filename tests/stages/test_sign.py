"""sign: complete or nothing, verified at once, kept when it holds, refused when it cannot be true any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stages.conftest import plain_world
from stages.releases import PROJECT, SDIST, WHEEL, Spoilt, build, put, sdist, signatures, signing_world, wheel
from stages.standins import ARCHIVE as HOUSE
from stages.standins import archived

from hephaestus.release.errors import GateRefused
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.sign import SealedSignaturesError, SignDistributions, SignedWronglyError, SignWheelhouse
from hephaestus.stages.sign_answers import IdentityMissingError, SigningServiceError
from hephaestus.stages.stage import Context, Options, Stage
from hephaestus.standins.sigstore import Serving
from hephaestus.worlds.world import ChildKind

Arm = Callable[..., None]
BUNDLES = {f"bundles/{name}.sigstore.json" for name in (WHEEL, SDIST, "SHA256SUMS")}
ATTESTATIONS = {f"attestations/{name}.publish.attestation" for name in (WHEEL, SDIST)}


@pytest.fixture
def built(
    commit: Callable[..., Path],
    context_of: Callable[..., Context],
    standin_sigstore: Serving,
    empty_index: str,
    tmp_path: Path,
) -> Context:
    """A release that build has left, for the signer of the right workflow."""
    world = signing_world(plain_world(tmp_path, simple=empty_index), standin_sigstore)
    context = context_of(commit(PROJECT), lock="sign", world=world)
    build(context, dict([wheel(Spoilt(), tmp_path), sdist(Spoilt(), PROJECT)]))
    return context


@pytest.fixture
def signed(built: Context, standin_sigstore: Serving) -> Context:
    """A release with signatures that hold, made in this process, under a receipt of another key."""
    put(built.directory, "sign", signatures(built.directory, standin_sigstore))
    return built


def sign(context: Context, stage: Stage | None = None) -> Outcome:
    return run_stage(stage or SignDistributions(), context, recorder=context.environment)  # type: ignore[arg-type]


def nobody(context: Context) -> Context:
    """The same context without any identity: signing again is impossible."""
    children = {**context.world.children, ChildKind.SIGNER: context.world.children[ChildKind.PROBE]}
    return replace(context, world=replace(context.world, children=children))


def contents(context: Context) -> dict[str, bytes]:
    return {path: (context.directory.path / path).read_bytes() for path in BUNDLES | ATTESTATIONS}


def forget(context: Context, stage: str = "sign") -> None:
    (context.directory.path / "receipts" / f"{stage}.json").unlink()


def signing_commands(context: Context) -> list[str]:
    lines: list[str] = context.narrator.lines  # type: ignore[attr-defined]
    return [line for line in lines if " sign " in line or "attest.py" in line]


def test_everything_is_signed_once_and_a_second_run_skips(built: Context) -> None:
    """Each distribution gets bundle and attestation, SHA256SUMS a bundle; the same inputs sign nothing again."""
    outcome = sign(built)
    assert outcome.receipt is not None
    assert set(outcome.receipt.outputs) == BUNDLES | ATTESTATIONS
    evidence = outcome.receipt.evidence
    assert evidence["state"] == "signed"
    assert evidence["identity"] == "https://github.com/o/r/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3"
    assert all(signature["log_index"] is not None for signature in evidence["signatures"])
    assert sorted(path.name for path in built.directory.dist.iterdir()) == sorted([WHEEL, SDIST])
    assert not list(built.directory.path.glob(".staged"))
    before = len(signing_commands(built))
    assert sign(built).state == "skipped"
    assert len(signing_commands(built)) == before


def test_the_receipt_holds_no_port_and_no_path_of_this_machine(
    built: Context, standin_sigstore: Serving, tmp_path: Path
) -> None:
    """What is kept of the commands can be repeated elsewhere: addresses and folders have stable names."""
    world = replace(built.world, addresses={str(standin_sigstore.trust_config): "<trust>"})
    sign(replace(built, world=world))
    text = (built.directory.path / "receipts" / "sign.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert standin_sigstore.url not in text
    assert json.loads(text)["commands"][1][3:5] == ["--trust-config", "<trust>"]


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_log_that_fails_at_any_file_leaves_nothing(built: Context, sigstore_faults: Arm, at: int) -> None:
    """Rekor failing at the first, a later or an attested file keeps none, and the directory is whole."""
    sigstore_faults(f"sigstore:rekor-500@{at}x99")
    with pytest.raises(SigningServiceError, match=r"\(Rekor\) failed") as raised:
        sign(built)
    assert "Traceback" not in str(raised.value)
    assert not any("File " in detail for detail in raised.value.details)
    assert not (built.directory.path / "bundles").exists()
    assert not (built.directory.path / "attestations").exists()
    assert built.directory.receipt("sign") is None
    assert built.directory.damage() == []


@pytest.mark.parametrize("fault", ["oidc:expired-token", "oidc:expired-token@2"])
def test_an_expired_identity_is_asked_for_again_once(built: Context, sigstore_faults: Arm, fault: str) -> None:
    """A token that expired before the bundles or before the attestations costs a second attempt, not the release."""
    sigstore_faults(fault)
    assert sign(built).state == "done"
    assert "! " not in "".join(built.narrator.lines)  # type: ignore[attr-defined]
    assert "the identity expired meanwhile; once more with a fresh one" in built.narrator.lines  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", ["oidc:expired-tokenx99", "oidc:500x99", "oidc:htmlx99", "oidc:wrong-audiencex99"])
def test_an_identity_provider_that_fails_is_named(built: Context, sigstore_faults: Arm, fault: str) -> None:
    """Trouble of the issuer is told as its own, in a sentence."""
    sigstore_faults(fault)
    with pytest.raises(SigningServiceError, match="identity provider"):
        sign(built)


@pytest.mark.parametrize("fault", ["wrong-inclusion-proof", "wrong-checkpoint-key", "self-signed"])
def test_what_a_lying_service_signed_is_not_kept(built: Context, sigstore_faults: Arm, fault: str) -> None:
    """Forged proofs of the log and a stranger's certificate end the stage before anything is put into place."""
    sigstore_faults(f"sigstore:{fault}x99")
    with pytest.raises((SignedWronglyError, SigningServiceError)):
        sign(built)
    assert built.directory.receipt("sign") is None
    assert not (built.directory.path / "bundles").exists()


def test_no_identity_starts_no_signing_tool(built: Context) -> None:
    """Without an ambient identity the client, which would open a browser, is not even started."""
    context = nobody(built)
    with pytest.raises(IdentityMissingError, match="there is no identity"):
        sign(context)
    assert signing_commands(context) == []


def test_signatures_that_hold_are_kept_when_the_receipt_is_gone(signed: Context) -> None:
    """A lost receipt is written again over the same bytes, without an identity and without new log entries."""
    before = contents(signed)
    forget(signed)
    outcome = sign(nobody(signed))
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "kept"
    assert contents(signed) == before


def test_signatures_that_no_longer_hold_are_made_anew(signed: Context) -> None:
    """Without a receipt, a broken bundle is made again, and what still holds is kept: log entries are for ever."""
    before = contents(signed)
    forget(signed)
    broken = signed.directory.path / "bundles" / f"{WHEEL}.sigstore.json"
    broken.write_bytes(broken.read_bytes()[:200])
    outcome = sign(signed)
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "signed"
    changed = [path for path, content in contents(signed).items() if content != before[path]]
    assert changed == [f"bundles/{WHEEL}.sigstore.json"]


def test_redo_signs_again(signed: Context) -> None:
    """``--redo`` makes new signatures although the old ones hold."""
    before = contents(signed)
    sign(replace(signed, options=Options(redo=frozenset({"sign"}))))
    assert not [path for path, content in contents(signed).items() if content == before[path]]


def test_a_missing_signature_is_made_while_nothing_is_published(built: Context) -> None:
    """One deleted bundle makes the stage run again although its key is the same."""
    sign(built)
    (built.directory.path / "bundles" / "SHA256SUMS.sigstore.json").unlink()
    assert sign(built).state == "done"
    assert built.directory.damage() == []


@pytest.fixture
def sealed_by_testpypi(signed: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """After signing, the world's testpypi has the wheel of this version."""
    served = {"testpypi": dict.fromkeys((WHEEL, SDIST), "sha256:" + "0" * 64), "pypi": {}}
    monkeypatch.setattr("hephaestus.stages.sign.sealed", lambda _context: served)


@pytest.mark.usefixtures("sealed_by_testpypi")
def test_a_sealed_release_never_gets_new_signatures(signed: Context) -> None:
    """Once an index has a file, a missing attestation cannot be replaced: the stage says so and what to do."""
    (signed.directory.path / "attestations" / f"{SDIST}.publish.attestation").unlink()
    with pytest.raises(SealedSignaturesError, match="is on testpypi already") as raised:
        sign(signed)
    assert "artifact of the run that signed" in raised.value.next_step
    assert f"attestations/{SDIST}.publish.attestation" in str(raised.value)


@pytest.mark.usefixtures("sealed_by_testpypi")
def test_redo_keeps_the_signatures_of_a_sealed_release(signed: Context) -> None:
    """``--redo`` on a sealed release proves the old signatures again instead of replacing them."""
    before = contents(signed)
    outcome = sign(replace(signed, options=Options(redo=frozenset({"sign"}))))
    assert outcome.receipt is not None
    assert outcome.receipt.evidence["state"] == "kept"
    assert contents(signed) == before


@pytest.mark.usefixtures("sealed_by_testpypi")
def test_a_sealed_release_with_a_broken_signature_is_refused(signed: Context) -> None:
    """A lost receipt and a broken attestation of a sealed release: no new one, the broken one is named."""
    forget(signed)
    broken = signed.directory.path / "attestations" / f"{WHEEL}.publish.attestation"
    broken.write_bytes(b"{}")
    with pytest.raises(SealedSignaturesError) as raised:
        sign(signed)
    assert f"{WHEEL}.publish.attestation" in str(raised.value)


def test_other_bytes_are_signed_again(signed: Context, tmp_path: Path) -> None:
    """A new build changes the key: the old signatures go and new ones come."""
    build(signed, dict([wheel(Spoilt(files={"tiny_project/new.py": "x = 1\n"}), tmp_path), sdist(Spoilt(), PROJECT)]))
    assert sign(signed).state == "done"
    assert signed.directory.damage() == []


def test_sign_wheelhouse_signs_archives_and_bill_of_materials(signed: Context) -> None:
    """The second session signs what wheelhouse put out, except the .sha256 files, and attests nothing."""
    archive = "wheelhouse/tiny-project-1.2.3-wheelhouse.tar.gz"
    held = archived({WHEEL: (signed.directory.dist / WHEEL).read_bytes()})
    put(signed.directory, "wheelhouse", {archive: held, f"{archive}.sha256": b"b", "wheelhouse/sbom.cdx.json": b"{}"})
    outcome = sign(signed, SignWheelhouse())
    assert outcome.receipt is not None
    assert set(outcome.receipt.outputs) == {
        "bundles/tiny-project-1.2.3-wheelhouse.tar.gz.sigstore.json",
        "bundles/sbom.cdx.json.sigstore.json",
    }
    assert signed.directory.damage() == []


@pytest.mark.parametrize(
    ("name", "held", "code"),
    [
        (HOUSE, {WHEEL: b"evil"}, "wheelhouse-other-wheel"),
        (HOUSE, {WHEEL.replace("py3", "py2.py3"): b"evil"}, "wheelhouse-other-wheel"),
        (HOUSE, {"need-1.0-py3-none-any.whl": b"x"}, "wheelhouse-other-wheel"),
        (HOUSE, None, "wheelhouse-broken"),
        (WHEEL, {}, "wheelhouse-foreign"),
        (f"deeper/{HOUSE}", {}, "wheelhouse-foreign"),
    ],
)
def test_what_is_no_wheelhouse_of_what_was_built_is_not_signed(
    signed: Context, name: str, held: dict[str, bytes] | None, code: str
) -> None:
    """Foreign code ran where it was packed: our wheel in it exchanged or absent, no archive, a file that is none."""
    content = b"no archive" if held is None else archived(held)
    put(signed.directory, "wheelhouse", {f"wheelhouse/{name}": content, "wheelhouse/sbom.cdx.json": b"{}"})
    with pytest.raises(GateRefused) as raised:
        sign(signed, SignWheelhouse())
    assert [finding.code for finding in raised.value.findings] == [code]
    assert signed.directory.receipt("sign-wheelhouse") is None


def test_sign_wheelhouse_needs_the_wheelhouse(signed: Context) -> None:
    """Without a wheelhouse there is nothing to sign, which the gate says with the command to run."""
    with pytest.raises(GateRefused, match="refused for one reason") as raised:
        sign(signed, SignWheelhouse())
    assert "nox -s wheelhouse" in str(raised.value)
