"""The whole chain over a small real project: what it leaves, and what a second run does."""

from __future__ import annotations

import shutil
import subprocess

from e2e.projects import Project

from hephaestus.release.directory import STAGES

WHEEL = "tiny_thing-1.2.3-py3-none-any.whl"
SDIST = "tiny_thing-1.2.3.tar.gz"
ARCHIVE = "tiny-thing-1.2.3-wheelhouse.tar.gz"

EXPECTED = {
    "SHA256SUMS",
    f"dist/{WHEEL}",
    f"dist/{SDIST}",
    f"attestations/{WHEEL}.publish.attestation",
    f"attestations/{SDIST}.publish.attestation",
    *(f"bundles/{name}.sigstore.json" for name in (WHEEL, SDIST, "SHA256SUMS", ARCHIVE, "sbom.cdx.json")),
    f"wheelhouse/{ARCHIVE}",
    f"wheelhouse/{ARCHIVE}.sha256",
    "wheelhouse/sbom.cdx.json",
    *(f"receipts/{stage}.json" for stage in STAGES),
}


def test_a_release_leaves_exactly_the_files_of_the_design(released: Project) -> None:
    """One chain leaves the distributions, proofs, wheelhouse and receipts of the design's layout and nothing else."""
    assert set(released.files()) == EXPECTED
    assert (released.directory.path / "summary.json").is_file()
    assert (released.root / "release" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_coreutils_agree_with_the_checksums(released: Project) -> None:
    """`sha256sum -c ../SHA256SUMS`, run in dist/, finds both distributions right."""
    done = subprocess.run(
        ["sha256sum", "-c", "../SHA256SUMS"], cwd=released.directory.dist, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{WHEEL}: OK", f"{SDIST}: OK"]


def test_a_second_run_skips_every_stage_and_starts_nothing(released: Project) -> None:
    """Run again, the chain skips all stages, starts no tool, installs nothing and leaves every file as it is."""
    before, uploads = released.files(), released.uploads("pypi")
    ran = released.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert {stage: ran.ended(stage) for stage in STAGES} == dict.fromkeys(STAGES, "skipped")
    assert ran.ended("release") == "success"
    assert ran.tools() == []
    assert "pip install" not in ran.output
    assert released.files() == before
    assert released.uploads("pypi") == uploads
    assert shutil.which("sha256sum")
