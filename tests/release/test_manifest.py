"""The manifest: what is read is what was written, and nothing that can be read two ways is read at all."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.manifest import (
    ManifestError,
    case_twins,
    compare,
    digest_of,
    is_digest,
    manifest_digest,
    parse_sums,
    render_sums,
    unsafe_path,
)

A, B = "a" * 64, "b" * 64
DIGESTS = st.binary(max_size=4).map(lambda content: f"sha256:{hashlib.sha256(content).hexdigest()}")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: unsafe_path(name) is None
)
MANIFESTS = st.dictionaries(NAMES, DIGESTS, min_size=1, max_size=6).filter(lambda names: not case_twins(names))


@given(MANIFESTS)
def test_what_is_written_is_read_again(manifest: dict[str, str]) -> None:
    """Any manifest of safe names survives being written and read, whatever characters the names have."""
    assert parse_sums(render_sums(manifest)) == manifest


@given(MANIFESTS)
def test_the_digest_of_a_manifest_depends_on_nothing_but_its_content(manifest: dict[str, str]) -> None:
    """The order of the files changes nothing; one digest more or less changes everything."""
    assert manifest_digest(dict(reversed(manifest.items()))) == manifest_digest(manifest)
    assert manifest_digest({**manifest, "one/more": f"sha256:{A}"}) != manifest_digest(manifest)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way than by ManifestError, and what it reads is safe."""
    try:
        found = parse_sums(text)
    except ManifestError:
        return
    assert all(unsafe_path(name) is None and is_digest(digest) for name, digest in found.items())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no file"),
        ("# only a comment\n\n", "names no file"),
        (f"{A}\n", "line 1: is not"),
        (f"{A}  x\n{A[:-1]}  y\n", "line 2: is not"),
        (f"{A}z  x\n", "line 1: is not"),
        (f"{A}  ../x\n", "leaves the folder"),
        (f"{A}  /x\n", "not a relative POSIX path"),
        (f"{A}  C:x\n", "not a relative POSIX path"),
        (f"{A}  a\\b\n", "not a relative POSIX path"),
        (f"{A}  a//b\n", "not a plain path"),
        (f"{A}  .\n", "not a plain path"),
        (f"{A}  ./x\n", "not a plain path"),
        (f"{A}  x\x07\n", "control character"),
        (f"{A}  x\n{B}  x\n", "listed twice with different digests"),
        (f"{A}  Readme\n{B}  README\n", "differ only in case: README, Readme"),
    ],
)
def test_a_manifest_that_proves_nothing_is_refused(text: str, problem: str) -> None:
    """Empty, truncated, contradictory, and names that leave the folder or collide: refused, with the line."""
    with pytest.raises(ManifestError) as raised:
        parse_sums(text)
    assert problem in raised.value.what


def test_the_forms_that_other_tools_write_are_read() -> None:
    """Binary mark, tab, one space, upper-case digits, CRLF and a repeated equal line all mean the same."""
    text = f"# made by hand\r\n{A}  a\r\n{A} *b\n{A.upper()}\tc\n{A} d\n\n{A}  a\n"
    assert parse_sums(text) == dict.fromkeys("abcd", f"sha256:{A}")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils is not installed")
def test_coreutils_agrees(tmp_path: Path) -> None:
    """``sha256sum -c`` accepts what is written here, from the folder of the files, and notices a change."""
    dist = tmp_path / "dist"
    dist.mkdir()
    for name in ("b.whl", "a.tar.gz"):
        (dist / name).write_text(name, encoding="utf-8")
    sums = {path.name: digest_of(path) for path in dist.iterdir()}
    (tmp_path / "SHA256SUMS").write_text(render_sums(sums), encoding="utf-8")
    command = ["sha256sum", "--strict", "-c", "../SHA256SUMS"]
    assert subprocess.run(command, cwd=dist, check=False, capture_output=True).returncode == 0
    (dist / "b.whl").write_text("B", encoding="utf-8")
    assert subprocess.run(command, cwd=dist, check=False, capture_output=True).returncode == 1


def test_files_are_held_against_a_manifest(tmp_path: Path) -> None:
    """Missing, foreign, changed and linked files are told apart; files that agree are not mentioned."""
    expected = {"same": f"sha256:{A}", "changed": f"sha256:{A}", "gone": f"sha256:{A}", "link": f"sha256:{A}"}
    present = {"same": f"sha256:{A}", "changed": f"sha256:{B}", "new": f"sha256:{B}", "link": None}
    found = {finding.subject: finding.code for finding in compare(expected, tmp_path, present=present)}
    assert found == {"changed": "changed", "gone": "missing", "new": "foreign", "link": "linked"}


@given(st.text(max_size=80))
def test_only_the_one_form_of_a_digest_counts(text: str) -> None:
    """Anything but ``sha256:`` and 64 lower-case hex digits is no digest."""
    assert not is_digest(text)
    assert is_digest(f"sha256:{A}")
    for wrong in (A, f"sha256:{A}\n", f"sha256:{A.upper()}", f"sha256:{A[1:]}", f"md5:{A}", None, 1):
        assert not is_digest(wrong)
