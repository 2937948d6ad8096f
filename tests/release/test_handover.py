"""The hand-over between jobs: what arrives must be what the job before stated, through another channel."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.handover import HandoverError, handover_findings, read_words, stated
from hephaestus.release.receipts import Receipt

CHAIN = {"build": b"a wheel", "sign": b"a bundle", "check": b"", "wheelhouse": b"an archive"}


def made(folder: Path, stages: dict[str, bytes], *, key: str = "0") -> ReleaseDirectory:
    """A release directory with the receipts of ``stages``."""
    directory = ReleaseDirectory(path=folder)
    directory.path.mkdir(parents=True)
    places = {"build": "dist/p-1.whl", "sign": "bundles/p.sigstore.json", "wheelhouse": "wheelhouse/p.tar.gz"}
    for stage, content in stages.items():
        receipt = Receipt(
            stage=stage, world="publish", project="p", version="1", commit="c" * 40, dirty=False,
            key=f"sha256:{key * 64}", started="2026-01-02T03:04:05Z", seconds=1.0,
        )  # fmt: skip
        with directory.staging(stage) as staging:
            if stage in places:
                staging.path(places[stage]).write_bytes(content)
            directory.commit(staging, receipt)
    return directory


def codes(directory: ReleaseDirectory, words: str, *needed: str) -> dict[str, str]:
    return {found.subject: found.code for found in handover_findings(directory, read_words(words), needed=needed)}


def test_what_arrives_as_stated_is_taken(tmp_path: Path) -> None:
    """The very directory, and a copy of it elsewhere, satisfy the word of the job that made it."""
    directory = made(tmp_path / "1", CHAIN)
    word = stated(directory, "check")
    shutil.copytree(tmp_path / "1", tmp_path / "other" / "1")
    assert codes(directory, f"{word} {stated(directory, 'wheelhouse')}", "check", "wheelhouse") == {}
    other = ReleaseDirectory(path=tmp_path / "other" / "1")
    assert stated(other, "check") == word


def test_two_jobs_directories_merged_satisfy_both(tmp_path: Path) -> None:
    """Two jobs that went on from one build hand over two directories; merged, each word still holds."""
    signed = made(tmp_path / "signed", {"build": b"a wheel", "sign": b"a bundle", "check": b""})
    packed = made(tmp_path / "packed", {"build": b"a wheel", "wheelhouse": b"an archive"})
    words = f"{stated(signed, 'check')} {stated(packed, 'wheelhouse')}"
    shutil.copytree(packed.path, signed.path, dirs_exist_ok=True)
    assert codes(signed, words, "check", "wheelhouse") == {}


@pytest.mark.parametrize("stage", ["build", "sign", "check"])
def test_one_changed_receipt_is_noticed(tmp_path: Path, stage: str) -> None:
    """Any receipt written anew, sound in itself but a second later, breaks the word of what rests on it."""
    directory = made(tmp_path / "1", CHAIN)
    word = stated(directory, "check")
    receipt = directory.receipt(stage)
    assert receipt is not None
    forged = replace(receipt, started="2026-01-02T03:04:06Z")
    (directory.path / "receipts" / f"{stage}.json").write_text(forged.render())
    assert codes(directory, word, "check") == {"check": "handover-differs", "wheelhouse": "handover-uncovered"}


def test_a_release_of_another_commit_is_noticed(tmp_path: Path) -> None:
    """A whole and sound directory of another run is not the one the word is about."""
    word = stated(made(tmp_path / "1", {"build": b"a wheel"}), "build")
    other = made(tmp_path / "2", {"build": b"another wheel"}, key="1")
    assert codes(other, word, "build") == {"build": "handover-differs"}


def test_a_receipt_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """A receipt slipped into the artifact is refused although every stated stage is sound."""
    directory = made(tmp_path / "1", {"build": b"a wheel"})
    word = stated(directory, "build")
    made(tmp_path / "2", {"upload-testpypi": b""})
    shutil.copytree(tmp_path / "2" / "receipts", directory.path / "receipts", dirs_exist_ok=True)
    assert codes(directory, word, "build") == {"upload-testpypi": "handover-uncovered"}


def test_an_unfinished_transaction_is_never_taken_over(tmp_path: Path) -> None:
    """Staged outputs would be put into place after the words were held against what was there: they must not arrive."""
    directory = made(tmp_path / "1", {"build": b"a wheel"})
    word = stated(directory, "build")
    other = made(tmp_path / "2", {"build": b"another wheel"}, key="1")
    staged = directory.path / ".staged" / "build"
    (staged / "files" / "dist").mkdir(parents=True)
    shutil.copy(other.path / "dist" / "p-1.whl", staged / "files" / "dist")
    shutil.copy(other.path / "receipts" / "build.json", staged / "receipt.json")
    assert codes(directory, word, "build") == {".staged": "handover-unfinished"}
    assert directory.recover()
    assert codes(directory, word, "build") == {"build": "handover-differs"}, "this is what it would have become"


def test_a_needed_stage_without_a_word_is_refused(tmp_path: Path) -> None:
    """A job that rests on two jobs must hear from both."""
    directory = made(tmp_path / "1", {"build": b"a wheel"})
    assert codes(directory, stated(directory, "build"), "build", "check") == {"check": "handover-missing"}
    assert codes(directory, "", "build") == {"build": "handover-missing"}


def test_a_stage_left_out_by_policy_still_has_a_word(tmp_path: Path) -> None:
    """A stage that policy exempts leaves no receipt; its job's word is over what there is."""
    directory = made(tmp_path / "1", {"build": b"a wheel", "sign": b"a bundle", "check": b""})
    assert codes(directory, stated(directory, "upload-pypi"), "upload-pypi") == {}


DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"release={DIGEST}", "names no stage"),
        (DIGEST, "names no stage"),
        ("build", "is not <stage>"),
        ("build=", "is not <stage>"),
        (f"build={DIGEST[:-1]}", "is not <stage>"),
        (f"build={DIGEST} build=sha256:{'b' * 64}", "contradicts"),
    ],
)
def test_a_malformed_word_is_refused(text: str, problem: str) -> None:
    """Words that are not a stage and a digest, or that contradict one another, are refused by name."""
    with pytest.raises(HandoverError, match=problem):
        read_words(text)


@given(st.text(max_size=80))
def test_any_text_is_words_or_refused(text: str) -> None:
    """No text makes reading fail in another way than with its own error, and nothing is read that is not there."""
    try:
        words = read_words(text)
    except HandoverError:
        return
    assert all(f"{stage}={digest}" in text for stage, digest in words.items())
