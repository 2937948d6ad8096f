"""Proofs that stages share: receipts about these very bytes."""

from __future__ import annotations

from stages.releases import SDIST, WHEEL
from stages.standins import Scene, edit_receipt, forget

from hephaestus.stages.proofs import distributions, outputs_of, unproven

NEEDS = ("build", "sign", "check", "smoke")


def test_whole_receipts_have_nothing_to_say(scene: Scene) -> None:
    """Receipts that fit their files prove them."""
    context = scene.context("verify")
    assert unproven(context, NEEDS) == []
    assert set(distributions(context)) == {f"dist/{WHEEL}", f"dist/{SDIST}"}
    assert all(path.startswith("attestations/") for path in outputs_of(context, "sign", below="attestations/"))


def test_everything_wrong_is_said_at_once_with_its_command(scene: Scene) -> None:
    """A missing receipt, one of other bytes, one of another release and a missing file: four findings."""
    forget(scene.directory, "check")
    edit_receipt(scene.directory, "smoke", inputs={f"dist/{WHEEL}": f"sha256:{'0' * 64}"}, version="9")
    (scene.directory.dist / SDIST).unlink()
    found = unproven(scene.context("verify"), NEEDS)
    assert [(finding.code, finding.subject) for finding in found] == [
        ("no-receipt", "check"),
        ("stale-receipt", "smoke"),
        ("other-release", "smoke"),
        ("missing", f"dist/{SDIST}"),
    ]
    assert found[0].remedy == "nox -s check"


def test_without_a_receipt_there_is_no_output(scene: Scene) -> None:
    """Files are never found by looking: without build's receipt there are no distributions."""
    for receipt in (scene.directory.path / "receipts").iterdir():
        receipt.unlink()
    context = scene.context("verify")
    assert distributions(context) == {}
    assert outputs_of(context, "sign") == {}
    assert [finding.code for finding in unproven(context, ["build"])] == ["no-receipt"]
