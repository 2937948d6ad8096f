"""Wheelhouse with real pip and CycloneDX, from a small index: packed, listed, described, installed with no network."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stages.served import Thing
from stages.wheelhouses import ARCHIVE, GOOD, Bench

from hephaestus.stages.runner import run_stage
from hephaestus.stages.stage import Evidence
from hephaestus.stages.wheelhouse import WheelhouseStage, bound, platforms
from hephaestus.stages.wheelhouse_needs import WheelsMissing
from hephaestus.stages.wheelhouse_packing import DescriptionInvalid
from hephaestus.stages.wheelhouse_proof import OfflineInstallFailed


def test_a_wheelhouse_is_whole_described_and_the_same_every_time(bench: Bench, tmp_path: Path) -> None:
    """Every wheel, extras' too, at the archive's root; list, checksum and SBOM agree; a second run gives the bytes."""
    context = bench.make(settings='extras = ["more"]')
    evidence, files = bench.run(context)
    assert set(files) == {
        f"wheelhouse/{ARCHIVE}",
        f"wheelhouse/{ARCHIVE}.sha256",
        "wheelhouse/sbom.cdx.json",
    }
    content = files[f"wheelhouse/{ARCHIVE}"]
    digest = hashlib.sha256(content).hexdigest()
    assert files[f"wheelhouse/{ARCHIVE}.sha256"] == f"{digest}  {ARCHIVE}\n".encode()
    assert (evidence.data["sha256"], evidence.data["size"], evidence.data["count"]) == (digest, len(content), 6)
    (tmp_path / ARCHIVE).write_bytes(content)
    with tarfile.open(tmp_path / ARCHIVE, "r:gz") as archive:
        members = archive.getmembers()
        listing = archive.extractfile("requirements.txt")
        assert listing is not None
        wanted = listing.read().decode().splitlines()
        lock = archive.extractfile("pylock.toml")
        assert lock is not None
        locked = tomllib.loads(lock.read().decode())
    wheels = ["need-1.5-py3-none-any.whl", "old-1.0-py3-none-any.whl", "tiny_project-1.2.3-py3-none-any.whl"]
    assert [member.name for member in members] == [*wheels, "pylock.toml", "requirements.txt", "sbom.cdx.json"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (1_600_000_000, 0, 0, "", "", 0o644)
    }
    assert [line.split(" ")[0] for line in wanted] == ["need==1.5", "old==1.0", "tiny-project==1.2.3"]
    assert wanted[0].endswith(f"--hash=sha256:{hashlib.sha256(bench.user.files[wheels[0]]).hexdigest()}")
    assert locked["requires-python"] == f"==3.{sys.version_info.minor}.*"
    assert [package["name"] for package in locked["packages"]] == ["need", "old", "tiny-project"]
    assert evidence.data["offline"]["installed"] == {"need": "1.5", "old": "1.0", "tiny-project": "1.2.3"}
    assert evidence.data["offline"]["imported"] == ["tiny_project"]
    assert evidence.data["platforms"] == ["any"]
    assert [(one.code, one.subject, one.severity) for one in evidence.warnings] == [("yanked", "old 1.0", "warning")]
    _check_sbom(json.loads(files["wheelhouse/sbom.cdx.json"]), evidence)
    shutil.rmtree(context.work)
    context.work.mkdir()
    again, same = bench.run(context)
    assert same == files
    assert again == evidence


def _check_sbom(sbom: dict[str, object], evidence: Evidence) -> None:
    text = json.dumps(sbom)
    for purl in ("pkg:pypi/tiny-project@1.2.3", "pkg:pypi/need@1.5", "pkg:pypi/old@1.0"):
        assert purl in text
    assert sbom["serialNumber"] == evidence.data["sbom"]["serial"]
    assert sbom["metadata"]["timestamp"] == "2020-09-13T12:26:40+00:00"  # type: ignore[index]
    assert '"expression": "Apache-2.0 OR MIT"' in text
    assert '"name": "my own"' in text
    needs = {one["ref"]: one.get("dependsOn", []) for one in sbom["dependencies"]}  # type: ignore[attr-defined]
    assert needs["pkg:pypi/tiny-project@1.2.3"] == ["pkg:pypi/need@1.5", "pkg:pypi/old@1.0"]
    assert (evidence.data["sbom"]["components"], evidence.data["sbom"]["validated"]) == (3, True)


def test_the_receipt_names_no_place_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    """Through the runner: outputs in place, nothing volatile kept, and a second run skips."""
    context = bench.make(settings='extras = ["more"]')
    outcome = run_stage(WheelhouseStage(), context, recorder=context.environment)  # type: ignore[arg-type]
    assert outcome.state == "done"
    assert outcome.receipt is not None
    assert set(outcome.receipt.outputs) == {f"wheelhouse/{n}" for n in (ARCHIVE, f"{ARCHIVE}.sha256", "sbom.cdx.json")}
    text = outcome.receipt.render()
    for place in (str(tmp_path), "127.0.0.1", str(Path.home() / ".cache")):
        assert place not in text
    again = run_stage(WheelhouseStage(), context, recorder=context.environment)  # type: ignore[arg-type]
    assert again.state == "skipped"


def test_only_one_file_looks_like_a_wheelhouse_to_the_old_client(bench: Bench) -> None:
    """The configured prefix names the archive, the time falls back to the commit's, and extras stay out unasked."""
    evidence, files = bench.run(bench.make(settings='prefix = "tiny"', epoch=None))
    matching = fnmatch.filter([Path(name).name for name in files], "*wheelhouse*.tar.gz")
    assert matching == ["tiny-1.2.3-wheelhouse.tar.gz"]
    assert [member["name"] for member in evidence.data["members"]] == [
        "need-1.5-py3-none-any.whl",
        "tiny_project-1.2.3-py3-none-any.whl",
        "pylock.toml",
        "requirements.txt",
        "sbom.cdx.json",
    ]
    assert b'"timestamp": "2026-01-02T03:04:05+00:00"' in files["wheelhouse/sbom.cdx.json"]
    assert evidence.warnings == []


