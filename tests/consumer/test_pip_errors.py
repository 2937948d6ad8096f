"""What pip and uv say when they fail, in one line; bytes of the release that are others are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.consumer.pip_errors import Tampered, install_finding

FILE = "tiny_project-1.2.3-py3-none-any.whl"
UV_MISSING = """\
Using Python 3.11.7 environment at: venv
error: No solution found when resolving dependencies
  cause: Because need was not found in the provided package locations and all versions of tiny-project
         depend on need, we can conclude that all versions of tiny-project cannot be used.
"""
UV_HASH = """\
error: Failed to download `{subject}`
  cause: Hash mismatch for `{subject}`

         Expected:
           sha256:0000

         Computed:
           sha256:1111
"""


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        (UV_MISSING, "dependency-conflict", "Because need was not found in the provided package locations and all"),
        (UV_HASH.format(subject="need==1.0"), "dependency-hash", "Expected: sha256:0000 Computed: sha256:1111"),
        ("error: externally-managed-environment\n\nThis environment ...", "externally-managed", "PEP 668"),
        ("ERROR: No matching distribution found for need>=1", "dependency-missing", "no index"),
        ("ERROR: {not} a {format}\n", "install-fails", "{not} a {format}"),
        ("", "install-fails", "cannot install it"),
    ],
)
def test_each_failure_has_its_kind(output: str, code: str, said: str) -> None:
    """The code is for programs, the message names the cause."""
    finding = install_finding(output, place="here", name=FILE)
    assert (finding.code, said in finding.message) == (code, True), finding


@pytest.mark.parametrize("subject", [f"tiny-project @ http://127.0.0.1/files/{FILE}", FILE])
def test_other_bytes_of_the_release_are_tampering_for_uv_too(subject: str) -> None:
    """uv names the requirement with its address; ours is recognised by its file name."""
    with pytest.raises(Tampered) as caught:
        install_finding(UV_HASH.format(subject=subject), place="here", name=FILE)
    assert "sha256:1111" in str(caught.value)


def test_a_backends_words_may_hold_braces() -> None:
    """What a build backend prints is quoted, not formatted."""
    output = "ERROR: Failed to build 'x'\n  [1 lines of output]\nKeyError: {name}\n  [end of output]\n"
    finding = install_finding(output, place="here", name=FILE)
    assert (finding.code, "KeyError: {name}" in finding.message) == ("build-fails", True)


@given(st.text())
def test_whatever_is_said_is_one_finding(output: str) -> None:
    """Any text leads to a finding on one line, or to Tampered."""
    try:
        finding = install_finding(output, place="here", name=FILE)
    except Tampered:
        return
    assert "\n" not in finding.line()
