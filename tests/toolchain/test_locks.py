"""Locks: every line an exact pin with a hash, or no lock at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.toolchain import locks
from hephaestus.toolchain.locks import INSTALL_OPTIONS, LockError, read_lock, read_lock_file

FOLDER = Path(locks.__file__).parent / "locks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize("name", NAMES)
def test_every_lock_holds_what_its_source_asks_for(name: str) -> None:
    """Each lock is readable, and pins every requirement of the ``.in`` file it was made from."""
    lock = read_lock(name)
    asked = {
        re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0].lower()
        for line in (FOLDER / f"{name}.in").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert asked <= set(lock.versions), asked - set(lock.versions)
    assert lock.digest.startswith("sha256:")


@pytest.mark.parametrize("name", NAMES)
def test_no_lock_names_a_place(name: str) -> None:
    """A lock says what is installed; where from is the user's setting, so no address stands in it."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert " @ " not in text


def test_stages_that_verify_share_their_verifier() -> None:
    """sign, check and verify judge signatures with the same versions: what one makes the others read."""
    for tool in ("sigstore", "pypi-attestations", "cryptography"):
        assert len({read_lock(name).versions[tool] for name in ("sign", "check", "verify")}) == 1, tool


def test_one_twine_checks_and_uploads() -> None:
    """What twine says in check holds for the twine that uploads."""
    assert read_lock("check").versions["twine"] == read_lock("upload").versions["twine"]


def test_installers_are_told_to_take_nothing_else() -> None:
    """Hashes are required, nothing is built and nothing resolved."""
    assert set(INSTALL_OPTIONS) == {"--require-hashes", "--only-binary", ":all:", "--no-deps"}


@pytest.mark.parametrize(
    "line",
    [
        "a==1.0",
        f"a>=1.0 {HASH}",
        f"a {HASH}",
        f"a @ https://example.org/a.whl {HASH}",
        "-r other.txt",
        "-e .",
        f"./a.whl {HASH}",
        "--index-url https://example.org/simple",
        "a==1.0 --hash=md5:0123",
    ],
)
def test_a_line_that_lets_other_files_in_is_refused(tmp_path: Path, line: str) -> None:
    """No hash, no exact version, an address, an option or another file: the line is named."""
    path = tmp_path / "x.txt"
    path.write_text(f"b==2 \\\n    {HASH}\n{line}\n", encoding="utf-8")
    with pytest.raises(LockError) as raised:
        read_lock_file(path)
    assert line.split(" --hash")[0] in raised.value.what


def test_comments_markers_extras_and_continuations_are_read(tmp_path: Path) -> None:
    """The form that uv and pip-compile write is understood."""
    path = tmp_path / "x.txt"
    path.write_text(
        f"# made by uv\nA.b[extra]==1.0 ; python_version < '3.12' \\\n    {HASH} \\\n    {HASH}\n    # via c\n\n"
        f"c==2!1.0+x {HASH}",
        encoding="utf-8",
    )  # fmt: skip
    assert read_lock_file(path).versions == {"a.b": "1.0", "c": "2!1.0+x"}


@given(st.text(max_size=60))
def test_any_text_is_a_lock_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text fails in another way than by LockError, and a lock never has a version without its hash."""
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text, encoding="utf-8")
    try:
        lock = read_lock_file(path)
    except LockError:
        return
    assert len(lock.versions) <= text.count("--hash=sha256:")
