"""What twine prints, translated: every answer of PyPI's own server, and none taken for another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.services.index import FileState, PlannedFile, Propagation, PropagationState, UploadPlan
from hephaestus.stages.upload_answers import NotShownError, ProvenanceMissingError, UploadIncompleteError, explain

#: What twine 7.0.0 prints before any answer when Trusted Publishing went well.
BEGINNING = """\
Uploading distributions to https://upload.pypi.org/legacy/
WARNING  Got OIDC token for audience pypi
WARNING  Minted upload token for trusted publishing
Uploading tiny_project-1.503.429-py3-none-any.whl
"""


def said(status: str, message: str) -> str:
    """An upload that the index refuses, as twine tells it."""
    return (
        f"{BEGINNING}WARNING  Error during upload. Retry with the --verbose option for more details.\n"
        f"ERROR    HTTPError: {status} from https://upload.pypi.org/legacy/\n         {message}\n"
    )


#: The recorded answers (facts: pypi, section 1), words of the translation, and whether waiting helps.
ANSWERS = [
    ("400 Bad Request", "File already exists ('F', with blake2_256 hash 'H').", "other bytes under this name", False),
    ("400 Bad Request", "This filename was previously used by a file that has since been deleted.", "once for", False),
    ("400 Bad Request", "Uploading new files to releases older than 14 days is not allowed.", "14 days", False),
    ("400 Bad Request", "Only one sdist may be uploaded per release.", "has an sdist already", False),
    ("400 Bad Request", "Filename 'x' is invalid, should be 'y'.", "refuses the file", False),
    ("400 Bad Request", "Invalid distribution file.", "refuses the file", False),
    ("400 Bad Request", "Binary wheel 'F' has an unsupported platform tag 'x'", "refuses the file", False),
    ("400 Bad Request", "The use of local versions in 'V' is not allowed.", "refuses the file", False),
    ("400 Bad Request", "Can't have direct dependency: x @ y", "refuses the file", False),
    ("400 Bad Request", "'2.6' is not a valid metadata version.", "refuses the file", False),
    ("400 Bad Request", "The name 'N' isn't allowed (conflict with Python Standard Library", "refuses the file", False),
    ("400 Bad Request", "The name 'N' is too similar to an existing project.", "refuses the file", False),
    ("400 Bad Request", "File too large. Limit for project 'N' is 100 MB.", "too large", False),
    ("400 Bad Request", "Project size too large.", "too large", False),
    (
        "400 Bad Request",
        "Invalid attestations supplied during upload: Attestations are only supported when using Trusted Publishing",
        "not minted by Trusted Publishing",
        False,
    ),
    (
        "400 Bad Request",
        "Invalid attestations supplied during upload: Unknown error while trying to verify",
        "Sigstore may be in trouble",
        True,
    ),
    ("400 Bad Request", "Invalid attestations supplied during upload: Could not verify", "refuses the attest", False),
    ("400 Bad Request", "Non-user identities cannot create new projects", "publisher is not pending", False),
    ("400 Bad Request", "Organization account owning this project is inactive.", "organisation is inactive", False),
    ("403 Forbidden", "Invalid or non-existent authentication information.", "does not accept the credential", False),
    ("403 Forbidden", "Username/Password authentication is no longer supported.", "does not accept the cred", False),
    ("403 Forbidden", "Invalid API Token: scope", "does not accept the credential", False),
    ("403 Forbidden", "Invalid API Token: token is expired", "expired midway", True),
    ("403 Forbidden", "The user 'U' isn't allowed to upload to project 'N'.", "may not upload to the project", False),
    ("403 Forbidden", "Read-only mode: Uploads are temporarily disabled.", "takes no uploads", True),
    ("403 Forbidden", "New uploads are temporarily disabled.", "takes no uploads", True),
    ("429 Too Many Requests", "Too many new projects created", "too many new projects", False),
    ("429 Too Many Requests", "", "asks to slow down", True),
    ("408 Request Timeout", "", "failed to take it", True),
    ("500 Internal Server Error", "", "failed to take it", True),
    ("502 Bad Gateway", "", "failed to take it", True),
    ("503 Service Unavailable", "", "failed to take it", True),
    ("504 Gateway Timeout", "", "failed to take it", True),
]


@pytest.mark.parametrize(("status", "message", "words", "transient"), ANSWERS)
def test_each_recorded_answer_is_translated(status: str, message: str, words: str, transient: bool) -> None:
    """After a token exchange that went well, each answer of PyPI is what it is, and known to pass or not."""
    answer = explain(said(status, message))
    assert words in answer.meaning
    assert answer.transient is transient
    assert answer.remedy


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "418 I'm a teapot"])
def test_an_answer_nobody_knows_is_said_to_be_unknown(status: str) -> None:
    """Numbers in file names, sizes or versions are no status, and the talk of trusted publishing is no failure."""
    answer = explain(said(status, "Something new about tiny_project-1.503.429 (512 kB)."))
    assert "not known to this suite" in answer.meaning
    assert not answer.transient


@given(st.text())
def test_any_output_has_an_answer(output: str) -> None:
    """Whatever a tool prints, there is a meaning and something to do."""
    answer = explain(output)
    assert answer.meaning
    assert answer.remedy


def plan(*, deadline: datetime | None = None) -> UploadPlan:
    there = PlannedFile(filename="a.whl", sha256="0" * 64, state=FileState.IDENTICAL)
    lacking = PlannedFile(filename="a.tar.gz", sha256="1" * 64, state=FileState.MISSING)
    return UploadPlan(version=Version("1"), files=(there, lacking), deadline=deadline)


def test_an_incomplete_upload_says_how_far_it_came_and_until_when() -> None:
    """k of n, the deadline, what is missing, the tool's last lines, and the command that goes on."""
    until = datetime(2026, 12, 6, 9, 16, tzinfo=UTC)
    output = said("503 Service Unavailable", "")
    answer = explain(output)
    error = UploadIncompleteError(
        stage="upload-pypi", index="pypi", plan=plan(deadline=until), answer=answer, output=output
    )
    assert "1 of 2 files are on pypi; to be completed before 2026-12-06 09:16 UTC" in error.what
    assert "missing: a.tar.gz" in error.details
    assert error.next_step.endswith("`nox -s upload-pypi` goes on from here")
    lasting = explain(said("400 Bad Request", "File already exists"))
    error = UploadIncompleteError(stage="upload-pypi", index="pypi", plan=plan(), answer=lasting, output="")
    assert "goes on" not in error.next_step
    assert "before" not in error.what


@pytest.mark.parametrize("state", [state for state in PropagationState if state is not PropagationState.VISIBLE])
def test_everything_that_is_not_shown_has_a_way_on(state: PropagationState) -> None:
    """Lag, absence, wrong bytes, quarantine, archive and silence each have their own words and next step."""
    seen = Propagation(
        state=state, waiting=("a.whl",), wrong={"b.whl": ("1", "2")}, reason="because", polls=3, seconds=7.0
    )
    error = NotShownError(stage="upload-pypi", index="pypi", seen=seen)
    assert "asked 3 times in 7 s" in error.what
    assert {"not shown: a.whl", "b.whl: expected sha256 1, served 2", "because"} <= set(error.details)
    assert error.next_step
    assert "{" not in error.next_step


def test_lost_attestations_name_the_files() -> None:
    """They cannot be added later, and the message says so."""
    error = ProvenanceMissingError(stage="upload-pypi", index="pypi", files=["a.whl"])
    assert error.details == ("a.whl",)
    assert "cannot be added" in error.why