def test_a_dependency_without_wheels_is_named_as_such(bench: Bench) -> None:
    """An sdist on the index is told apart from nothing on the index."""
    bench.user.put("source-2.0.tar.gz", Thing(name="source", version="2.0").sdist())
    with pytest.raises(WheelsMissing, match=r"source.* has no wheel that fits .*2\.0") as caught:
        bench.run(bench.make(replace(GOOD, requires=["source"])))
    assert caught.value.finding.code == "no-wheel"


def test_a_missing_dependency_is_named(bench: Bench) -> None:
    """A requirement no index has ends the stage with its name."""
    with pytest.raises(WheelsMissing, match="nowhere>=3") as caught:
        bench.run(bench.make(replace(GOOD, requires=["nowhere>=3"])))
    assert caught.value.finding.code == "dependency-missing"


def test_a_wheel_that_does_not_work_offline_is_not_packed_up(bench: Bench) -> None:
    """What cannot be imported after the offline install fails the stage, and nothing is staged."""
    context = bench.make(replace(GOOD, code="import nothing_of_that_name\n"))
    with pytest.raises(OfflineInstallFailed, match="nothing_of_that_name"):
        bench.run(context)
    assert not (context.directory.path / "wheelhouse").exists()


@pytest.mark.parametrize(("worker", "says"), [("sbom", "is no valid CycloneDX"), ("pylock", "is no valid lock file")])
def test_a_description_that_breaks_its_format_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, worker: str, says: str
) -> None:
    """What the formats' own validators say about bill and lock reaches the person."""
    context = bench.make()

    def work(_self: object, name: str, request: dict[str, Any], **_more: object) -> dict[str, Any]:
        if name == "sbom":
            Path(request["output"]).write_text("{}", encoding="utf-8")
        return {"lock": {}, "problem": "'name' is a required property" if name == worker else ""}

    monkeypatch.setattr(type(context.environment), "work", work)
    with pytest.raises(DescriptionInvalid, match=f"{says}(?s:.*)required property"):
        bench.run(context)


def test_the_gates_name_name_extra_and_lack_of_a_wheel(bench: Bench, commit: Callable[..., Path]) -> None:
    """A prefix no system agrees on, an extra that is not there, a wheel for elsewhere: refused before any download."""
    assert [one.code for one in WheelhouseStage().gates(bench.make(settings='prefix = "a/b"'))] == ["archive-name"]
    assert [one.code for one in WheelhouseStage().gates(bench.make(settings='extras = ["no"]'))] == ["extra-unknown"]
    foreign = bench.make(replace(GOOD, tags="cp39-cp39-win32"))
    assert [one.code for one in WheelhouseStage().gates(foreign)] == ["wheel-unsupported"]
    (foreign.directory.path / "receipts" / "build.json").unlink()
    assert "no-receipt" in [one.code for one in WheelhouseStage().gates(foreign)]
    assert not [path for path in bench.user.seen if path.startswith("/files/")]


def test_the_key_changes_with_files_and_settings(bench: Bench) -> None:
    """Another wheel or another setting is another input."""
    first = WheelhouseStage().inputs(bench.make())
    assert first != WheelhouseStage().inputs(bench.make(settings='extras = ["more"]'))
    assert first.files != WheelhouseStage().inputs(bench.make(replace(GOOD, code=""))).files


def test_targets_are_the_platforms_of_the_wheels() -> None:
    """One bound wheel binds the archive, which is said; pure wheels bind nothing."""
    pure, bound_wheel = "a-1-py3-none-any.whl", "b-1-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert platforms([pure]) == ["any"]
    assert platforms([pure, bound_wheel]) == ["manylinux_2_17_x86_64"]
    assert bound([pure]) == []
    (finding,) = bound([pure, bound_wheel])
    assert (finding.subject, finding.severity) == (bound_wheel, "warning")
