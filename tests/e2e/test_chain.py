"""What a release leaves, and what the same command does the next time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import Project, git

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


def ends(ran: object, stages: tuple[str, ...] = STAGES) -> dict[str, str]:
    """How each stage of a run ended."""
    return {stage: ran.ended(stage) for stage in stages}  # type: ignore[attr-defined]


def test_a_release_leaves_exactly_the_files_of_the_design(released: Project) -> None:
    """The stages, each run alone, leave the design's layout and nothing else; the folder ignores itself."""
    assert set(released.files()) == EXPECTED
    assert (released.root / "release" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert git(released.root, "status", "--porcelain") == ""


def test_the_summary_names_every_file_and_nothing_left_to_do(released: Project) -> None:
    """summary.json names every file with size and sha256, the state of every service, and no next command."""
    told = json.loads((released.directory.path / "summary.json").read_text(encoding="utf-8"))
    named = {file["path"]: (file["sha256"], file["size"]) for file in told["files"]}
    there = {
        name: (digest, (released.directory.path / name).stat().st_size)
        for name, digest in released.files().items()
        if not name.startswith("receipts/")
    }
    assert named == there
    states = {stage: service["state"] for stage, service in told["services"].items()}
    assert states == {"upload-testpypi": "complete", "upload-pypi": "complete", "github-release": "published"}
    assert told["next"] == ""


def test_coreutils_agree_with_the_checksums(released: Project) -> None:
    """`sha256sum -c ../SHA256SUMS`, run in dist/, finds both distributions right."""
    done = subprocess.run(
        ["sha256sum", "-c", "../SHA256SUMS"], cwd=released.directory.dist, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{WHEEL}: OK", f"{SDIST}: OK"]


def test_nothing_kept_holds_a_port_or_a_place_of_this_machine(released: Project) -> None:
    """No receipt, no summary and no wheelhouse file names a loopback port, the project's folder or a temporary one."""
    for name in released.files():
        if name.endswith((".json", ".sha256")) or name == "SHA256SUMS":
            text = (released.directory.path / name).read_text(encoding="utf-8")
            found = [word for word in ("127.0.0.1:", "localhost:", str(released.root), "/tmp/") if word in text]
            assert not found, f"{name} holds {found}"


def test_a_second_run_skips_every_stage_and_starts_nothing(released: Project) -> None:
    """Run again, in another folder even, the chain skips all stages, starts no tool, installs and changes nothing."""
    before, uploads = released.files(), released.uploads("pypi")
    ran = released.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert ends(ran) == dict.fromkeys(STAGES, "skipped")
    assert ran.ended("release") == "success"
    assert ran.tools() == []
    assert "pip install" not in ran.output
    assert released.files() == before
    assert released.uploads("pypi") == uploads


def test_pip_and_uv_are_served_the_very_bytes(released: Project, tmp_path: Path) -> None:
    """`pip download` and `uv pip install` from both index stand-ins get exactly the distributions of dist/."""
    assert released.nox("-s", "build").code == 0
    host = released.host()
    for index in ("testpypi", "pypi"):
        simple = f"{host.url(index)}/simple/"
        for option in ("--only-binary", "--no-binary"):
            target = tmp_path / f"{index}{option}"
            _run("-m", "pip", "download", "--isolated", "--no-cache-dir", "--no-deps", "--no-build-isolation",
                 "--index-url", simple, option, ":all:", "--dest", str(target), "tiny-thing==1.2.3")  # fmt: skip
            got = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.iterdir()}
            assert len(got) == 1
            assert got.items() <= released.digests().items()
        digest = released.digests()[WHEEL]
        locked = tmp_path / f"{index}.txt"
        locked.write_text(f"tiny-thing==1.2.3 --hash=sha256:{digest}\n", encoding="utf-8")
        target = tmp_path / f"{index}-uv"
        _run("-m", "uv", "pip", "install", "--no-config", "--no-cache", "--index-url", simple, "--require-hashes",
             "--target", str(target), "-r", str(locked))  # fmt: skip
        assert (target / "tiny_thing" / "__init__.py").is_file()


def test_a_changed_line_opens_a_new_world_and_going_back_brings_the_old_one(released: Project) -> None:
    """An edit releases again from nothing in a new world; the old source gets its release back, and skips all of it."""
    former, digests = released.source, released.digests()
    released.edit()
    ran = released.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert ends(ran) == dict.fromkeys(STAGES, "success")
    assert "uncommitted changes" in ran.output
    assert released.source != former
    assert released.digests().keys() == digests.keys()
    assert released.digests() != digests
    assert released.served("pypi") == released.digests()
    assert released.receipt("build")["dirty"] is True
    git(released.root, "checkout", "-q", "--", ".")
    back = released.nox("-s", "release")
    assert back.code == 0, back.output
    assert ends(back) == dict.fromkeys(STAGES, "skipped")
    assert (released.source, released.digests()) == (former, digests)


@pytest.mark.parametrize("stage", STAGES)
def test_a_deleted_receipt_reruns_its_stage_alone(released: Project, stage: str) -> None:
    """Without one receipt the chain runs that stage again; the rest is skipped, as its inputs did not change."""
    before = released.files()
    sent = {index: len(released.uploads(index)) for index in ("testpypi", "pypi")}
    released.receipt_path(stage).unlink()
    ran = released.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert ends(ran) == {**dict.fromkeys(STAGES, "skipped"), stage: "success"}
    changed = {name for name, digest in released.files().items() if before.get(name) != digest}
    assert changed <= {f"receipts/{stage}.json"}
    assert {index: len(released.uploads(index)) for index in sent} == sent


def test_redo_makes_one_stage_again_and_keeps_what_is_public(released: Project) -> None:
    """`-- --redo=sign` runs sign again although nothing changed, and keeps signatures that an index already serves."""
    before = released.files()
    ran = released.nox("-s", "sign", "--", "--redo=sign")
    assert ran.code == 0, ran.output
    assert ends(ran, ("build", "sign")) == {"build": "skipped", "sign": "success"}
    assert {name for name, digest in released.files().items() if before[name] != digest} == {"receipts/sign.json"}
    assert released.receipt("sign")["evidence"]["state"] == "kept"


def test_redo_before_any_upload_signs_afresh(before: Callable[[str], Project]) -> None:
    """Before anything is public, `-- --redo=sign` makes new signatures, and check is then done again for them."""
    project = before("upload-testpypi")
    former = project.files()
    ran = project.nox("-s", "check", "--", "--redo=sign")
    assert ran.code == 0, ran.output
    assert ends(ran, ("build", "sign", "check")) == {"build": "skipped", "sign": "success", "check": "success"}
    changed = {name for name, digest in project.files().items() if former[name] != digest}
    assert {name for name in changed if name.startswith(("bundles/", "attestations/"))} == {
        name for name in former if name.startswith(("bundles/", "attestations/"))
    }
    assert project.digests() == {Path(name).name: former[name] for name in former if name.startswith("dist/")}


def test_smoke_runs_what_it_lacks_and_nothing_beyond(before: Callable[[str], Project]) -> None:
    """`nox -s smoke` on a checked release uploads to Test PyPI and smokes, skips what is done, goes no further."""
    project = before("upload-testpypi")
    ran = project.nox("-s", "smoke")
    assert ran.code == 0, ran.output
    stages = ("build", "sign", "check", "upload-testpypi", "smoke")
    assert [ran.ended(stage) for stage in stages] == ["skipped", "skipped", "skipped", "success", "success"]
    assert project.stages() == list(stages)
    assert project.uploads("pypi") == []


def test_keeping_the_world_after_an_edit_shows_the_conflict(released: Project) -> None:
    """`-- --keep-world` after an edit is refused as sealed, naming file and index; nothing changes, nothing is sent."""
    before, served = released.files(), released.served("pypi")
    released.edit()
    ran = released.nox("-s", "release", "--", "--keep-world")
    assert ran.code == 1
    assert ran.ended("build") == "aborted"
    assert "version 1.2.3 is sealed" in ran.output
    assert WHEEL in ran.output
    assert "next:" in ran.output
    assert "Traceback" not in ran.output
    assert released.files() == before
    assert released.served("pypi") == served


def test_status_says_the_same_as_the_run(released: Project) -> None:
    """`hephaestus release status` in the project shows the same files and stages, and that nothing is left to do."""
    done = subprocess.run(
        [sys.executable, "-m", "hephaestus", "release", "status"], cwd=released.root, capture_output=True, text=True,
        check=False, env={**released.setting.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(digest in done.stdout for digest in released.digests().values())
    assert "complete: nothing is left to do" in done.stdout


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
