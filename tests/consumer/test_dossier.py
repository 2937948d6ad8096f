"""Dossiers: what lies in a folder, sorted; manifests and tarballs held against the files."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from hephaestus.consumer.dossier import Dossier
from hephaestus.consumer.verdict import State
from hephaestus.release.archive import write_archive

WHEEL = "tiny-1.0-py3-none-any.whl"
TARBALL = "sigstore-bundles-v1.0.tar.gz"


def laid(folder: Path, *names: str) -> Dossier:
    """The dossier of a folder with these files in it."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return Dossier.of_folder(folder)


def test_files_are_sorted_by_what_they_are(tmp_path: Path) -> None:
    """Subjects, manifests, bundles, attestations, tarballs; a folder is told and not looked into."""
    names = (
        "SHA256SUMS",
        f"{WHEEL}.sigstore.json",
        f"{WHEEL}.publish.attestation",
        "x.tar.gz",
        "x.tar.gz.sha256",
        TARBALL,
    )
    dossier = laid(tmp_path, WHEEL, *names, "more/y.whl")
    assert set(dossier.subjects) == {WHEEL, "x.tar.gz"}
    assert set(dossier.manifests) == {"SHA256SUMS", "x.tar.gz.sha256"}
    assert (set(dossier.bundles), set(dossier.attestations), set(dossier.tarballs)) == ({WHEEL}, {WHEEL}, {TARBALL})
    (folder,) = dossier.oddities
    assert (folder.state, folder.subject, folder.required) == (State.ABSENT, "more/", False)


def test_a_release_directory_is_known_by_its_parts(tmp_path: Path) -> None:
    """Parts are looked into, notes of the run are not; a name that two parts have is a failure."""
    dossier = laid(
        tmp_path, f"dist/{WHEEL}", f"wheelhouse/{WHEEL}", "receipts/build.json", "summary.json", "SHA256SUMS"
    )
    assert set(dossier.subjects) == {WHEEL}
    (twice,) = dossier.oddities
    assert (twice.state, twice.reason) == (State.FAIL, "stands in the folder twice")


def test_the_modern_spelling_of_a_bundle_counts(tmp_path: Path) -> None:
    """Where a bundle has both names, the modern one is verified; the old one alone is found as well."""
    old, modern = f"{WHEEL}.sigstore", f"{WHEEL}.sigstore.json"
    assert laid(tmp_path, WHEEL, old).bundles == {WHEEL: tmp_path / old}
    assert laid(tmp_path, modern).bundles == {WHEEL: tmp_path / modern}
    assert Dossier._sorted({modern: tmp_path / modern, old: tmp_path / old}, ()).bundles == {WHEEL: tmp_path / modern}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "names no file"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * ((4 << 20) + 1), "is larger than 4194304 bytes"),
        (b"nonsense\n", "line 1: is not `<64 hex digits>  <name>`"),
        (b"0" * 64 + b"  ../x\n", "line 1: the name '../x' leaves the folder"),
    ],
)
def test_a_manifest_that_is_none_fails(content: bytes, reason: str, tmp_path: Path) -> None:
    """Nothing, other bytes, far too many, no lines of a manifest, names that leave: one failure, with the line."""
    dossier = laid(tmp_path, WHEEL, "SHA256SUMS")
    (tmp_path / "SHA256SUMS").write_bytes(content)
    (verdict,), right = dossier.checked()
    assert (verdict.state, verdict.subject, verdict.reason) == (State.FAIL, "SHA256SUMS", reason)
    assert right == {}


def test_what_a_manifest_lists_rightly(tmp_path: Path) -> None:
    """Right, wrong and lacking, each its verdict; among chosen files nothing lacks."""
    dossier = laid(tmp_path, "a.whl", "b.whl", "SHA256SUMS")
    digest = hashlib.sha256(b"a.whl").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  a.whl\n{digest}  b.whl\n{digest}  c.whl\n", encoding="utf-8")
    verdicts, right = dossier.checked()
    assert [verdict.state for verdict in verdicts] == [State.PASS, State.FAIL, State.ABSENT]
    assert right == {"SHA256SUMS": {"a.whl"}}
    chosen = Dossier.of_files([tmp_path / "a.whl"])
    assert [verdict.subject for verdict in chosen.checked()[0]] == ["a.whl"]
    assert [verdict.required for verdict in chosen.unproven(["a.whl"], right)] == [False, False]


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"a.sigstore.json": b"a.sigstore.json"}, ""),
        ({"a.sigstore.json": b"other"}, "its a.sigstore.json is another"),
        ({"b.sigstore.json": b"x"}, "its b.sigstore.json is another; it lacks a.sigstore.json"),
        ({}, "it lacks a.sigstore.json"),
        (None, "it is not a gzip file, or damaged"),
    ],
)
def test_the_tarball_holds_the_same_bundles(held: dict[str, bytes] | None, reason: str, tmp_path: Path) -> None:
    """The very bundles beside it pass; another, one too many, one too few, no archive at all fail."""
    dossier = laid(tmp_path, "a", "a.sigstore.json", TARBALL)
    if held is not None:
        stream = io.BytesIO()
        write_archive(stream, dict(held), epoch=1_700_000_000)
        (tmp_path / TARBALL).write_bytes(stream.getvalue())
    (verdict,) = dossier.copies()
    assert verdict.state is (State.FAIL if reason else State.PASS)
    assert verdict.reason.startswith(reason or "holds the same 1 bundles")
