"""What twine prints, translated: every answer of PyPI's own server, and none taken for another."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services.minting import MINT_ANSWERS
from hephaestus.services.uploading import UPLOAD_ANSWERS, explain_upload, file_refused
from hephaestus.standins.index.publishing import MINT_CODES

#: What twine 7.0.0 prints before any answer when Trusted Publishing went well.
BEGINNING = """\
Uploading distributions to https://upload.pypi.org/legacy/
WARNING  Got OIDC token for audience pypi
WARNING  Minted upload token for trusted publishing
Uploading tiny_project-1.503.429-py3-none-any.whl
"""

BAD, FORBIDDEN, LIMITED = "400 Bad Request", "403 Forbidden", "429 Too Many Requests"


def said(status: str, message: str) -> str:
    """An upload that the index refuses, as twine tells it."""
    return (
        f"{BEGINNING}WARNING  Error during upload. Retry with the --verbose option for more details.\n"
        f"ERROR    HTTPError: {status} from https://upload.pypi.org/legacy/\n         {message}\n"
    )


def refused_mint(code: str, description: str = "said about it") -> str:
    """A mint that the index refuses, as twine tells it."""
    return (
        "Uploading distributions to https://upload.pypi.org/legacy/\nWARNING  Got OIDC token for audience pypi\n"
        "ERROR    TrustedPublishingFailure: The token request failed; the index server gave the following\n"
        f"         reasons:\n\n         * `{code}`: {description}\n"
    )


#: Every row of the recorded answers (facts: pypi, section 1): status, the message's beginning, words of the meaning,
#: words of what to do, whether waiting helps.
ROWS = [
    (BAD, "File already exists ('F', with blake2_256 hash 'H').", "other bytes under this name", "new|raise", False),
    (BAD, "This filename was previously used by a file that has since been deleted.", "once for ever", "raise", False),
    (BAD, "Uploading new files to releases older than 14 days is not allowed.", "older than 14 days", "raise", False),
    (BAD, "Only one sdist may be uploaded per release.", "has an sdist already", "raise the version", False),
    (BAD, "Filename 'x' is invalid, should be 'y'.", "not the normalised one", "current backend", False),
    (BAD, "Invalid distribution file.", "cannot read the file", "build it anew", False),
    (BAD, "The digest supplied does not match a digest calculated", "bytes that arrived", "nox -s check", False),
    (BAD, "Binary wheel 'F' has an unsupported platform tag 'linux_x86_64'.", "platform tag", "manylinux", False),
    (BAD, "The use of local versions in 'V' is not allowed.", "local part", "version without it", False),
    (BAD, "Can't have direct dependency: x @ https://y", "names and versions only", "published version", False),
    (BAD, "'Private :: Do Not Upload' is not a valid classifier.", "`Private ::`", "`classifiers`", False),
    (BAD, "'2.6' is not a valid metadata version.", "metadata is of a version", "backend", False),
    (BAD, "The name 'N' isn't allowed (conflict with Python Standard Library", "own library", "another", False),
    (BAD, "The name 'N' isn't allowed. See https://pypi.org/help/#project-name", "to nobody", "another", False),
    (BAD, "The name 'N' is too similar to an existing project.", "too similar", "another project name", False),
    (BAD, "File too large. Limit for project 'N' is 100 MB.", "file is larger", "higher limit", False),
    (BAD, "Project size too large.", "yanking frees nothing", "higher limit", False),
    (
        BAD,
        "Invalid attestations supplied during upload: Attestations are only supported when using Trusted Publishing",
        "not minted by Trusted Publishing",
        "remove every API token",
        False,
    ),
    (BAD, "Invalid attestations supplied during upload: Could not verify", "publisher's repository", "compare", False),
    (
        BAD,
        "Invalid attestations supplied during upload: Unknown error while trying to verify",
        "Sigstore may be in trouble",
        "in a few minutes",
        True,
    ),
    (BAD, "Invalid attestations supplied during upload: an empty list", "for their form", "update", False),
    (BAD, "Non-user identities cannot create new projects", "publisher is not pending", "pending Trusted Pub", False),
    (BAD, "Organization account owning this project is inactive.", "organisation is inactive", "owner", False),
    (FORBIDDEN, "Invalid or non-existent authentication information.", "not accept the credential", "re-run", False),
    (FORBIDDEN, "Username/Password authentication is no longer supported.", "user name and password", "remove", False),
    (FORBIDDEN, "Invalid API Token: malformed", "not accept the credential", "re-run", False),
    (FORBIDDEN, "Invalid API Token: token is expired", "expired midway", "in a few minutes", True),
    (
        FORBIDDEN,
        "Invalid API Token: OIDC scoped token is not valid for project 'N'",
        "for another project",
        "settings of this very project",
        False,
    ),
    (FORBIDDEN, "User 'U' does not have a verified primary email address.", "e-mail address", "its owner", False),
    (FORBIDDEN, "User 'U' does not have two-factor authentication enabled.", "two-factor", "its owner", False),
    (FORBIDDEN, "The user 'U' isn't allowed to upload to project 'N'.", "project is archived", "archived or n", False),
    (FORBIDDEN, "Read-only mode: Uploads are temporarily disabled.", "takes no uploads", "in a few minutes", True),
    (FORBIDDEN, "New uploads are temporarily disabled.", "takes no uploads", "in a few minutes", True),
    (LIMITED, "Too many new projects created", "first releases only", "wait an hour", False),
    (LIMITED, "", "asks to slow down", "in a few minutes", True),
    ("408 Request Timeout", "", "failed to take it", "in a few minutes", True),
    ("500 Internal Server Error", "", "failed to take it", "in a few minutes", True),
    ("502 Bad Gateway", "", "failed to take it", "in a few minutes", True),
    ("503 Service Unavailable", "", "failed to take it", "in a few minutes", True),
    ("504 Gateway Timeout", "", "failed to take it", "in a few minutes", True),
]


@pytest.mark.parametrize(("status", "message", "meaning", "remedy", "transient"), ROWS)
def test_each_recorded_answer_is_translated(
    status: str, message: str, meaning: str, remedy: str, transient: bool
) -> None:
    """After a token exchange that went well, each answer of PyPI is what it is, and known to pass or not."""
    answer = explain_upload(said(status, message))
    assert meaning in answer.meaning
    assert re.search(remedy, answer.remedy)
    assert answer.transient is transient
    assert "not known" not in answer.meaning


def test_every_translation_belongs_to_a_recorded_answer() -> None:
    """No entry of the table is unreachable: each is the first that fits some recorded answer."""
    reached = {explain_upload(said(status, message)).pattern for status, message, *_ in ROWS}
    assert {answer.pattern for answer in UPLOAD_ANSWERS} <= reached


@pytest.mark.parametrize("code", sorted(MINT_CODES))
def test_each_code_of_a_refused_mint_is_translated(code: str) -> None:
    """What a refused exchange means is said in the words of the one table of mint codes; it is never a riddle."""
    answer = explain_upload(refused_mint(code, MINT_CODES[code]))
    assert MINT_ANSWERS[code].meaning in answer.meaning
    assert answer.remedy == MINT_ANSWERS[code].remedy
    assert answer.transient is MINT_ANSWERS[code].transient


def test_a_code_nobody_knows_is_passed_on() -> None:
    """A new code of the exchange is named, and it is not taken for a passing trouble."""
    answer = explain_upload(refused_mint("invalid-weather"))
    assert "'invalid-weather'" in answer.meaning
    assert not answer.transient
    assert answer.remedy


#: What is no answer of an upload: what twine prints of a broken exchange or connection, and words of the meaning.
OTHERS: Mapping[str, tuple[str, bool]] = {
    "ERROR    TrustedPublishingFailure: The token-minting request returned invalid JSON": ("issuer", True),
    "ERROR    HTTPError: 403 Forbidden from https://upload.pypi.org/_/oidc/audience\n": ("switched off", True),
    "ERROR    HTTPError: 500 Internal Server Error from https://upload.pypi.org/_/oidc/audience\n": ("issuer", True),
    "TrustedPublishingFailure: Unable to retrieve an OIDC token from the CI platform for trusted publishing GitHub: "
    "OIDC token request failed (code=403, body='...')": ("no OIDC identity here", False),
    "TrustedPublishingFailure: Unable to retrieve an OIDC token from the CI platform for trusted publishing GitHub: "
    "OIDC token request failed (code=500, body='...')": ("the CI service gave no identity", True),
    "TrustedPublishingFailure: Unable to retrieve an OIDC token from the CI platform for trusted publishing Token "
    "audience claim mismatch (expected pypi, got testpypi)": ("for another audience", False),
    "WARNING  This environment is not supported for trusted publishing\nERROR    NonInteractive: Credential not found "
    "for API token.": ("no OIDC identity here", False),
    "ERROR    RedirectDetected: https://upload.pypi.org/legacy/ attempted to redirect to https://e/": ("redir", False),
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed": ("tr", False),
    "requests.exceptions.ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end closed": ("br", True),
    "`python -m twine upload` said nothing for 300 s and was stopped": ("went silent", True),
}


@pytest.mark.parametrize("output", OTHERS)
def test_what_is_no_answer_of_an_upload_is_told_apart(output: str) -> None:
    """An identity that is missing, an exchange that fails, a connection that breaks: each has its own words."""
    words, transient = OTHERS[output]
    answer = explain_upload(output)
    assert words in answer.meaning
    assert answer.transient is transient


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "418 I'm a teapot", "599 Unknown Status"])
def test_an_answer_nobody_knows_is_passed_on_word_for_word(status: str) -> None:
    """Numbers in names, sizes or versions are no status; the index's own words come through, without secrets."""
    token = "pypi-AgEIcHlwaS5vcmcCJDAwMDAw"
    answer = explain_upload(said(status, f"Something new about tiny_project-1.503.429 (512 kB) {token}."))
    if status.startswith("5"):
        assert answer.transient
        return
    assert "not known to this suite" in answer.meaning
    assert f"{status}: Something new about tiny_project-1.503.429 (512 kB) ***" in answer.meaning
    assert not answer.transient
    assert "same command again" in answer.remedy


@given(st.text())
def test_any_output_has_an_answer(output: str) -> None:
    """Whatever a tool prints, there is a meaning and something to do."""
    answer = explain_upload(output)
    assert answer.meaning
    assert answer.remedy


def test_the_file_that_was_refused_is_the_one_last_begun() -> None:
    """twine sends one file after the other and ends at the first refusal; before the first there is none."""
    output = said(BAD, "This filename was previously used by a file that has since been deleted.")
    assert explain_upload(output).burned
    assert file_refused(output) == "tiny_project-1.503.429-py3-none-any.whl"
    assert file_refused(f"Uploading a-1.tar.gz\n{output}") == "tiny_project-1.503.429-py3-none-any.whl"
    assert file_refused(refused_mint("invalid-token")) == ""
    assert [answer.pattern for answer in UPLOAD_ANSWERS if answer.burned] == [explain_upload(output).pattern]
