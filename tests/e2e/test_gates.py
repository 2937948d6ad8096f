"""`nox -s upload-pypi --no-dependencies` with anything unproven: refused, the thing named, nothing sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.projects import REPOSITORY, Project, Ran

from hephaestus.release.receipts import Receipt
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, serving

WHEEL = "tiny_thing-1.2.3-py3-none-any.whl"
SDIST = "tiny_thing-1.2.3.tar.gz"
NEEDED = ("build", "sign", "check", "upload-testpypi", "smoke")
FILES = (
    "SHA256SUMS",
    f"dist/{WHEEL}",
    f"dist/{SDIST}",
    *(f"attestations/{name}.publish.attestation" for name in (WHEEL, SDIST)),
    *(f"bundles/{name}.sigstore.json" for name in (WHEEL, SDIST, "SHA256SUMS")),
)
UPLOAD = ("-s", "upload-pypi", "--no-dependencies")


def refused(project: Project, ran: Ran, *, names: str) -> None:
    """Assert that the upload was refused in so many words, and that PyPI was sent nothing."""
    assert ran.code == 1, ran.output
    assert ran.ended("upload-pypi") == "aborted"
    assert names in ran.output
    assert "next:" in ran.output
    assert "Traceback" not in ran.output
    assert " -m twine " not in ran.output
    assert project.uploads("pypi") == []
    sent = [entry for entry in project.host().journal() if entry["service"] == "pypi-tls"]
    assert sent == []


@pytest.mark.parametrize("stage", NEEDED)
def test_an_upload_without_a_receipt_is_refused(before: Callable[[str], Project], stage: str) -> None:
    """Without the receipt of any stage it needs, upload-pypi names that stage and its command, and sends nothing."""
    project = before("upload-pypi")
    project.receipt_path(stage).unlink()
    ran = project.nox(*UPLOAD)
    refused(project, ran, names=f"- {stage}: has not been done")
    assert f"nox -s {stage}" in ran.output


@pytest.mark.parametrize("name", FILES)
def test_an_upload_of_changed_files_is_refused(before: Callable[[str], Project], name: str) -> None:
    """One flipped byte in any file of the release: upload-pypi names that file and sends nothing."""
    project = before("upload-pypi")
    path = project.directory.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(project, project.nox(*UPLOAD), names=name)


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ("build", "seconds"),
        ("sign", "commit"),
        ("check", "inputs"),
        ("upload-testpypi", "inputs"),
        ("smoke", "seconds"),
    ],
)
def test_an_upload_on_a_changed_receipt_is_refused(before: Callable[[str], Project], stage: str, field: str) -> None:
    """One flipped byte anywhere in a receipt, even in a number nobody judges: that receipt is named, nothing sent."""
    project = before("upload-pypi")
    path = project.receipt_path(stage)
    text = path.read_text(encoding="utf-8")
    place = next(at for at in range(text.index(f'"{field}"') + len(field) + 2, len(text)) if text[at] in "0123456789")
    path.write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :], encoding="utf-8")
    refused(project, project.nox(*UPLOAD), names=f"{stage}.json")


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("attestations/", "bundles/"))][::2])
def test_an_upload_with_a_proof_removed_is_refused(before: Callable[[str], Project], name: str) -> None:
    """With one attestation or bundle gone, upload-pypi names it and sends nothing."""
    project = before("upload-pypi")
    (project.directory.path / name).unlink()
    refused(project, project.nox(*UPLOAD), names=name)


def test_an_upload_with_a_foreign_file_in_dist_is_refused(before: Callable[[str], Project]) -> None:
    """A file no stage has put into dist/ stops the upload, by name; nothing is ever found by glob."""
    project = before("upload-pypi")
    (project.directory.dist / "tiny_thing-1.2.2-py3-none-any.whl").write_bytes(b"stale")
    refused(project, project.nox(*UPLOAD), names="dist/tiny_thing-1.2.2-py3-none-any.whl")


def test_an_attestation_of_another_identity_is_refused(before: Callable[[str], Project]) -> None:
    """A valid attestation of the right bytes by another repository, with receipts forged to fit, is refused by name."""
    project = before("upload-pypi")
    path = f"attestations/{WHEEL}.publish.attestation"
    with serving(project.state, _stranger(project)) as sigstore:
        signer = CarelessSigner(sigstore.sigstore, sigstore.token(), version=1)
        made = signer.publish_attestation(WHEEL, project.digests()[WHEEL])
    _forge(project, path, json.dumps(made).encode())
    ran = project.nox(*UPLOAD)
    refused(project, ran, names=f"{WHEEL}.publish.attestation")
    assert "someone-else" in ran.output or REPOSITORY in ran.output


def test_a_bundle_of_another_identity_is_refused(before: Callable[[str], Project]) -> None:
    """A valid bundle by another repository, with receipts forged to fit, never becomes a release asset."""
    project = before("github-release")
    path = f"bundles/{WHEEL}.sigstore.json"
    with serving(project.state, _stranger(project)) as sigstore:
        signer = CarelessSigner(sigstore.sigstore, sigstore.token())
        made = signer.sign((project.directory.dist / WHEEL).read_bytes())
    _forge(project, path, json.dumps(made).encode())
    ran = project.nox("-s", "github-release", "--no-dependencies")
    assert ran.code == 1
    assert f"{WHEEL}.sigstore.json" in ran.output
    assert "Traceback" not in ran.output
    written = [entry for entry in project.host().journal() if entry["service"] == "github" and entry["method"] != "GET"]
    assert written == []


def test_a_stage_out_of_order_says_what_comes_first(make: Callable[..., Project]) -> None:
    """`nox -s upload-pypi --no-dependencies` in a project where nothing was built names the command that builds."""
    project = make()
    ran = project.nox(*UPLOAD)
    assert ran.code == 1
    assert "1.2.3 has not been built" in ran.output
    assert "nox -s build" in ran.output
    assert "Traceback" not in ran.output


def test_a_release_without_its_stages_is_no_success(make: Callable[..., Project]) -> None:
    """`nox -s release --no-dependencies` where nothing was done ends red and names the stages that are missing."""
    project = make()
    ran = project.nox("-s", "release", "--no-dependencies")
    assert ran.code == 1, ran.output
    assert "build" in ran.output
    assert "next:" in ran.output


def test_an_environment_without_its_tools_is_refused(before: Callable[[str], Project], tmp_path: Path) -> None:
    """--no-install over an environment that was never filled is refused by the stage's name, not by a missing tool."""
    project = before("build")
    project.setting = replace(project.setting, envdir=tmp_path / "empty")
    assert project.nox("--install-only", "-s", "build").code == 1
    ran = project.nox("-R", "-s", "build")
    assert ran.code == 1, ran.output
    assert "build: refused under `--no-install`" in ran.output
    assert "Traceback" not in ran.output
    assert project.stages() == []


def _stranger(project: Project) -> WorkflowIdentity:
    commit = project.receipt("build")["commit"]
    return WorkflowIdentity(
        repository="someone-else/tiny-thing", workflow="publish-pypi.yml", ref="refs/tags/v1.2.3", sha=commit
    )


def _forge(project: Project, path: str, content: bytes) -> None:
    """Put ``content`` in place of a file, and make every receipt agree with it."""
    target = project.directory.path / path
    former = f"sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    target.write_bytes(content)
    for stage, receipt in project.directory.receipts().items():
        forged = replace(
            receipt,
            inputs={name: digest if there == former else there for name, there in receipt.inputs.items()},
            outputs={name: digest if there == former else there for name, there in receipt.outputs.items()},
        )
        assert isinstance(forged, Receipt)
        project.receipt_path(stage).write_text(forged.render(), encoding="utf-8")
